import { Oci2isoError } from "../errors.ts";
import { type Digest, isDigest } from "./digest.ts";

/**
 * An image name in a registry, normalized: `debian:12` has domain "docker.io" and repository "library/debian"
 * (distribution/reference grammar).
 */
export interface DockerReference {
	/** Host with optional port; an IPv6 address is in brackets. */
	readonly domain: string;
	/** Path components joined by "/". */
	readonly repository: string;
	readonly tag: string | undefined;
	readonly digest: Digest | undefined;
}

const DOMAIN_COMPONENT = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const DOMAIN = new RegExp(`^(?:${DOMAIN_COMPONENT}(?:\\.${DOMAIN_COMPONENT})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const REPOSITORY_COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const MAX_NAME_LENGTH = 255;

/** `[DOMAIN/]REPOSITORY[:TAG][@DIGEST]`; throws `Oci2isoError` REFERENCE_INVALID (exit 2). */
export function parseDockerReference(text: string): DockerReference {
	const [name, digestText] = splitOnce(text, text.indexOf("@"));
	if (digestText !== undefined && !isDigest(digestText))
		throw invalid(text, "a digest as sha256:<64 hexadecimal digits> or sha512:<128> after @");
	// a colon before the last slash belongs to a port
	const colon = name.lastIndexOf(":");
	const [path, tag] = splitOnce(name, colon > name.lastIndexOf("/") ? colon : -1);
	if (tag !== undefined && !TAG.test(tag)) throw invalid(text, "a tag of letters, digits, _, . and -, up to 128");

	const { domain, repository } = splitDomain(path);
	if (!DOMAIN.test(domain)) throw invalid(text, "a registry host with an optional port before the first /");
	if (!repository.split("/").every((component) => REPOSITORY_COMPONENT.test(component)))
		throw invalid(text, "a repository name of lower-case letters and digits, with single . _ or - between them");
	if (domain.length + 1 + repository.length > MAX_NAME_LENGTH)
		throw invalid(text, `a name of at most ${MAX_NAME_LENGTH} characters`);
	if (/^[0-9a-f]{64}$/.test(path)) throw invalid(text, "a repository name, not an image id");
	return { domain, repository, tag, digest: digestText };
}

/** The full form, for example `docker.io/library/debian:12`. */
export function formatDockerReference({ domain, repository, tag, digest }: DockerReference): string {
	return `${domain}/${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

/** The same name with `latest` where neither a tag nor a digest is given. */
export function withDefaultTag(reference: DockerReference): DockerReference {
	return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: "latest" } : reference;
}

function splitDomain(path: string): { domain: string; repository: string } {
	const [first, rest] = splitOnce(path, path.indexOf("/"));
	const isHost = rest !== undefined && (/[.:[\]A-Z]/.test(first) || first === "localhost");
	const domain = !isHost || first === "index.docker.io" ? "docker.io" : first;
	const repository = isHost ? rest : path;
	return {
		domain,
		repository: domain === "docker.io" && !repository.includes("/") ? `library/${repository}` : repository,
	};
}

function splitOnce(text: string, at: number): [string, string | undefined] {
	return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function invalid(text: string, expected: string): Oci2isoError {
	return new Oci2isoError({
		code: "REFERENCE_INVALID",
		kind: "usage",
		what: `"${text.slice(0, 300)}" is no image reference`,
		expected,
		remedy: "give [REGISTRY/]REPOSITORY[:TAG][@DIGEST], or oci:DIR, oci-archive:FILE, docker-archive:FILE or dir:DIR",
	});
}

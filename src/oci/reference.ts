import { Oci2isoError } from "../errors.ts";
import { type Digest, isDigest } from "./digest.ts";
import { type DockerReference, parseDockerReference } from "./docker-reference.ts";
import { unsupported } from "./failures.ts";
import { parseStorageReference, type StorageReference } from "./storage/storage-reference.ts";

/** Which entry of a layout's index.json is meant; what is undefined does not restrict it. */
export interface LayoutSelection {
	readonly tag: string | undefined;
	readonly digest: Digest | undefined;
	/** Position in index.json, from 0. */
	readonly sourceIndex: number | undefined;
}

/** Which image of a docker-archive is meant. */
export interface ArchiveSelection {
	readonly name: DockerReference | undefined;
	/** Position in manifest.json, from 0. */
	readonly sourceIndex: number | undefined;
}

/** Where an image is, in the notation of containers-transports(5). */
export type ImageReference =
	| { readonly transport: "oci" | "oci-archive"; readonly path: string; readonly selection: LayoutSelection }
	| { readonly transport: "docker-archive"; readonly path: string; readonly selection: ArchiveSelection }
	| { readonly transport: "dir"; readonly path: string }
	| { readonly transport: "containers-storage"; readonly reference: StorageReference }
	/** `image` is a name or an id, as it was written. */
	| { readonly transport: "docker-daemon" | "podman"; readonly image: string }
	| { readonly transport: "docker"; readonly name: DockerReference };

const MAX_REFERENCE_LENGTH = 8192;

/**
 * Understands `oci:DIR[:TAG|@DIGEST|:@N]`, `oci-archive:FILE[…]`, `docker-archive:FILE[:REF|:@N]`, `dir:DIR`, `containers-storage:[[DRIVER@ROOT]]REF`,
 * `docker-daemon:REF`, `podman:REF`, `docker://REF` and a bare REF.
 * Throws `Oci2isoError` REFERENCE_INVALID or TRANSPORT_UNSUPPORTED (exit 2).
 */
export function parseReference(text: string): ImageReference {
	if (text.length > MAX_REFERENCE_LENGTH || text.includes("\0"))
		throw invalid(text, `at most ${MAX_REFERENCE_LENGTH} characters, none of them NUL`);
	const [, transport, rest = ""] = /^([a-z-]+):(.*)$/s.exec(text) ?? [];
	switch (transport) {
		case "oci":
		case "oci-archive":
			return { transport, ...parseLayoutReference(text, rest) };
		case "docker-archive":
			return { transport, ...parseArchiveReference(text, rest) };
		case "dir":
			return { transport, path: required(text, rest) };
		case "docker":
			if (rest.startsWith("//")) return { transport, name: parseDockerReference(rest.slice(2)) };
			if (rest.includes("/")) throw invalid(text, "docker:// before the name");
			break;
		case "containers-storage":
			return { transport, reference: parseStorageReference(rest) };
		case "docker-daemon":
		case "podman":
			return { transport, image: parseEngineImage(text, rest) };
		case "ostree":
		case "sif":
		case "tarball":
			throw unsupported(
				"TRANSPORT_UNSUPPORTED",
				`transport "${transport}" needs a daemon or a private store`,
				text.slice(0, 300),
				"run `podman save --format oci-archive -o FILE IMAGE` and give oci-archive:FILE",
			);
	}
	const [, scheme] = /^(https?:\/\/)/.exec(text) ?? [];
	if (scheme !== undefined) throw invalid(text, `a name without ${scheme}, or docker:// in its place`);
	return { transport: "docker", name: parseDockerReference(text) };
}

function parseLayoutReference(text: string, rest: string): { path: string; selection: LayoutSelection } {
	const [, before = rest, digestText] = /^(.*)@(sha(?:256|512):[0-9a-f]+)$/s.exec(rest) ?? [];
	if (digestText !== undefined && !isDigest(digestText)) throw invalid(text, "a whole sha256 or sha512 digest after @");
	const [path, image] = splitPath(before);
	const sourceIndex = digestText === undefined ? sourceIndexOf(image) : undefined;
	const tag = sourceIndex !== undefined || image === "" ? undefined : image;
	return { path: required(text, path), selection: { tag, digest: digestText, sourceIndex } };
}

function parseArchiveReference(text: string, rest: string): { path: string; selection: ArchiveSelection } {
	const [path, image] = splitPath(rest);
	const sourceIndex = sourceIndexOf(image);
	const name =
		image === undefined || image === "" || sourceIndex !== undefined ? undefined : parseDockerReference(image);
	if (name?.digest !== undefined)
		throw invalid(text, "a name and tag without a digest, which such an archive does not keep");
	return { path: required(text, path), selection: { name, sourceIndex } };
}

/** `sha256:ID`, the digits alone, or a name, whose tag is `latest` where it has none. */
function parseEngineImage(text: string, rest: string): string {
	if (/^(sha256:)?[0-9a-f]{64}$/.test(rest)) return rest;
	const { tag, digest } = parseDockerReference(rest);
	if (tag !== undefined && digest !== undefined) throw invalid(text, "a tag or a digest, not both");
	return rest;
}

/** As in skopeo, the first colon ends the path. */
function splitPath(rest: string): [string, string | undefined] {
	const colon = rest.indexOf(":");
	return colon < 0 ? [rest, undefined] : [rest.slice(0, colon), rest.slice(colon + 1)];
}

function sourceIndexOf(image: string | undefined): number | undefined {
	return image !== undefined && /^@\d{1,9}$/.test(image) ? Number(image.slice(1)) : undefined;
}

function required(text: string, path: string): string {
	if (path === "") throw invalid(text, "a path after the transport's name");
	return path;
}

function invalid(text: string, expected: string): Oci2isoError {
	const what = `"${text.slice(0, 300)}" is no image reference`;
	return new Oci2isoError({ code: "REFERENCE_INVALID", kind: "usage", what, expected });
}

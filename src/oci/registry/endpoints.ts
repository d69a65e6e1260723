import { Oci2isoError } from "../../errors.ts";
import { type DockerReference, formatDockerReference, parseDockerReference } from "../docker-reference.ts";
import { registryFailure } from "./fault.ts";
import type { RegistriesConf, RegistryRule } from "./registries-conf.ts";

/** One place to pull a reference from. */
export interface Endpoint {
	/** As users and credentials name it: `HOST[:PORT]`, "docker.io" for Docker Hub. */
	readonly domain: string;
	readonly repository: string;
	/** Certificates are not checked, and plain HTTP will do. */
	readonly insecure: boolean;
	/** Whether this is the registry that the reference names, not a mirror of it. */
	readonly primary: boolean;
}

/** What goes into URLs: Docker Hub's registry has another name than the one in references. */
export function endpointHost({ domain }: Pick<Endpoint, "domain">): string {
	return domain === "docker.io" ? "registry-1.docker.io" : domain;
}

/**
 * The places of a reference in the order in which they are tried: the mirrors of the rule with the longest matching prefix, then the location.
 * Throws `Oci2isoError` REGISTRY_BLOCKED (exit 4), and REGISTRIES_CONF_INVALID where rewriting gives no name.
 */
export function resolveEndpoints(reference: DockerReference, { rules }: RegistriesConf): Endpoint[] {
	const name = `${reference.domain}/${reference.repository}`;
	const rule = longestMatch(reference, rules);
	const unruled: Endpoint = {
		domain: reference.domain,
		repository: reference.repository,
		insecure: false,
		primary: true,
	};
	if (rule === undefined) return [unruled];
	if (rule.blocked)
		throw registryFailure(
			"REGISTRY_BLOCKED",
			`registries.conf blocks "${rule.prefix}"`,
			formatDockerReference(reference),
			"choose another registry, or change that entry",
		);
	const wanted = reference.digest === undefined ? "tag-only" : "digest-only";
	const mirrors = rule.mirrors
		.filter(({ pullFromMirror }) => pullFromMirror === "all" || pullFromMirror === wanted)
		.map(({ location, insecure }) => ({ ...rewritten(name, rule, location), insecure, primary: false }));
	return [...mirrors, { ...rewritten(name, rule, rule.location), insecure: rule.insecure, primary: true }];
}

function longestMatch(reference: DockerReference, rules: readonly RegistryRule[]): RegistryRule | undefined {
	const full = formatDockerReference(reference);
	return rules
		.filter(({ prefix }) => matches(full, reference.domain, prefix))
		.sort((a, b) => b.prefix.length - a.prefix.length)[0];
}

function matches(full: string, domain: string, prefix: string): boolean {
	if (prefix.startsWith("*."))
		return domain.replace(/:\d+$/, "").endsWith(prefix.slice(1)) || domain.endsWith(prefix.slice(1));
	if (!full.startsWith(prefix)) return false;
	// a port is part of the host, so a host alone does not end before a colon
	const next = full[prefix.length] ?? "";
	return next === "" || next === "/" || (prefix.includes("/") && (next === ":" || next === "@"));
}

function rewritten(name: string, rule: RegistryRule, location: string): { domain: string; repository: string } {
	const suffix = rule.prefix.slice(1);
	const matched = rule.prefix.startsWith("*.") ? name.indexOf(suffix) + suffix.length : rule.prefix.length;
	const text = location === "" ? name : location + name.slice(Math.min(matched, name.length));
	try {
		const { domain, repository, tag, digest } = parseDockerReference(text);
		const [host] = text.split("/");
		if (tag === undefined && digest === undefined && (host === domain || host === "index.docker.io"))
			return { domain, repository };
	} catch (error) {
		if (!(error instanceof Oci2isoError)) throw error;
	}
	throw registryFailure(
		"REGISTRIES_CONF_INVALID",
		`registries.conf makes "${name}" into "${text.slice(0, 300)}", which is no HOST/REPOSITORY`,
		`prefix "${rule.prefix}"`,
	);
}

/**
 * Refuses a name without a registry where registries.conf leads it, or could lead it, elsewhere than to Docker Hub: searching several registries
 * lets anyone who owns the name in the first of them decide what is pulled. Throws `Oci2isoError` SHORT_NAME_AMBIGUOUS (exit 2).
 */
export function requireUnambiguous(text: string, reference: DockerReference, conf: RegistriesConf): void {
	if (!isShortName(text, reference)) return;
	const [name = ""] = text.split(/[:@]/);
	const alias = conf.aliases.get(name);
	const hub = `${reference.domain}/${reference.repository}`;
	const candidates = alias === undefined ? conf.searchRegistries.map((host) => `${host}/${name}`) : [alias];
	const elsewhere = candidates.filter((candidate) => candidate !== hub && candidate !== `docker.io/${name}`);
	if (elsewhere.length === 0) return;
	const suffix = formatDockerReference(reference).slice(hub.length);
	throw new Oci2isoError({
		code: "SHORT_NAME_AMBIGUOUS",
		kind: "usage",
		what: `"${text.slice(0, 300)}" names no registry, and registries.conf knows others than Docker Hub for it`,
		remedy: `write out one of ${[...new Set([hub, ...elsewhere])].map((candidate) => candidate + suffix).join(", ")}`,
	});
}

function isShortName(text: string, { domain }: DockerReference): boolean {
	if (domain !== "docker.io" || text.startsWith("docker:")) return false;
	const [first = "", rest] = text.split("/", 2);
	return rest === undefined || !/[.:]/.test(first);
}

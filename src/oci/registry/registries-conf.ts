import { parse, TomlError } from "smol-toml";
import * as z from "zod";
import { describeIssue } from "../schema-issue.ts";
import { registryFailure } from "./fault.ts";

/** A mirror of a `[[registry]]` (containers-registries.conf(5)). */
interface MirrorRule {
	/** `HOST[:PORT][/NAMESPACE]` that takes the place of the rule's prefix. */
	readonly location: string;
	readonly insecure: boolean;
	readonly pullFromMirror: "all" | "digest-only" | "tag-only";
}

export interface RegistryRule {
	/** `HOST[:PORT][/NAMESPACE…]`, or `*.DOMAIN` for every host below a domain. */
	readonly prefix: string;
	/** Takes the place of the prefix; empty where nothing is rewritten. */
	readonly location: string;
	readonly insecure: boolean;
	readonly blocked: boolean;
	/** In the order in which they are tried, before the location itself. */
	readonly mirrors: readonly MirrorRule[];
}

/** registries.conf, version 2, with its drop-ins merged. */
export interface RegistriesConf {
	readonly searchRegistries: readonly string[];
	readonly aliases: ReadonlyMap<string, string>;
	/** Names of credential helpers, in order; "containers-auth.json" stands for the auth files. */
	readonly credentialHelpers: readonly string[];
	readonly rules: readonly RegistryRule[];
}

const MAX_FILE_LENGTH = 1024 * 1024;

const pullFromMirror = z.enum(["all", "digest-only", "tag-only"]);

const mirrorSchema = z.object({
	location: z.string().min(1),
	insecure: z.boolean().default(false),
	"pull-from-mirror": pullFromMirror.or(z.literal("")).default("all"),
});

const registrySchema = z.object({
	prefix: z.string().default(""),
	location: z.string().default(""),
	insecure: z.boolean().default(false),
	blocked: z.boolean().default(false),
	"mirror-by-digest-only": z.boolean().default(false),
	mirror: z.array(mirrorSchema).default([]),
});

const fileSchema = z.object({
	"unqualified-search-registries": z.array(z.string()).optional(),
	"credential-helpers": z.array(z.string().regex(/^[A-Za-z0-9._-]+$/, "a helper's name")).optional(),
	aliases: z.record(z.string(), z.string()).default({}),
	registry: z.array(registrySchema).default([]),
});

/**
 * Merges the main file and its drop-ins, given in that order; a later file replaces what an earlier one says of the same prefix, alias or list.
 * Throws `Oci2isoError` REGISTRIES_CONF_INVALID (exit 4) with file, line and column or field.
 */
export function parseRegistriesConf(
	files: readonly { readonly path: string; readonly text: string }[],
): RegistriesConf {
	let searchRegistries: readonly string[] = [];
	let credentialHelpers: readonly string[] = ["containers-auth.json"];
	const aliases = new Map<string, string>();
	const rules = new Map<string, RegistryRule>();
	for (const { path, text } of files) {
		const file = parseFile(path, text);
		searchRegistries = file["unqualified-search-registries"] ?? searchRegistries;
		credentialHelpers = file["credential-helpers"] ?? credentialHelpers;
		for (const [name, target] of Object.entries(file.aliases)) aliases.set(name, target);
		for (const registry of file.registry) {
			const rule = ruleOf(registry, path);
			rules.set(rule.prefix, rule);
		}
	}
	return { searchRegistries, aliases, credentialHelpers, rules: [...rules.values()] };
}

function parseFile(path: string, text: string): z.infer<typeof fileSchema> {
	if (text.length > MAX_FILE_LENGTH) throw invalid("is larger than 1 MiB", path);
	let document: unknown;
	try {
		document = parse(text);
	} catch (error) {
		const where = error instanceof TomlError ? `${path}:${error.line}:${error.column}` : path;
		throw invalid("is not TOML", where);
	}
	const table = typeof document === "object" && document !== null ? document : {};
	if (Object.hasOwn(table, "registries"))
		throw invalid("is of version 1, with [registries.search] and its like; version 2 has [[registry]]", path);
	const result = fileSchema.safeParse(document);
	if (result.success) return result.data;
	const field = result.error.issues[0]?.path.map(String).join(".") ?? "";
	throw invalid(`field ${field} is not ${describeIssue(result.error).expected}`, path);
}

function ruleOf(registry: z.infer<typeof registrySchema>, path: string): RegistryRule {
	const location = trimSlashes(registry.location);
	const prefix = trimSlashes(registry.prefix) || location;
	if (prefix === "") throw invalid("a [[registry]] has neither prefix nor location", path);
	if (/^[a-z]+:\/\//.test(prefix) || /^[a-z]+:\/\//.test(location))
		throw invalid(`"${(location || prefix).slice(0, 200)}" has a scheme; a location is HOST[:PORT][/NAMESPACE]`, path);
	if (prefix.startsWith("*.") ? !/^\*\.[^/*]+$/.test(prefix) : prefix.includes("*"))
		throw invalid(`prefix "${prefix.slice(0, 200)}": * may only stand for the first part of a host name`, path);
	const digestOnly = registry["mirror-by-digest-only"];
	return {
		prefix,
		// a wildcard names no place to go to
		location: location || (prefix.startsWith("*.") ? "" : prefix),
		insecure: registry.insecure,
		blocked: registry.blocked,
		mirrors: registry.mirror.map((mirror) => {
			const when = mirror["pull-from-mirror"] || "all";
			if (digestOnly && when !== "all" && when !== "digest-only")
				throw invalid(`prefix "${prefix.slice(0, 200)}": mirror-by-digest-only and pull-from-mirror disagree`, path);
			return {
				location: trimSlashes(mirror.location),
				insecure: mirror.insecure,
				pullFromMirror: digestOnly ? "digest-only" : when,
			};
		}),
	};
}

function trimSlashes(text: string): string {
	return text.replace(/\/+$/, "");
}

function invalid(what: string, where: string) {
	return registryFailure(
		"REGISTRIES_CONF_INVALID",
		`registries.conf ${what}`,
		where,
		"see containers-registries.conf(5)",
	);
}

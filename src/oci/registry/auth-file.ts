import * as z from "zod";
import { registryFailure } from "./fault.ts";

export type Credentials =
	| { readonly kind: "basic"; readonly username: string; readonly password: string }
	/** OAuth2 refresh token, which only a token server can use. */
	| { readonly kind: "identity-token"; readonly token: string };

/** What a file says about one registry: the credentials themselves, or the helper to ask, with what it calls the registry. */
export type AuthEntry = Credentials | { readonly kind: "helper"; readonly helper: string; readonly server: string };

const entrySchema = z.object({
	auth: z.string().nullish(),
	username: z.string().nullish(),
	password: z.string().nullish(),
	identitytoken: z.string().nullish(),
});

const helperName = z.string().regex(/^[A-Za-z0-9._-]*$/);

const authsSchema = z.record(z.string(), entrySchema);

const fileSchema = z.object({
	auths: authsSchema.nullish(),
	credHelpers: z.record(z.string(), helperName).nullish(),
	credsStore: helperName.nullish(),
});

/** An auth.json (containers-auth.json(5)) or config.json of docker. */
export type AuthFile = z.infer<typeof fileSchema>;

/**
 * `legacy` is the older format of `~/.dockercfg`, whose top level is what `auths` became. Throws `Oci2isoError` AUTH_FILE_INVALID (exit 4), which
 * shows nothing of the content.
 */
export function parseAuthFile(text: string, path: string, legacy = false): AuthFile {
	let document: unknown;
	try {
		document = JSON.parse(text);
	} catch {
		// the parser's own message quotes what it found
		throw registryFailure("AUTH_FILE_INVALID", "file with credentials is not JSON", path);
	}
	const result = fileSchema.safeParse(legacy ? { auths: document } : document);
	if (result.success) return result.data;
	const field = result.error.issues[0]?.path.map(String).join(".") ?? "";
	throw registryFailure("AUTH_FILE_INVALID", `file with credentials is wrong at field "${field.slice(0, 200)}"`, path);
}

/**
 * What the file says about a repository, best first: entries for the whole name, then for ever shorter namespaces, then for the registry, a helper
 * before a stored secret; the helper for everything last.
 */
export function findAuth(file: AuthFile, domain: string, repository: string, path: string): AuthEntry[] {
	const found: AuthEntry[] = [];
	for (const key of keysOf(domain, repository)) {
		for (const [name, helper] of Object.entries(file.credHelpers ?? {}))
			if (helper !== "" && normalizedKey(name) === key) found.push({ kind: "helper", helper, server: name });
		for (const [name, entry] of Object.entries(file.auths ?? {})) {
			if (normalizedKey(name) !== key) continue;
			const credentials = credentialsOf(entry, name, path);
			if (credentials !== undefined) found.push(credentials);
		}
	}
	const store = file.credsStore ?? "";
	if (store !== "") for (const server of serverNames(domain)) found.push({ kind: "helper", helper: store, server });
	return found;
}

/** What helpers that were not told a key call a registry. */
export function serverNames(domain: string): string[] {
	return domain === "docker.io" ? ["https://index.docker.io/v1/", "docker.io"] : [domain];
}

/** `quay.io/a/b`, `quay.io/a`, `quay.io`. */
function keysOf(domain: string, repository: string): string[] {
	const components = repository.split("/");
	return [...components.map((_, i) => [domain, ...components.slice(0, components.length - i)].join("/")), domain];
}

/** Docker's keys may be URLs; Docker Hub's is `https://index.docker.io/v1/`. */
function normalizedKey(key: string): string {
	const isUrl = /^https?:\/\//.test(key);
	const bare = key.replace(/^https?:\/\//, "").replace(/\/+$/, "");
	const slash = bare.indexOf("/");
	const host = slash < 0 ? bare : bare.slice(0, slash);
	const path = slash < 0 ? "" : bare.slice(slash);
	const isHub = host === "index.docker.io" || host === "registry-1.docker.io" || host === "docker.io";
	const isApiPath = path === "/v1" || path === "/v2";
	return `${isHub ? "docker.io" : host}${isUrl || isApiPath ? "" : path}`;
}

function credentialsOf(entry: z.infer<typeof entrySchema>, name: string, path: string): Credentials | undefined {
	if (entry.identitytoken) return { kind: "identity-token", token: entry.identitytoken };
	if (entry.auth) {
		const decoded = Buffer.from(entry.auth, "base64").toString("utf8");
		const colon = decoded.indexOf(":");
		if (colon <= 0)
			throw registryFailure(
				"AUTH_FILE_INVALID",
				`field "auth" of "${name.slice(0, 200)}" is not USER:PASSWORD in base64`,
				path,
			);
		// docker pads with NUL
		return { kind: "basic", username: decoded.slice(0, colon), password: decoded.slice(colon + 1).replace(/\0+$/, "") };
	}
	return entry.username ? { kind: "basic", username: entry.username, password: entry.password ?? "" } : undefined;
}

import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { Oci2isoError } from "../../errors.ts";
import { errnoOf } from "../failures.ts";
import { type AuthEntry, type AuthFile, type Credentials, findAuth, parseAuthFile, serverNames } from "./auth-file.ts";
import { readIfThere } from "./config-files.ts";
import { askHelper } from "./credential-helper.ts";
import type { Endpoint } from "./endpoints.ts";
import { registryFailure } from "./fault.ts";
import type { Environment, RegistryOptions } from "./options.ts";

interface CredentialOptions extends Pick<RegistryOptions, "authFile" | "creds"> {
	/** From registries.conf. */
	readonly credentialHelpers: readonly string[];
	readonly environment: Environment;
}

/** `--creds`: throws `Oci2isoError` CREDS_INVALID (exit 2), which does not show it. */
function parseCreds(creds: string): Credentials {
	const colon = creds.indexOf(":");
	if (colon <= 0)
		throw new Oci2isoError({
			code: "CREDS_INVALID",
			kind: "usage",
			what: "--creds is not USER:PASSWORD",
			remedy: "give both, or name a file with --authfile",
		});
	return { kind: "basic", username: creds.slice(0, colon), password: creds.slice(colon + 1) };
}

/**
 * The credentials for an endpoint, or undefined where it is used anonymously: `--creds`, else the first file that has any, in the order of
 * containers-auth.json(5), else docker's files. Throws `Oci2isoError` (exit 4; 2 for `--creds`) where a file or helper that applies is broken.
 */
export async function findCredentials(
	{ domain, repository, primary }: Endpoint,
	options: CredentialOptions,
	signal?: AbortSignal,
): Promise<Credentials | undefined> {
	if (options.creds !== undefined && primary) return parseCreds(options.creds);
	const { variables } = options.environment;
	for (const helper of options.credentialHelpers) {
		if (helper === "containers-auth.json") {
			const found = await inFiles(domain, repository, options, signal);
			if (found !== undefined) return found;
			continue;
		}
		for (const server of serverNames(domain)) {
			const found = await askHelper(helper, server, variables, signal);
			if (found !== undefined) return found;
		}
	}
	return undefined;
}

async function inFiles(
	domain: string,
	repository: string,
	options: CredentialOptions,
	signal: AbortSignal | undefined,
): Promise<Credentials | undefined> {
	const { variables } = options.environment;
	for (const { path, legacy, required } of authFiles(options)) {
		const text = await readIfThere(path);
		if (text === undefined) {
			if (required) throw registryFailure("AUTH_FILE_INVALID", "there is no such file with credentials", path);
			continue;
		}
		const file: AuthFile = parseAuthFile(text, path, legacy);
		for (const entry of findAuth(file, domain, repository, path)) {
			const found = await resolve(entry, variables, signal);
			if (found !== undefined) return found;
		}
	}
	return undefined;
}

async function resolve(
	entry: AuthEntry,
	variables: Environment["variables"],
	signal: AbortSignal | undefined,
): Promise<Credentials | undefined> {
	return entry.kind === "helper" ? await askHelper(entry.helper, entry.server, variables, signal) : entry;
}

interface AuthPlace {
	readonly path: string;
	readonly legacy: boolean;
	/** Named by the user, so it has to be there. */
	readonly required: boolean;
}

/** Where credentials are looked for, first to last. */
export function authFiles({
	authFile,
	environment: { variables, home, systemRoot },
}: Pick<CredentialOptions, "authFile" | "environment">): AuthPlace[] {
	const named = authFile ?? (variables["REGISTRY_AUTH_FILE"] || undefined);
	if (named !== undefined) return [{ path: named, legacy: false, required: true }];
	const session = variables["XDG_RUNTIME_DIR"];
	const shared = join(systemRoot, "run/containers");
	const runtime = session ? join(session, "containers") : join(shared, String(process.getuid?.() ?? 0));
	const configuration = variables["XDG_CONFIG_HOME"] || join(home, ".config");
	const docker = variables["DOCKER_CONFIG"] || join(home, ".docker");
	return [
		...(session || !isClosed(shared) ? [{ path: join(runtime, "auth.json"), legacy: false, required: false }] : []),
		{ path: join(configuration, "containers/auth.json"), legacy: false, required: false },
		{ path: join(docker, "config.json"), legacy: false, required: false },
		{ path: join(home, ".dockercfg"), legacy: true, required: false },
	];
}

/** Another user's podman may have made a directory that all users share by its name, for itself. */
function isClosed(directory: string): boolean {
	try {
		accessSync(directory, constants.X_OK);
		return false;
	} catch (error) {
		return errnoOf(error) === "EACCES";
	}
}

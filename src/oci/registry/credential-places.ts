import { statSync } from "node:fs";
import { Oci2isoError } from "../../errors.ts";
import { parseAuthFile } from "./auth-file.ts";
import { loadRegistriesConf, readIfThere } from "./config-files.ts";
import { authFiles } from "./credentials.ts";
import type { Environment } from "./options.ts";

/** What a file with credentials is for; nothing secret of it. */
export interface CredentialPlace {
	readonly path: string;
	/** Registries and namespaces that it has something for. */
	readonly registries: readonly string[];
	/** Programs that are asked for the others. */
	readonly helpers: readonly string[];
	/** Whether users other than its owner may read it. */
	readonly isExposed: boolean;
}

/** The files that builds would look into, in their order, where they are there; an error where one cannot be used. */
export async function credentialPlaces(environment: Environment): Promise<readonly (CredentialPlace | Oci2isoError)[]> {
	const places: (CredentialPlace | Oci2isoError)[] = [];
	for (const { path, legacy, required } of authFiles({ authFile: undefined, environment })) {
		const place = await whatIsIn(path, legacy).catch(asFault);
		if (place !== undefined) places.push(place);
		else if (required) {
			const what = "there is no such file with credentials";
			places.push(new Oci2isoError({ code: "AUTH_FILE_INVALID", kind: "registry", what, where: path }));
		}
	}
	return places;
}

/** Why registries.conf cannot be used, where that is so. */
export async function registriesConfFault(environment: Environment): Promise<Oci2isoError | undefined> {
	return await loadRegistriesConf(environment).then(() => undefined, asFault);
}

async function whatIsIn(path: string, legacy: boolean): Promise<CredentialPlace | undefined> {
	const text = await readIfThere(path);
	if (text === undefined) return undefined;
	const { auths, credHelpers, credsStore } = parseAuthFile(text, path, legacy);
	const registries = [...Object.keys(auths ?? {}), ...Object.keys(credHelpers ?? {})].map(withoutUser);
	const helpers = [...Object.values(credHelpers ?? {}), credsStore ?? ""].filter((name) => name !== "");
	return {
		path,
		registries: [...new Set(registries)].sort(),
		helpers: [...new Set(helpers)].sort(),
		isExposed: (statSync(path).mode & 0o077) !== 0,
	};
}

/** Keys can be URLs, and these can have more in them than a name. */
function withoutUser(key: string): string {
	return key.slice(key.lastIndexOf("@") + 1).split(/[?#]/, 1)[0] ?? "";
}

function asFault(error: unknown): Oci2isoError {
	if (error instanceof Oci2isoError) return error;
	throw error;
}

import { join } from "node:path";
import { Oci2isoError, throwIfAborted } from "../errors.ts";
import type { ImageSource } from "./blob-source.ts";
import { parseReference } from "./reference.ts";
import { readIfThere } from "./registry/config-files.ts";
import { type Environment, hostEnvironment } from "./registry/options.ts";
import { parseStorageReference, parseStoredName } from "./storage/storage-reference.ts";
import { rootlessUserId } from "./storage/store-places.ts";

interface LocalOptions {
	readonly environment?: Environment | undefined;
	readonly signal?: AbortSignal | undefined;
}

/**
 * What a bare `localhost/NAME` names first: podman and buildah call so what they build. `source` is the image in their store, `missing` says where it is not; neither for all other
 * references. Throws `Oci2isoError` as `storageSource` where the store cannot be read.
 */
export async function openLocalhost(
	text: string,
	options: LocalOptions,
): Promise<{ readonly source?: ImageSource; readonly missing?: Oci2isoError }> {
	if (!text.startsWith("localhost/")) return {};
	const { storageSource } = await import("./storage/storage-source.ts");
	try {
		const source = await storageSource(parseStorageReference(text), options);
		const note = `${text} was taken from podman's store; docker://${text} is the one of a registry at localhost`;
		return {
			source: {
				...source,
				get notes() {
					return [note, ...source.notes];
				},
			},
		};
	} catch (error) {
		if (!(error instanceof Oci2isoError) || error.code !== "IMAGE_NOT_FOUND") throw error;
		return { missing: error };
	}
}

/** A registry's failure, with where podman has an image of that name or has it not. `missing` is of `openLocalhost`. */
export async function withLocalHint(
	error: unknown,
	text: string,
	missing: Oci2isoError | undefined,
	options: LocalOptions,
): Promise<unknown> {
	if (!(error instanceof Oci2isoError) || error.kind !== "registry") return error;
	const hint = await hintOf(text, missing, options);
	if (hint === undefined) return error;
	const { code, kind, where, expected, problems } = error;
	const what =
		missing !== undefined && code === "REGISTRY_UNREACHABLE"
			? `${missing.what}, and no registry answers at localhost`
			: error.what;
	const remedy = [hint, error.remedy].filter((part) => part !== undefined).join("; ");
	return new Oci2isoError({ code, kind, what, where, expected, remedy, problems, cause: error });
}

async function hintOf(
	text: string,
	missing: Oci2isoError | undefined,
	options: LocalOptions,
): Promise<string | undefined> {
	if (text.startsWith("docker://localhost/"))
		return `localhost is a registry here; what podman built is containers-storage:${text.slice("docker://".length)}`;
	if (text.startsWith("docker://") || parseReference(text).transport !== "docker") return undefined;
	const found = await placeOf(text, options);
	if (found !== undefined || missing === undefined) return found;
	return `it is not in podman's store either (${missing.where}): ${missing.remedy}; what docker built is docker-daemon:${text}`;
}

/** Of the stores that this user may see. */
async function placeOf(
	text: string,
	{ environment = hostEnvironment(), signal }: LocalOptions,
): Promise<string | undefined> {
	const { findInStore } = await import("./storage/storage-source.ts");
	for (const store of await storesOf(text, environment)) {
		try {
			const source = await findInStore(parseStoredName(text), { environment: store.environment, signal });
			await source?.close();
			if (source !== undefined) return store.hint;
		} catch {
			// what is wrong with a store is not what was asked
			throwIfAborted(signal);
		}
	}
	return undefined;
}

interface OwnedStore {
	readonly environment: Environment;
	readonly hint: string;
}

async function storesOf(text: string, environment: Environment): Promise<OwnedStore[]> {
	const { systemRoot, variables } = environment;
	const own = { environment, hint: `podman's store has it: containers-storage:${text}` };
	const ownerOf = (userId: string, home: string): Environment => ({
		variables: { _CONTAINERS_ROOTLESS_UID: userId },
		home,
		systemRoot,
	});
	if (rootlessUserId(variables) !== 0)
		return [
			own,
			{ environment: ownerOf("0", join(systemRoot, "root")), hint: "root's podman has it: run it with sudo" },
		];
	const userId = variables["SUDO_UID"];
	const home = userId === undefined ? undefined : await homeOf(userId, systemRoot);
	if (userId === undefined || home === undefined) return [own];
	const hint = `${variables["SUDO_USER"] ?? userId}'s podman has it, not root's: podman unshare oci2iso, without sudo`;
	return [own, { environment: ownerOf(userId, home), hint }];
}

/** passwd(5) */
async function homeOf(userId: string, systemRoot: string): Promise<string | undefined> {
	const lines = (await readIfThere(join(systemRoot, "etc/passwd")))?.split("\n") ?? [];
	return lines.map((line) => line.split(":")).find((fields) => fields[2] === userId)?.[5];
}

import type { Stats } from "node:fs";
import { stat } from "node:fs/promises";
import { Oci2isoError } from "../errors.ts";
import { isIso9660 } from "../formats/iso9660/is-iso9660.ts";
import { FileSource } from "./file-region.ts";
import { openArchiveFile, openDirectory } from "./file-store.ts";

/**
 * For a reference without a transport, which names an image in a registry: where it is the path of an image on this machine, or can be nothing but a path, throws
 * `Oci2isoError` REFERENCE_IS_PATH (exit 2) with the reference that was meant.
 */
export async function refusePath(text: string): Promise<void> {
	if (
		/^(oci|oci-archive|docker-archive|dir|docker|containers-storage|docker-daemon|podman|ostree|sif|tarball):/.test(
			text,
		)
	)
		return;
	const isPath = /^(\.{0,2}\/|\.{1,2}$|~|-$)/.test(text) || /\.(tar|tgz|tar\.\w+|oci|ociarchive|iso)$/.test(text);
	const [path = text, tag] = /^(.*[^:/]):([^:/]+)$/.exec(text)?.slice(1) ?? [];
	const transport = (await transportOf(text)) ?? (tag === undefined ? undefined : await transportOf(path));
	if (transport === undefined) await refuseIso(text);
	if (transport === undefined && !isPath) return;
	const status = await statusOf(text);
	const isFile = text === "-" || (status !== undefined && !status.isDirectory());
	throw new Oci2isoError({
		code: "REFERENCE_IS_PATH",
		kind: "usage",
		what:
			transport !== undefined || isFile || status !== undefined
				? "a path has the transport before it"
				: "it looks like a path, and there is no such file",
		where: text,
		remedy:
			transport !== undefined
				? `give ${transport}:${text}${isPath ? "" : `, or docker://${text} for the registry's`}`
				: isFile
					? `give oci-archive:${text} or docker-archive:${text}`
					: text.endsWith(".iso") && status === undefined
						? `an ISO is made of an image: give that, and -o ${text}`
						: "give oci:DIR, dir:DIR, oci-archive:FILE or docker-archive:FILE",
	});
}

/** Throws `Oci2isoError` REFERENCE_IS_ISO (exit 2) where `path` is an ISO; what it is otherwise, and whether it can be read, others say. */
export async function refuseIso(path: string): Promise<void> {
	const status = await statusOf(path);
	if (status?.isFile() !== true) return;
	const file = await FileSource.open(path, status.size).catch(() => undefined);
	const isIso = file !== undefined && (await isIso9660(file).catch(() => false));
	await file?.close();
	if (!isIso) return;
	throw new Oci2isoError({
		code: "REFERENCE_IS_ISO",
		kind: "usage",
		what: "it is an ISO, and no image",
		where: path,
		remedy: `oci2iso verify ${path} reads it back; build makes one of an image`,
	});
}

/** What would read it; undefined where nothing would. */
async function transportOf(path: string): Promise<string | undefined> {
	const status = await statusOf(path);
	if (status === undefined) return undefined;
	try {
		if (status.isDirectory()) {
			const store = await openDirectory(path);
			if ((await store.find("index.json")) !== undefined) return "oci";
			return (await store.find("manifest.json")) === undefined ? undefined : "dir";
		}
		if (!status.isFile()) return undefined;
		const store = await openArchiveFile(path, status.size);
		if ((await store.find("index.json")) !== undefined && (await store.find("oci-layout")) !== undefined)
			return (await store.find("manifest.json")) === undefined ? "oci-archive" : "docker-archive";
		return (await store.find("manifest.json")) === undefined ? undefined : "docker-archive";
	} catch {
		return undefined;
	}
}

async function statusOf(path: string): Promise<Stats | undefined> {
	return await stat(path).catch(() => undefined);
}

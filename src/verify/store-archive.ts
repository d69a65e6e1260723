import { displayName } from "../binary/byte-string.ts";
import type { Contents } from "../content/contents.ts";
import { throwIfAborted } from "../errors.ts";
import { type Digest, Digester, digestAlgorithm } from "../oci/digest.ts";
import { readTarSplit } from "../oci/storage/tar-split.ts";
import type { RootDirectory, RootFile } from "../rootfs/root-inode.ts";
import { entryAt, storeInvalid } from "./container-store.ts";

interface ArchiveParts {
	readonly contents: Contents;
	readonly tarSplit: RootFile;
	readonly diff: RootDirectory;
	readonly diffId: Digest;
	/** Of errors. */
	readonly where: string;
}

/**
 * A layer's archive, made again of its tar-split and its files. Throws at its end where it has not the digest; and `Oci2isoError` STORE_INVALID (exit 5), and as
 * `Contents.read` and `readTarSplit`.
 */
export async function* storeArchive(
	{ contents, tarSplit, diff, diffId, where }: ArchiveParts,
	signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
	const digester = new Digester(digestAlgorithm(diffId));
	const seen = new Set<string>();
	for await (const entries of readTarSplit(contents.read(tarSplit.layout), where))
		for (const entry of entries) {
			throwIfAborted(signal);
			if (entry.kind === "bytes") {
				const bytes = Buffer.from(entry.base64, "base64");
				digester.update(bytes);
				yield bytes;
				continue;
			}
			const path = entry.path
				.split("/")
				.filter((name) => name !== "" && name !== ".")
				.join("/");
			const file = entryAt(diff, path);
			if (file?.type !== "file" || file.byteLength !== entry.byteLength || seen.has(path))
				throw storeInvalid(
					"the tar-split names a file that is not there, or another",
					`${where}, ${displayName(path)}`,
				);
			seen.add(path);
			for await (const bytes of contents.read(file.layout)) {
				digester.update(bytes);
				yield bytes;
			}
		}
	const digest = digester.finish();
	if (digest !== diffId) throw storeInvalid(`the layer's archive has the digest ${digest}`, where, diffId);
}

import { createCipheriv, createHash } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { type BlobDescriptor, blobPath, named, OCI_MEDIA_TYPES, writeIndexFile, writeJson } from "./oci-layout.ts";

interface Manifest {
	readonly config: BlobDescriptor;
	readonly layers: readonly BlobDescriptor[];
}

/**
 * A copy of the image `latest` of an OCI layout with one more, uncompressed layer, whose bytes `write` streams. Blobs are hard-linked, so
 * both directories lie on one file system.
 */
export async function withExtraLayer(
	base: string,
	directory: string,
	write: (append: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<string> {
	const json = <T>(digest: string): T =>
		JSON.parse(readFileSync(join(base, "blobs", digest.replace(":", "/")), "utf8")) as T;
	const index = JSON.parse(readFileSync(join(base, "index.json"), "utf8")) as { manifests: BlobDescriptor[] };
	const manifest = json<Manifest>(index.manifests[0]?.digest ?? "");
	const config = json<{ rootfs: { type: string; diff_ids: string[] } }>(manifest.config.digest);
	mkdirSync(join(directory, "blobs", "sha256"), { recursive: true });
	for (const { digest } of manifest.layers) linkSync(blobPath(base, digest), blobPath(directory, digest));
	const layer = await streamBlob(directory, write);
	const newConfig = writeJson(directory, OCI_MEDIA_TYPES.config, {
		...config,
		rootfs: { type: "layers", diff_ids: [...config.rootfs.diff_ids, layer.digest] },
		history: undefined,
	});
	const newManifest = writeJson(directory, OCI_MEDIA_TYPES.manifest, {
		schemaVersion: 2,
		mediaType: OCI_MEDIA_TYPES.manifest,
		config: newConfig,
		layers: [...manifest.layers, layer],
	});
	writeIndexFile(directory, [named(newManifest, "latest")]);
	return `oci:${directory}:latest`;
}

async function streamBlob(
	directory: string,
	write: (append: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<BlobDescriptor> {
	const path = join(directory, "layer.partial");
	const hash = createHash("sha256");
	let size = 0;
	const file: FileHandle = await open(path, "w");
	try {
		await write(async (bytes) => {
			hash.update(bytes);
			size += bytes.byteLength;
			await file.write(bytes);
		});
	} finally {
		await file.close();
	}
	const digest = `sha256:${hash.digest("hex")}` as const;
	renameSync(path, blobPath(directory, digest));
	return { mediaType: OCI_MEDIA_TYPES.layer.none, digest, size };
}

/** Bytes that no compressor shrinks, the same every time: the key stream of AES in counter mode. `seed` is 0 to 255. */
export function* incompressible(byteLength: number, seed: number): Generator<Buffer> {
	const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, seed), Buffer.alloc(16));
	const zeros = Buffer.alloc(4 * 1024 * 1024);
	for (let rest = byteLength; rest > 0; ) {
		const length = Math.min(rest, zeros.byteLength);
		yield cipher.update(zeros.subarray(0, length));
		rest -= length;
	}
}

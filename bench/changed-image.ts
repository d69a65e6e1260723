import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";

interface Descriptor {
	readonly mediaType: string;
	readonly digest: string;
	readonly size: number;
}

/** Bytes of one file of the new layer. */
const FILE_BYTES = 50_000;
const GZIP_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

/**
 * Copies a layout with a layer more on top, of `byteLength` bytes of files that do not compress and differ from version to version; returns the
 * size of that layer's blob.
 */
export async function addLayer(layout: string, copy: string, byteLength: number, version = ""): Promise<number> {
	rmSync(copy, { recursive: true, force: true });
	mkdirSync(copy, { recursive: true });
	cpSync(layout, copy, { recursive: true, dereference: true });
	const read = <T>({ digest }: { readonly digest: string }): T =>
		JSON.parse(readFileSync(blobPath(copy, digest), "utf8")) as T;
	const index = JSON.parse(readFileSync(join(copy, "index.json"), "utf8")) as { manifests: Descriptor[] };
	const [entry] = index.manifests;
	if (entry === undefined) throw new Error(`${layout}: index.json names no image`);
	const manifest = read<{ config: Descriptor; layers: Descriptor[] }>(entry);
	const config = read<{ rootfs: { diff_ids: string[] }; history?: object[] }>(manifest.config);
	const tar = await noiseArchive(byteLength, version);
	const layer = write(copy, gzipSync(tar), GZIP_LAYER);
	config.rootfs.diff_ids.push(digestOf(tar));
	config.history?.push({ created_by: "one layer more" });
	const newConfig = write(copy, Buffer.from(JSON.stringify(config)), manifest.config.mediaType);
	const document = { ...manifest, config: newConfig, layers: [...manifest.layers, layer] };
	const newManifest = write(copy, Buffer.from(JSON.stringify(document)), entry.mediaType);
	writeFileSync(join(copy, "index.json"), JSON.stringify({ ...index, manifests: [{ ...entry, ...newManifest }] }));
	return layer.size;
}

async function noiseArchive(byteLength: number, version: string): Promise<Buffer> {
	const archive = pack();
	for (let i = 0; i * FILE_BYTES < byteLength; i++) {
		const seed = createHash("sha256").update(`changed file ${i}${version}`).digest();
		const pieces = Array.from({ length: Math.ceil(FILE_BYTES / 32) }, (_, at) =>
			createHash("sha256").update(seed).update(String(at)).digest(),
		);
		archive.entry(
			{ name: `usr/share/changed/${i}`, mtime: new Date(0) },
			Buffer.concat(pieces).subarray(0, FILE_BYTES),
		);
	}
	archive.finalize();
	const chunks: Buffer[] = [];
	for await (const chunk of archive) chunks.push(Buffer.from(chunk as Uint8Array));
	return Buffer.concat(chunks);
}

function write(layout: string, bytes: Buffer, mediaType: string): Descriptor {
	const digest = digestOf(bytes);
	writeFileSync(blobPath(layout, digest), bytes);
	return { mediaType, digest, size: bytes.byteLength };
}

function blobPath(layout: string, digest: string): string {
	return join(layout, "blobs", digest.replace(":", "/"));
}

function digestOf(bytes: Uint8Array): string {
	return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

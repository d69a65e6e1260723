import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { digestOf } from "../src/oci/digest.ts";
import { copyLayout } from "./layout-copy.ts";

/** Bytes of one file of the new layer. */
const FILE_BYTES = 50_000;

/**
 * Copies a layout with a layer more on top, of `byteLength` bytes of files that do not compress and differ from version to version; returns the
 * size of that layer's blob.
 */
export async function addLayer(layout: string, copy: string, byteLength: number, version = ""): Promise<number> {
	const image = copyLayout(layout, copy);
	const tar = await noiseArchive(byteLength, version);
	const blob = gzipSync(tar);
	const digest = digestOf(blob);
	writeFileSync(image.blobPath(digest), blob);
	image.addLayer({ digest, size: blob.byteLength }, digestOf(tar));
	image.save();
	return blob.byteLength;
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

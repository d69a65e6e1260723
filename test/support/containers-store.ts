import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import type { ArchiveEntry } from "./oci-archive.ts";
import { tarOf } from "./oci-archive.ts";

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

const checksums = new Map<string, string>();

/** CRC-64 of ISO 3309, bit by bit, as tar-split writes it: 8 bytes in base64. */
function crc64(bytes: Uint8Array): string {
	const known = checksums.get(sha256(bytes));
	if (known !== undefined) return known;
	let crc = 0xffff_ffff_ffff_ffffn;
	for (const byte of bytes) {
		crc ^= BigInt(byte);
		for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ ((crc & 1n) * 0xd800_0000_0000_0000n);
	}
	const result = Buffer.alloc(8);
	result.writeBigUInt64BE(crc ^ 0xffff_ffff_ffff_ffffn);
	const text = result.toString("base64");
	checksums.set(sha256(bytes), text);
	return text;
}

/** Lines of tar-split for an archive of ustar headers only. */
function tarSplitOf(archive: Buffer): Record<string, unknown>[] {
	const lines: Record<string, unknown>[] = [];
	let start = 0;
	for (let at = 0; archive[at] !== 0 && at < archive.byteLength; ) {
		const name = archive.toString("utf8", at, archive.indexOf(0, at));
		const size = Number.parseInt(archive.toString("latin1", at + 124, at + 135), 8);
		at += 512;
		lines.push({ type: 2, payload: archive.toString("base64", start, at), position: lines.length });
		const body = archive.subarray(at, at + size);
		lines.push({
			type: 1,
			name,
			...(size > 0 ? { size } : {}),
			payload: size > 0 ? crc64(body) : null,
			position: lines.length,
		});
		start = at + size;
		at += Math.ceil(size / 512) * 512;
	}
	return [...lines, { type: 2, payload: archive.toString("base64", start), position: lines.length }];
}

export const gzippedLines = (lines: readonly unknown[]): Buffer =>
	gzipSync(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));

export interface WrittenStore {
	readonly root: string;
	readonly imageId: string;
	readonly manifestDigest: `sha256:${string}`;
	/** Bottom first. */
	readonly layers: readonly {
		readonly id: string;
		readonly diffId: string;
		readonly tarSplit: string;
		readonly contents: string;
	}[];
	/** Changes images.json or layers.json. */
	edit(list: "images" | "layers", change: (entries: Record<string, unknown>[]) => unknown): void;
}

/** A store as podman leaves it after it has pulled an image of these layers (bottom first); each has its own files only, whatever the driver. */
export async function writeStore(
	root: string,
	driver: "overlay" | "vfs",
	layers: readonly (readonly ArchiveEntry[])[],
	names: readonly string[] = ["localhost/image:1"],
): Promise<WrittenStore> {
	const put = (path: string, bytes: Uint8Array | string): string => {
		mkdirSync(dirname(join(root, path)), { recursive: true });
		writeFileSync(join(root, path), bytes);
		return join(root, path);
	};
	const written: WrittenStore["layers"][number][] = [];
	const records: Record<string, unknown>[] = [];
	for (const entries of layers) {
		const archive = await tarOf(entries);
		const hex = sha256(archive);
		const parent: string | undefined = written.at(-1)?.id;
		const id: string = parent === undefined ? hex : sha256(Buffer.from(`${parent} ${hex}`));
		const inner = driver === "vfs" ? `vfs/dir/${id}` : `overlay/${id}/diff`;
		mkdirSync(join(root, inner), { recursive: true });
		for (const entry of entries) if ("bytes" in entry) put(join(inner, entry.name), entry.bytes);
		const tarSplit = put(`${driver}-layers/${id}.tar-split.gz`, gzippedLines(tarSplitOf(archive)));
		records.push({
			id,
			parent,
			created: "2024-01-01T00:00:00Z",
			"diff-digest": `sha256:${hex}`,
			"diff-size": archive.byteLength,
			compression: 2,
		});
		written.push({ id, diffId: `sha256:${hex}`, tarSplit, contents: join(root, inner) });
	}
	put(`${driver}-layers/layers.json`, JSON.stringify(records));
	put(`${driver}-layers/layers.lock`, "");
	const config = JSON.stringify({
		architecture: "amd64",
		os: "linux",
		rootfs: { type: "layers", diff_ids: written.map(({ diffId }) => diffId) },
	});
	const imageId = sha256(Buffer.from(config));
	const manifest = JSON.stringify({
		schemaVersion: 2,
		mediaType: "application/vnd.oci.image.manifest.v1+json",
		config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: `sha256:${imageId}`, size: config.length },
		// of the blobs that were pulled, which are gone
		layers: written.map(({ diffId }) => ({
			mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
			digest: `sha256:${sha256(Buffer.from(diffId))}`,
			size: 1000,
		})),
	});
	const manifestDigest: `sha256:${string}` = `sha256:${sha256(Buffer.from(manifest))}`;
	const documents: Readonly<Record<string, string>> = {
		manifest,
		[`manifest-${manifestDigest}`]: manifest,
		[`sha256:${imageId}`]: config,
	};
	for (const [key, text] of Object.entries(documents))
		put(join(`${driver}-images`, imageId, key === "manifest" ? key : `=${Buffer.from(key).toString("base64")}`), text);
	const image = {
		id: imageId,
		digest: manifestDigest,
		names,
		layer: written.at(-1)?.id,
		"big-data-names": Object.keys(documents),
		"big-data-digests": Object.fromEntries(
			Object.entries(documents).map(([key, text]) => [key, `sha256:${sha256(Buffer.from(text))}`]),
		),
	};
	put(`${driver}-images/images.json`, JSON.stringify([image]));
	put(`${driver}-images/images.lock`, "");
	return {
		root,
		imageId,
		manifestDigest,
		layers: written,
		edit(list, change) {
			const path = join(root, `${driver}-${list}`, `${list}.json`);
			const entries = JSON.parse(readFileSync(path, "utf8"));
			writeFileSync(path, JSON.stringify(change(entries) ?? entries));
		},
	};
}

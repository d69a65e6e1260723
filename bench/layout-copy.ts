import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../src/oci/digest.ts";
import { OCI_MEDIA_TYPES } from "../test/support/oci-layout.ts";

export interface Descriptor {
	readonly mediaType: string;
	readonly digest: string;
	readonly size: number;
}

export const GZIP_LAYER = OCI_MEDIA_TYPES.layer.gzip;

/** A copy of an OCI layout's first image, to which layers are added. */
export interface LayoutCopy {
	/** The layers of the image as it was, the bottom one first. */
	readonly layers: readonly Descriptor[];
	/** Where the blob with that digest is, or goes. */
	blobPath(digest: string): string;
	/** Adds a layer on top, whose gzip blob is in its place. */
	addLayer(blob: { readonly digest: string; readonly size: number }, diffId: string): void;
	/** Takes the top layer of the image as it was away. */
	dropTopLayer(): void;
	/** Writes configuration, manifest and index. */
	save(): void;
}

/** Copies a layout to the directory `copy`, which is emptied. Throws an `Error` where it has no image. */
export function copyLayout(layout: string, copy: string): LayoutCopy {
	rmSync(copy, { recursive: true, force: true });
	mkdirSync(copy, { recursive: true });
	cpSync(layout, copy, { recursive: true, dereference: true });
	const blobPath = (digest: string): string => join(copy, "blobs", digest.replace(":", "/"));
	const read = <T>({ digest }: Descriptor): T => JSON.parse(readFileSync(blobPath(digest), "utf8")) as T;
	const write = (document: object, mediaType: string): Descriptor => {
		const bytes = Buffer.from(JSON.stringify(document));
		const digest = digestOf(bytes);
		writeFileSync(blobPath(digest), bytes);
		return { mediaType, digest, size: bytes.byteLength };
	};
	const index = JSON.parse(readFileSync(join(copy, "index.json"), "utf8")) as { manifests: Descriptor[] };
	const [entry] = index.manifests;
	if (entry === undefined) throw new Error(`${layout}: index.json names no image`);
	const manifest = read<{ config: Descriptor; layers: Descriptor[] }>(entry);
	const config = read<{ rootfs: { diff_ids: string[] }; history?: object[] }>(manifest.config);
	const added: Descriptor[] = [];
	return {
		layers: manifest.layers,
		blobPath,
		addLayer({ digest, size }, diffId) {
			added.push({ mediaType: GZIP_LAYER, digest, size });
			config.rootfs.diff_ids.push(diffId);
			config.history?.push({ created_by: "one layer more" });
		},
		dropTopLayer() {
			manifest.layers.pop();
			config.rootfs.diff_ids.pop();
			// which steps made no layer is of no use to anybody here
			delete config.history;
		},
		save() {
			const layers = [...manifest.layers, ...added];
			const document = { ...manifest, config: write(config, manifest.config.mediaType), layers };
			const manifests = [{ ...entry, ...write(document, entry.mediaType) }];
			writeFileSync(join(copy, "index.json"), JSON.stringify({ ...index, manifests }));
		},
	};
}

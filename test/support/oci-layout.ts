import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Digest, digestAlgorithm, digestHex, digestOf } from "../../src/oci/digest.ts";
import { zstdStored } from "./zstd-stored.ts";

export interface LayoutLayer {
	/** The uncompressed archive; its digest becomes the diffID. */
	readonly tar: Uint8Array;
	readonly compression: "none" | "gzip" | "zstd";
	/** Absent: OCI's media type for the compression. */
	readonly mediaType?: string;
	/** What is stored instead of the compressed archive. */
	readonly blob?: Uint8Array;
	/** Of the layer's descriptor. */
	readonly annotations?: Readonly<Record<string, string>>;
}

export interface LayoutOptions {
	/** Bottom first. */
	readonly layers: readonly LayoutLayer[];
	/** `OS/ARCHITECTURE[/VARIANT]`; absent: linux/amd64. */
	readonly platform?: string;
	/** Replaces top-level fields of the image configuration. */
	readonly config?: Readonly<Record<string, unknown>>;
	/** Replaces top-level fields of the manifest. */
	readonly manifest?: Readonly<Record<string, unknown>>;
	/** Absent: "latest"; null: an entry without a name. */
	readonly tag?: string | null;
}

export interface BlobDescriptor {
	readonly mediaType: string;
	readonly digest: Digest;
	readonly size: number;
	readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
	readonly annotations?: Readonly<Record<string, string>>;
}

export interface WrittenImage {
	readonly manifest: BlobDescriptor;
	readonly config: BlobDescriptor;
	readonly layers: readonly BlobDescriptor[];
	readonly diffIds: readonly Digest[];
}

export interface WrittenLayout extends WrittenImage {
	/** `oci:DIR:TAG`, or `oci:DIR` where there is no tag. */
	readonly reference: string;
	readonly manifestDigest: Digest;
}

export const OCI_MEDIA_TYPES = {
	index: "application/vnd.oci.image.index.v1+json",
	manifest: "application/vnd.oci.image.manifest.v1+json",
	config: "application/vnd.oci.image.config.v1+json",
	layer: {
		none: "application/vnd.oci.image.layer.v1.tar",
		gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
		zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
	},
} as const;

/** Writes a whole OCI image layout with one image into `directory`, which is made when absent. Deterministic. */
export function writeOciLayout(directory: string, options: LayoutOptions): WrittenLayout {
	const image = writeImage(directory, options);
	const tag = options.tag === undefined ? "latest" : options.tag;
	writeIndexFile(directory, [tag === null ? image.manifest : named(image.manifest, tag)]);
	return {
		...image,
		reference: tag === null ? `oci:${directory}` : `oci:${directory}:${tag}`,
		manifestDigest: image.manifest.digest,
	};
}

/** Writes an image's blobs, without an entry in index.json. */
export function writeImage(directory: string, options: LayoutOptions): WrittenImage {
	const [os = "linux", architecture = "amd64", variant] = (options.platform ?? "linux/amd64").split("/");
	const diffIds = options.layers.map(({ tar }) => digestOf(tar));
	const layers = options.layers.map(({ tar, compression, mediaType, blob, annotations }) => ({
		...writeBlob(directory, blob ?? compress(tar, compression), mediaType ?? OCI_MEDIA_TYPES.layer[compression]),
		...(annotations === undefined ? {} : { annotations }),
	}));
	const config = writeJson(directory, OCI_MEDIA_TYPES.config, {
		created: "2024-02-03T04:05:06Z",
		architecture,
		os,
		...(variant === undefined ? {} : { variant }),
		config: {},
		rootfs: { type: "layers", diff_ids: diffIds },
		history: diffIds.map(() => ({ created: "2024-02-03T04:05:06Z" })),
		...options.config,
	});
	const manifest = writeJson(directory, OCI_MEDIA_TYPES.manifest, {
		schemaVersion: 2,
		mediaType: OCI_MEDIA_TYPES.manifest,
		config,
		layers,
		...options.manifest,
	});
	const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
	return { manifest: { ...manifest, platform }, config, layers, diffIds };
}

/** Writes index.json and the oci-layout marker. */
export function writeIndexFile(directory: string, manifests: readonly BlobDescriptor[]): void {
	mkdirSync(directory, { recursive: true });
	writeFileSync(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
	const index = { schemaVersion: 2, mediaType: OCI_MEDIA_TYPES.index, manifests };
	writeFileSync(join(directory, "index.json"), JSON.stringify(index));
}

/** Writes an image index as a blob. */
export function writeIndex(directory: string, manifests: readonly BlobDescriptor[]): BlobDescriptor {
	const document = { schemaVersion: 2, mediaType: OCI_MEDIA_TYPES.index, manifests };
	return writeJson(directory, OCI_MEDIA_TYPES.index, document);
}

export function writeJson(directory: string, mediaType: string, document: unknown): BlobDescriptor {
	return writeBlob(directory, Buffer.from(JSON.stringify(document)), mediaType);
}

export function writeBlob(directory: string, bytes: Uint8Array, mediaType: string): BlobDescriptor {
	const digest = digestOf(bytes);
	mkdirSync(join(directory, "blobs", digestAlgorithm(digest)), { recursive: true });
	writeFileSync(blobPath(directory, digest), bytes);
	return { mediaType, digest, size: bytes.byteLength };
}

export function blobPath(directory: string, digest: Digest): string {
	return join(directory, "blobs", digestAlgorithm(digest), digestHex(digest));
}

export function named(descriptor: BlobDescriptor, tag: string): BlobDescriptor {
	return { ...descriptor, annotations: { ...descriptor.annotations, "org.opencontainers.image.ref.name": tag } };
}

function compress(tar: Uint8Array, compression: LayoutLayer["compression"]): Uint8Array {
	if (compression === "none") return tar;
	return compression === "gzip" ? gzipSync(tar) : zstdStored(tar);
}

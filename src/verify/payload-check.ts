import type { ByteSource } from "../binary/byte-source.ts";
import { displayName } from "../binary/byte-string.ts";
import { ISO_PATHS } from "../boot/iso-paths.ts";
import { throwIfAborted } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import { findNode, type VolumeDirectory, type VolumeFile } from "../formats/iso9660/volume.ts";
import type { MediumFile } from "../medium/medium-file.ts";
import { type Descriptor, refNameOf } from "../oci/descriptor.ts";
import { type Digest, type DigestAlgorithm, Digester, isDigest } from "../oci/digest.ts";
import { MAX_DOCUMENT_BYTES, parseDocument } from "../oci/json-document.ts";
import { indexSchema, parseManifest } from "../oci/manifest.ts";
import type { PayloadFormat } from "../payload/payload-names.ts";
import { fileSource, nodesOf, readVolumeFile, streamOf } from "./medium-files.ts";

/** An image that the medium should carry, and what it is called there. */
export interface ExpectedPayload {
	readonly name: string;
	readonly manifestDigest: Digest;
}

/** What should be there of a format: where it is nothing, images were asked for in the other one. */
export function expectedImages({ length }: readonly ExpectedPayload[], format: PayloadFormat): string {
	return length === 0 ? `none, or --payload-format ${format}` : `${length}, as asked for`;
}

const WHERE = `/${ISO_PATHS.payloadLayout}`;
const MARKS = ["oci-layout", "index.json"];

/** Files below the place of images to install. */
export function payloadFilesOn(source: ByteSource, root: VolumeDirectory): MediumFile[] {
	return [...layoutFiles(root)].map(([name, file]) => {
		const path = `${ISO_PATHS.payloadLayout}/${name}`;
		const { byteLength, stream } = streamOf(fileSource(source, file, path));
		return { path, byteLength, contentKey: path, stream: () => stream() };
	});
}

/**
 * An image layout on the medium (OCI image-spec image-layout.md): every blob has its digest, every image all of its blobs, and no file is without one. With
 * `expected`, its images are these and no others.
 */
export async function checkPayload(
	source: ByteSource,
	root: VolumeDirectory,
	expected: readonly ExpectedPayload[] | undefined,
	findings: Findings,
	signal?: AbortSignal,
): Promise<void> {
	const files = layoutFiles(root);
	if (files.size === 0) {
		for (const { name } of expected ?? []) findings.fault(`the image ${name} is not on the medium`, WHERE);
		findings.detail = "none";
		return;
	}
	const blobs = await digestBlobs(source, files, findings, signal);
	const index = files.get("index.json");
	if (index === undefined || !files.has("oci-layout")) {
		findings.fault("it is no image layout", WHERE, "index.json and oci-layout");
		return;
	}
	const read = (file: VolumeFile, path: string): Promise<Buffer> =>
		readVolumeFile(source, file, MAX_DOCUMENT_BYTES, `${WHERE}/${path}`);
	const origin = { code: "LAYOUT_INVALID", name: "index.json", where: WHERE };
	const { manifests } = parseDocument(await read(index, "index.json"), indexSchema, origin);
	const used = new Set<string>();
	const isWhole = ({ digest, size }: Descriptor, where: string): VolumeFile | undefined => {
		used.add(digest);
		const file = blobs.get(digest);
		if (file === undefined) findings.fault(`the blob ${digest} is missing or damaged`, where);
		else if (file.byteLength !== size)
			findings.fault(`the blob ${digest} has ${file.byteLength} bytes`, where, `${size}, as its descriptor says`);
		return file;
	};
	let byteLength = 0;
	for (const descriptor of manifests) {
		const where = `${WHERE}, ${displayName(refNameOf(descriptor) ?? descriptor.digest)}`;
		const file = isWhole(descriptor, where);
		if (file === undefined) continue;
		const manifest = parseManifest(await read(file, descriptor.digest), descriptor.digest, descriptor.mediaType);
		if (manifest.kind === "index") findings.fault("it is an index", where, "the manifest of one image");
		else for (const blob of [manifest.config, ...manifest.layers]) isWhole(blob, where);
	}
	for (const [digest, file] of blobs) {
		byteLength += file.byteLength;
		if (!used.has(digest)) findings.fault(`no image has the blob ${digest}`, WHERE);
	}
	const held = new Map(manifests.map((descriptor) => [refNameOf(descriptor), descriptor.digest]));
	for (const { name, manifestDigest } of expected ?? []) {
		const digest = held.get(name);
		if (digest !== manifestDigest)
			findings.fault(
				digest === undefined ? "the image is not there" : `it is ${digest}`,
				`${WHERE}, ${name}`,
				manifestDigest,
			);
	}
	if (expected !== undefined && held.size > expected.length)
		findings.fault(`it has ${held.size} images`, WHERE, expectedImages(expected, "oci"));
	findings.detail = `${[...held.keys()].map((name) => displayName(name ?? "?")).join(", ")}: ${byteLength} bytes of blobs`;
}

/** Whole ones, by their digests. */
async function digestBlobs(
	source: ByteSource,
	files: ReadonlyMap<string, VolumeFile>,
	findings: Findings,
	signal: AbortSignal | undefined,
): Promise<Map<string, VolumeFile>> {
	const blobs = new Map<string, VolumeFile>();
	for (const [path, file] of files) {
		if (MARKS.includes(path)) continue;
		const [, algorithm = "", hex = ""] = /^blobs\/(sha256|sha512)\/([0-9a-f]+)$/.exec(path) ?? [];
		const digest = `${algorithm}:${hex}`;
		if (!isDigest(digest)) {
			findings.fault("it is no part of an image layout", `${WHERE}/${displayName(path)}`);
			continue;
		}
		const digester = new Digester(algorithm as DigestAlgorithm);
		for await (const chunk of streamOf(fileSource(source, file, path)).stream()) {
			throwIfAborted(signal);
			digester.update(chunk);
		}
		const actual = digester.finish();
		if (actual === digest) blobs.set(digest, file);
		else findings.fault(`the blob has the digest ${actual}`, `${WHERE}/${path}`, digest);
	}
	return blobs;
}

/** By their paths in the layout. */
function layoutFiles(root: VolumeDirectory): Map<string, VolumeFile> {
	const node = findNode(root, ISO_PATHS.payloadLayout);
	if (node?.type !== "directory") return new Map();
	return new Map([...nodesOf(node)].flatMap(([path, each]) => (each.type === "file" ? [[path, each]] : [])));
}

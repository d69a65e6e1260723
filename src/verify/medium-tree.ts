import type { ByteSource } from "../binary/byte-source.ts";
import { type ByteString, displayName } from "../binary/byte-string.ts";
import { DigestMap } from "../binary/digest-map.ts";
import { inTurns, type Steps, Turns } from "../binary/turns.ts";
import { ISO_BLOCK_BYTES, MiB } from "../binary/units.ts";
import { corrupt } from "../errors.ts";
import type { VolumeDirectory, VolumeFile } from "../formats/iso9660/volume.ts";
import type { CheckedRoot } from "../rootfs/root-file-system.ts";
import type { RootFile } from "../rootfs/root-inode.ts";
import { createImageTree, type ImageTree } from "../tree/image-tree.ts";
import type { DirectoryInode, FileInode } from "../tree/inode.ts";
import { ContentDigest } from "./content-digest.ts";
import { nodesOf } from "./medium-files.ts";
import type { RootImage } from "./root-images.ts";

const CHUNK_BYTES = MiB;

/** What a medium holds, by content: its files beside the root file system, and those in it. */
export interface MediumContents {
	readonly source: ByteSource;
	/** By path; of every file but the root file system. */
	readonly digests: ReadonlyMap<ByteString, string>;
	readonly files: ReadonlyMap<string, VolumeFile>;
	/** Paths of the root file system: of the one that is looked at, and of what has its extents. */
	readonly rootPaths: ReadonlySet<ByteString>;
	readonly packed: PackedContents;
}

export interface PackedContents extends Pick<CheckedRoot, "contents" | "files"> {
	digestOf(file: RootFile): string | undefined;
}

/** Digests every file of the volume but the root file system, the first of `images`, and those that have contents in common with it; each extent once. */
export async function readMediumContents(
	source: ByteSource,
	root: VolumeDirectory,
	images: readonly Pick<RootImage, "path" | "file">[],
	packed: PackedContents,
	signal?: AbortSignal,
): Promise<MediumContents> {
	const digests = new Map<ByteString, string>();
	const files = new Map<string, VolumeFile>();
	const byPlace = new Map<string, string>();
	const rootPaths = new Set<ByteString>();
	const placeOf = ({ extents }: VolumeFile): string =>
		extents.map(({ block, byteLength }) => `${block}+${byteLength}`).join(" ");
	const [rootPlace, ...furtherPlaces] = images.map(({ file }) => placeOf(file));
	const turns = new Turns(signal);
	let bytesLeft = source.byteLength;
	for (const [path, node] of nodesOf(root)) {
		if (turns.areDue()) await turns.next();
		if (node.type !== "file") continue;
		const place = placeOf(node);
		if (place === rootPlace) {
			rootPaths.add(path);
			continue;
		}
		if (furtherPlaces.includes(place)) continue;
		let digest = byPlace.get(place);
		if (digest === undefined) {
			bytesLeft -= node.byteLength;
			if (bytesLeft < 0)
				throw corrupt("TOO_MUCH_CONTENT", "its files have more bytes than the medium", `/${displayName(path)}`);
			const content = new ContentDigest(node.byteLength);
			for await (const chunk of chunksOf(source, node)) content.update(chunk);
			digest = content.finish().toString("hex");
			byPlace.set(place, digest);
		}
		digests.set(path, digest);
		files.set(digest, node);
	}
	return { source, digests, files, rootPaths, packed };
}

/**
 * The image's tree with contents taken from the medium, found by the digest that the image's layers gave for them: what is read is the image's, or the
 * read fails with `Oci2isoError` CONTENT_NOT_ON_MEDIUM.
 */
export function mediumTree(
	root: DirectoryInode,
	digestOf: (file: FileInode) => string | undefined,
	{ source, files, packed }: MediumContents,
	signal?: AbortSignal,
): ImageTree {
	let packedFiles: Promise<DigestMap<RootFile>> | undefined;
	const contentOf = async (file: FileInode): Promise<AsyncIterable<Uint8Array>> => {
		const wanted = digestOf(file);
		const own = wanted === undefined ? undefined : files.get(wanted);
		if (own !== undefined) return chunksOf(source, own);
		packedFiles ??= inTurns(filesByDigest(packed), signal);
		const inside = wanted === undefined ? undefined : (await packedFiles).get(Buffer.from(wanted, "hex"));
		if (inside === undefined)
			throw corrupt(
				"CONTENT_NOT_ON_MEDIUM",
				`a file of the image, of ${file.byteLength} bytes, is nowhere on the medium`,
			);
		return packed.contents.read(inside.layout);
	};
	return createImageTree(root, contentOf);
}

/** A file a step. */
function* filesByDigest({ files, digestOf }: PackedContents): Steps<DigestMap<RootFile>> {
	const found = new DigestMap<RootFile>();
	for (const file of files) {
		const digest = digestOf(file);
		if (digest !== undefined) found.set(Buffer.from(digest, "hex"), file);
		yield;
	}
	return found;
}

async function* chunksOf(source: ByteSource, file: VolumeFile): AsyncGenerator<Uint8Array> {
	for (const { block, byteLength } of file.extents)
		for (let at = 0; at < byteLength; at += CHUNK_BYTES)
			yield await source.read(block * ISO_BLOCK_BYTES + at, Math.min(CHUNK_BYTES, byteLength - at));
}

import type { ByteSource } from "../binary/byte-source.ts";
import { type ByteString, displayName } from "../binary/byte-string.ts";
import type { Steps } from "../binary/turns.ts";
import { ISO_BLOCK_BYTES, MiB } from "../binary/units.ts";
import type { BootLoader } from "../boot/boot-loader.ts";
import type { StreamedFile } from "../boot/initramfs/streamed-file.ts";
import { ISO_PATHS, loaderPaths } from "../boot/iso-paths.ts";
import { MACHINES, type Machine } from "../boot/machines.ts";
import { corrupt } from "../errors.ts";
import { findNode, type VolumeDirectory, type VolumeFile, type VolumeNode } from "../formats/iso9660/volume.ts";

const CHUNK_BYTES = MiB;

/** Every node but the root, with its path from the root (`a/b`). */
export function* nodesOf(root: VolumeDirectory, prefix: ByteString = ""): Generator<[ByteString, VolumeNode]> {
	for (const [name, node] of root.entries) {
		yield [prefix + name, node];
		if (node.type === "directory") yield* nodesOf(node, `${prefix}${name}/`);
	}
}

/** Every directory by its path, the root's "" among them; a node a step. */
export function* directoriesOf(root: VolumeDirectory): Steps<Map<ByteString, VolumeDirectory>> {
	const directories = new Map<ByteString, VolumeDirectory>([["", root]]);
	for (const [path, node] of nodesOf(root)) {
		if (node.type === "directory") directories.set(path, node);
		yield;
	}
	return directories;
}

/** A node a step. */
export function* countNodes(root: VolumeDirectory): Steps<{ readonly files: number; readonly directories: number }> {
	let files = 0;
	let directories = 0;
	for (const [, node] of nodesOf(root)) {
		if (node.type === "directory") directories++;
		else files++;
		yield;
	}
	return { files, directories };
}

/** The file at `path`, or undefined. */
export function fileAt(root: VolumeDirectory, path: ByteString): VolumeFile | undefined {
	const node = findNode(root, path);
	return node?.type === "file" ? node : undefined;
}

/** Whose default loader the medium has. */
export function machineOn(root: VolumeDirectory): Machine {
	return MACHINES.find((machine) => fileAt(root, loaderPaths(machine).loader) !== undefined) ?? MACHINES[0];
}

/** systemd-boot where its settings are in the tree, and nothing of GRUB for BIOS. */
export function bootLoaderOn(root: VolumeDirectory): BootLoader {
	const isSystemd =
		fileAt(root, ISO_PATHS.loaderConfig) !== undefined && fileAt(root, ISO_PATHS.coreImage) === undefined;
	return isSystemd ? "systemd-boot" : "grub2";
}

/** A whole file. `source` is what its blocks count from. Throws `Oci2isoError` FILE_TOO_LARGE, UNEXPECTED_END. */
export async function readVolumeFile(
	source: ByteSource,
	file: VolumeFile,
	maxBytes: number,
	path: ByteString,
): Promise<Buffer> {
	if (file.byteLength > maxBytes)
		throw corrupt("FILE_TOO_LARGE", `it has ${file.byteLength} bytes`, displayName(path), `at most ${maxBytes}`);
	const parts: Uint8Array[] = [];
	for (const { block, byteLength } of file.extents) parts.push(await source.read(block * ISO_BLOCK_BYTES, byteLength));
	return Buffer.concat(parts);
}

/** The first bytes of a file, fewer where it is shorter. */
export async function readFileHead(source: ByteSource, file: VolumeFile, byteLength: number): Promise<Buffer> {
	const [first] = file.extents;
	if (first === undefined) return Buffer.alloc(0);
	return Buffer.from(await source.read(first.block * ISO_BLOCK_BYTES, Math.min(byteLength, first.byteLength)));
}

/** A file as random-access bytes; its sections must follow each other, as those of every writer do. */
export function fileSource(source: ByteSource, file: VolumeFile, path: ByteString): ByteSource {
	let next = file.extents[0]?.block ?? 0;
	const start = next * ISO_BLOCK_BYTES;
	for (const { block, byteLength } of file.extents) {
		if (block !== next) throw corrupt("FILE_IN_PIECES", "its sections do not follow each other", displayName(path));
		next = block + byteLength / ISO_BLOCK_BYTES;
	}
	return {
		byteLength: file.byteLength,
		read(position, length, into) {
			if (position < 0 || length < 0 || position + length > file.byteLength)
				return Promise.reject(
					corrupt("UNEXPECTED_END", `cannot read ${length} bytes at offset ${position}`, displayName(path)),
				);
			return source.read(start + position, length, into);
		},
	};
}

/** Bytes of a medium as a file that is read from its start. */
export function streamOf(source: ByteSource): StreamedFile {
	return {
		byteLength: source.byteLength,
		async *stream() {
			for (let at = 0; at < source.byteLength; at += CHUNK_BYTES)
				yield await source.read(at, Math.min(CHUNK_BYTES, source.byteLength - at));
		},
	};
}

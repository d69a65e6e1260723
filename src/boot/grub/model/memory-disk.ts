import { memorySource } from "../../../binary/byte-source.ts";
import type { ByteString } from "../../../binary/byte-string.ts";
import { MiB } from "../../../binary/units.ts";
import { Oci2isoError } from "../../../errors.ts";
import { readFat } from "../../../formats/fat/read-fat.ts";
import type { TarEntry } from "../../../formats/tar/entry.ts";
import { TarReader } from "../../../formats/tar/reader.ts";
import type { RootInode } from "../../../rootfs/root-inode.ts";
import { SQUASHFS_MAGIC } from "../../../rootfs/squashfs/constants.ts";
import { openSquashfs } from "../../../rootfs/squashfs/squashfs-reader.ts";
import { componentsOf, fatFileSystem, fileSystemOf, type GrubFileSystem } from "./medium.ts";

const MAX_READ_BYTES = 64 * MiB;
const TAR_MAGIC_OFFSET = 257;
/** Of a squashfs: real ones have a script and a font. */
const MAX_INODES = 10_000;

/** The file system of GRUB's memory disk, which is a squashfs, a FAT or a tar archive; or why it cannot be read. */
export async function openMemoryDisk(image: Uint8Array): Promise<GrubFileSystem | string> {
	const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
	try {
		if (bytes.byteLength > 4 && bytes.readUInt32LE() === SQUASHFS_MAGIC) return await openSquash(bytes);
		if (bytes.toString("latin1", TAR_MAGIC_OFFSET, TAR_MAGIC_OFFSET + 5) === "ustar") return openTar(bytes);
		return fatFileSystem((await readFat(memorySource(bytes))).root);
	} catch (error) {
		if (error instanceof Oci2isoError) return `GRUB's memory disk cannot be read: ${error.what}`;
		throw error;
	}
}

async function openSquash(bytes: Buffer): Promise<GrubFileSystem | string> {
	const reader = await openSquashfs(memorySource(bytes));
	const { inodeCount } = reader.superblock;
	if (inodeCount > MAX_INODES) return `GRUB's memory disk has ${inodeCount} files`;
	const root = await reader.readTree();
	return {
		module: "squash4",
		label: undefined,
		find(path) {
			let node: RootInode | undefined = root;
			for (const name of componentsOf(path)) node = node?.type === "directory" ? node.entries.get(name) : undefined;
			if (node?.type === "directory") return { type: "directory" };
			if (node?.type !== "file") return undefined;
			const { layout } = node;
			return {
				type: "file",
				byteLength: layout.byteLength,
				async read() {
					const parts: Uint8Array[] = [];
					if (layout.byteLength <= MAX_READ_BYTES)
						for await (const chunk of reader.contents.read(layout)) parts.push(Buffer.from(chunk));
					return Buffer.concat(parts);
				},
			};
		},
	};
}

function openTar(bytes: Buffer): GrubFileSystem {
	const files = new Map<ByteString, Buffer[]>();
	let current: Buffer[] | undefined;
	const reader = new TarReader(
		{
			entry({ type, path }: TarEntry) {
				current = type === "file" ? [] : undefined;
				if (current !== undefined) files.set(path, current);
			},
			data: (chunk) => current?.push(Buffer.from(chunk)),
			hole() {},
			endEntry() {},
		},
		{ origin: "GRUB's memory disk" },
	);
	reader.push(bytes);
	reader.finish();
	return fileSystemOf(
		"tar",
		undefined,
		[...files].map(([path, parts]) => {
			const content = Buffer.concat(parts);
			return [path, { byteLength: content.byteLength, read: () => Promise.resolve(content) }] as const;
		}),
	);
}

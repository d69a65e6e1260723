import type { ByteSource } from "../../binary/byte-source.ts";
import type { RootReader, Stretch } from "../root-file-system.ts";
import type { RootDirectory } from "../root-inode.ts";
import { ClusterDecoder, codecOf } from "./cluster-decoder.ts";
import { ErofsContents } from "./erofs-contents.ts";
import { fileMapOf } from "./file-map.ts";
import { InodeReader } from "./inode-reader.ts";
import { readLongPrefixes } from "./long-prefixes.ts";
import { PackedFile } from "./packed-file.ts";
import { type InodeVisitor, readTree } from "./tree-reader.ts";
import { openVolume, type Volume } from "./volume.ts";
import { XattrReader } from "./xattr-reader.ts";

/** An image that is open for reading. */
interface ErofsReader extends RootReader {
	readonly volume: Volume;
	readonly inodes: InodeReader;
	/** Where attributes are that inodes share, of those that were read. */
	sharedXattrs(): Stretch[];
	/** As `readTree`; tells of every inode. */
	visitTree(visit: InodeVisitor): Promise<RootDirectory>;
}

/**
 * Opens an EROFS whose superblock is at byte 1024 of `source`; what follows the image there is ignored. Its tables are not compressed: a visitor would see
 * nothing. Throws `Oci2isoError` NOT_EROFS, CORRUPT_SUPERBLOCK, UNSUPPORTED_FEATURE or UNEXPECTED_END.
 */
export async function openErofs(source: ByteSource): Promise<ErofsReader> {
	const volume = await openVolume(source);
	const { image, blockBytes, packedNumber } = volume;
	const decoder = new ClusterDecoder(volume.algorithms);
	const packed: PackedFile = new PackedFile(async () =>
		packedNumber === undefined ? undefined : fileMapOf(volume, await inodes.read(packedNumber)),
	);
	const contents = new ErofsContents(image, blockBytes, decoder, packed);
	const xattrs: XattrReader = new XattrReader(volume, () => readLongPrefixes(volume, packed, contents));
	const inodes: InodeReader = new InodeReader(volume, xattrs);
	const reader: ErofsReader = {
		codec: codecOf(volume.algorithms),
		blockBytes,
		dataArea: { start: 0, end: image.byteLength },
		contents,
		volume,
		inodes,
		sharedXattrs: () => xattrs.sharedStretches(),
		visitTree: (visit) => readTree({ volume, inodes, contents }, visit),
		readTree: () => readTree({ volume, inodes, contents }),
	};
	return reader;
}

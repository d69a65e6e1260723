import { type ByteSource, region } from "../../binary/byte-source.ts";
import { corrupt } from "../../errors.ts";
import { ALGORITHM, EROFS_MAGIC, HIGH, INCOMPATIBLE, INODE_SLOT_BYTES, SUPERBLOCK_OFFSET } from "./constants.ts";
import { MetadataBytes } from "./metadata-bytes.ts";
import { SUPERBLOCK, type Superblock } from "./records.ts";

const WHERE = "EROFS superblock";
const MIN_BLOCK_LOG2 = 9;
const MAX_BLOCK_LOG2 = 16;
const READ = [
	"zeroPadding",
	"compressorConfigurations",
	"chunkedFile",
	"inlineTails",
	"fragments",
	"xattrPrefixes",
	"wideAddresses",
] as const satisfies (keyof typeof INCOMPATIBLE)[];
/** One bit is of two features: physical clusters of a second compressor, and this one. */
const UNREAD: Readonly<Record<string, string>> = {
	deviceTable: "several devices",
	metabox: "compressed metadata (metabox)",
};

/** What all of an image's structures are found by. */
export interface Volume {
	readonly superblock: Superblock;
	/** All blocks that the superblock counts. */
	readonly image: ByteSource;
	readonly metadata: MetadataBytes;
	readonly blockLog2: number;
	readonly blockBytes: number;
	readonly hasWideAddresses: boolean;
	/** A bitmap by `ALGORITHM`. */
	readonly algorithms: number;
	readonly rootNumber: number;
	/** Undefined: there is none. */
	readonly packedNumber: number | undefined;
	/** Where the inode of a number is. Throws CORRUPT_METADATA where that is outside of the image. */
	inodePosition(number: number): number;
}

/** Reads the superblock. Throws `Oci2isoError` NOT_EROFS, CORRUPT_SUPERBLOCK, UNSUPPORTED_FEATURE or UNEXPECTED_END. */
export async function openVolume(source: ByteSource): Promise<Volume> {
	const superblock = SUPERBLOCK.decode(await source.read(SUPERBLOCK_OFFSET, SUPERBLOCK.byteLength));
	const { magic, blockLog2, incompatible, extraDevices, directoryBlockLog2 } = superblock;
	if (magic !== EROFS_MAGIC) throw corrupt("NOT_EROFS", "there is no EROFS superblock", `offset ${SUPERBLOCK_OFFSET}`);
	const unread = unreadFeature(incompatible, extraDevices);
	if (unread !== undefined)
		throw corrupt("UNSUPPORTED_FEATURE", `the EROFS image has ${unread}, which is not read`, WHERE);
	if (blockLog2 < MIN_BLOCK_LOG2 || blockLog2 > MAX_BLOCK_LOG2 || directoryBlockLog2 !== 0)
		throw corrupt(
			"CORRUPT_SUPERBLOCK",
			`blocks have 2^${blockLog2} bytes, those of directories ${directoryBlockLog2}`,
			WHERE,
		);
	const blockBytes = 2 ** blockLog2;
	const hasWideAddresses = (incompatible & INCOMPATIBLE.wideAddresses) !== 0;
	const isWideRoot = hasWideAddresses && superblock.wideRootNumber !== 0n;
	const byteLength = (superblock.blocks + (isWideRoot ? superblock.rootNumber * HIGH : 0)) * blockBytes;
	if (byteLength === 0 || byteLength > source.byteLength)
		throw corrupt("CORRUPT_SUPERBLOCK", `the image has ${byteLength} bytes and its source ${source.byteLength}`, WHERE);
	const image = region(source, 0, byteLength);
	const metadataStart = superblock.metadataBlock * blockBytes;
	return {
		superblock,
		image,
		metadata: new MetadataBytes(image),
		blockLog2,
		blockBytes,
		hasWideAddresses,
		algorithms: algorithmsOf(superblock),
		rootNumber: isWideRoot ? Number(superblock.wideRootNumber) : superblock.rootNumber,
		packedNumber:
			(incompatible & INCOMPATIBLE.fragments) !== 0 && superblock.packedNumber !== 0n
				? Number(superblock.packedNumber)
				: undefined,
		inodePosition(number) {
			const position = metadataStart + number * INODE_SLOT_BYTES;
			if (position < byteLength) return position;
			throw corrupt("CORRUPT_METADATA", `inode ${number} is at ${position}`, undefined, `less than ${byteLength}`);
		},
	};
}

/** Images without configurations have lz4 alone, where they compress. */
function algorithmsOf({ incompatible, algorithms }: Superblock): number {
	if ((incompatible & INCOMPATIBLE.compressorConfigurations) !== 0) return algorithms;
	return (incompatible & INCOMPATIBLE.zeroPadding) !== 0 ? 1 << ALGORITHM.lz4 : 0;
}

function unreadFeature(incompatible: number, extraDevices: number): string | undefined {
	let unknown = incompatible;
	for (const name of READ) unknown &= ~INCOMPATIBLE[name];
	if (extraDevices === 0) unknown &= ~INCOMPATIBLE.deviceTable;
	for (const [name, text] of Object.entries(UNREAD))
		if ((unknown & INCOMPATIBLE[name as keyof typeof INCOMPATIBLE]) !== 0) return text;
	return unknown === 0 ? undefined : `the feature 0x${(unknown >>> 0).toString(16)}`;
}

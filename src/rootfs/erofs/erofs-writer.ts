import { createHash } from "node:crypto";
import type { Steps } from "../../binary/turns.ts";
import { DataWriter } from "../../content/data-writer.ts";
import { DEFAULT_FRAGMENT_RULE } from "../../content/fragment-rule.ts";
import type { StoredFile } from "../../content/stored-data.ts";
import { assert } from "../../errors.ts";
import type { DirectoryInode, FileInode, Timestamp } from "../../tree/inode.ts";
import { inodesBelow } from "../../tree/walk.ts";
import { numberInodes } from "../inode-numbers.ts";
import { MAX_TOTAL_BLOCKS } from "../limits.ts";
import { describeXattrLosses } from "../losses.ts";
import { HEAD_BYTES, type RootSummary, type RootWriter, type RootWriterOptions } from "../root-file-system.ts";
import { BLOCK_BYTES, COMPATIBLE, EROFS_MAGIC, INCOMPATIBLE } from "./constants.ts";
import { MetadataWriter } from "./metadata-writer.ts";
import { algorithmOf, encodeFirstBlock } from "./superblock-writer.ts";

/** Times that are counted to find the one most inodes have. */
const MAX_TIMES = 65_536;

/**
 * Writes an EROFS image: contents from block 1 on, through `data`, then all metadata, and the superblock last. A block of `data` is an extent of fixed
 * input, so compressors work side by side, and whatever was compressed stays where it is.
 */
export class ErofsWriter implements RootWriter {
	readonly data: DataWriter;
	readonly #options: RootWriterOptions;
	readonly #algorithm: number | undefined;
	#images = 0;
	/** Of the last image. */
	#end = 0;

	constructor(options: RootWriterOptions) {
		const { blockBytes, compressor, fragmentRule = DEFAULT_FRAGMENT_RULE } = options;
		this.#options = options;
		this.#algorithm = algorithmOf(compressor.codec);
		const isCompressed = this.#algorithm !== undefined;
		assert(isCompressed || compressor.codec === "none", "the compressor is one of EROFS");
		assert(isCompressed || fragmentRule === "none", "only compressed files have tails");
		this.data = new DataWriter(
			{
				blockBytes,
				start: HEAD_BYTES * (1 + (options.furtherImages ?? 0)),
				alignment: BLOCK_BYTES,
				padding: "before",
				fragmentRule,
				// of which an index has an entry for each 4 KiB
				maxBlocks: MAX_TOTAL_BLOCKS / (blockBytes / BLOCK_BYTES),
			},
			options,
		);
	}

	/** Throws `Oci2isoError` INVALID_NAME, INVALID_LINK_TARGET, DEVICE_NUMBER_TOO_LARGE, XATTRS_TOO_LARGE or EROFS_TOO_LARGE. */
	*finishing(root: DirectoryInode, storedFileOf: (file: FileInode) => StoredFile): Steps<RootSummary> {
		const { sink, compressor, blockBytes } = this.#options;
		const algorithm = this.#algorithm;
		const fragments = [...this.data.fragments()];
		const numbering = yield* numberInodes(root);
		const epoch = yield* mostCommonTime(root);
		const imageStart = HEAD_BYTES * this.#images++;
		assert(imageStart <= HEAD_BYTES * (this.#options.furtherImages ?? 0), "so many images were asked for");
		const start = Math.max(this.data.end, this.#end);
		const options = { root, numbering, storedFileOf, epoch, algorithm, blockBytes, fragments, sink, imageStart, start };
		const metadata = new MetadataWriter(options);
		const { metadataBlock, blocks, packedNumber, hasChunks, ids, digest } = yield* metadata.writing();
		const compression = INCOMPATIBLE.zeroPadding | INCOMPATIBLE.compressorConfigurations | INCOMPATIBLE.fragments;
		const superblock = {
			magic: EROFS_MAGIC,
			compatible: COMPATIBLE.superblockChecksum | COMPATIBLE.mtime,
			blockLog2: Math.log2(BLOCK_BYTES),
			extensionSlots: 0,
			rootNumber: 0,
			inodeCount: BigInt(numbering.count),
			epochSeconds: BigInt.asUintN(64, BigInt(epoch.seconds)),
			epochNanoseconds: epoch.nanoseconds,
			blocks,
			metadataBlock,
			sharedXattrBlock: 0,
			uuid: yield* this.#uuid(digest),
			volumeName: new Uint8Array(0),
			incompatible: (algorithm === undefined ? 0 : compression) | (hasChunks ? INCOMPATIBLE.chunkedFile : 0),
			algorithms: algorithm === undefined ? 0 : 1 << algorithm,
			extraDevices: 0,
			deviceTableSlot: 0,
			directoryBlockLog2: 0,
			xattrPrefixCount: 0,
			xattrPrefixStart: 0,
			packedNumber: BigInt(packedNumber),
			xattrFilterReserved: 0,
			buildSeconds: 0,
			wideRootNumber: 0n,
		};
		this.#end = imageStart + blocks * BLOCK_BYTES;
		sink.write(imageStart, encodeFirstBlock(superblock, compressor, blockBytes));
		return {
			inodes: numbering.count,
			ids,
			fragments: fragments.length,
			data: this.data.statistics,
			start: imageStart,
			byteLength: blocks * BLOCK_BYTES,
			losses: describeXattrLosses("EROFS", metadata.xattrLosses.losses),
		};
	}

	/** Version 8 (RFC 9562), from everything that is in the image. */
	*#uuid(metadata: readonly Uint8Array[]): Steps<Buffer> {
		const digest = createHash("sha256");
		for (const part of metadata) digest.update(part);
		for (const { key } of yield* this.data.placedBlocks({ blocks: 0, fragments: 0 })) digest.update(key);
		const uuid = digest.digest().subarray(0, 16);
		uuid.writeUInt8((uuid.readUInt8(6) & 0x0f) | 0x80, 6);
		uuid.writeUInt8((uuid.readUInt8(8) & 0x3f) | 0x80, 8);
		return uuid;
	}
}

/** Inodes of the superblock's time are half as long. */
function* mostCommonTime(root: DirectoryInode): Steps<Timestamp> {
	const counts = new Map<string, { readonly time: Timestamp; count: number }>();
	const add = (time: Timestamp): void => {
		const key = `${time.seconds} ${time.nanoseconds}`;
		const known = counts.get(key);
		if (known !== undefined) known.count++;
		else if (counts.size < MAX_TIMES) counts.set(key, { time, count: 1 });
	};
	add(root.mtime);
	for (const { mtime } of inodesBelow(root)) {
		add(mtime);
		yield;
	}
	let most = { time: root.mtime, count: 0 };
	for (const candidate of counts.values()) if (candidate.count > most.count) most = candidate;
	return most.time;
}

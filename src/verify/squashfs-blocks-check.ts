import { displayName } from "../binary/byte-string.ts";
import { sorting } from "../binary/sorting.ts";
import { inTurns, type Steps, Turns } from "../binary/turns.ts";
import { GiB } from "../binary/units.ts";
import { kernelRefusal } from "../codec/kernel-limits.ts";
import { wrongLength } from "../content/content-reader.ts";
import { Recent } from "../content/recent.ts";
import { corrupt } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import { FLAG, STORED_RAW, SUPERBLOCK_BYTES } from "../rootfs/squashfs/constants.ts";
import type { SquashfsFile } from "../rootfs/squashfs/squashfs-inode.ts";
import { ContentDigest } from "./content-digest.ts";
import { DigestTable } from "./digest-table.ts";
import type { OpenSquashfs } from "./squashfs-check.ts";

const FRAGMENTS_KEPT = 8;
/** A content that many files share takes as long as their bytes. */
const FILE_STEPS = 4;
/** Files may share blocks: without a bound a small image could hold any amount of content. */
const MAX_DECODED_BYTES = 256 * GiB;

export interface ContentsRead {
	/** A `ContentDigest`, of those that were asked for. */
	digestOf(file: SquashfsFile): string | undefined;
	/** Some block of a file is. */
	readonly hasCompressedBlocks: boolean;
}

/**
 * Decodes every data block and fragment of every file once, asks of each whether the kernel takes it, and finds overlaps and gaps in
 * the data area. `wantsDigest` says whose contents are wanted.
 */
export async function checkBlocks(
	squashfs: OpenSquashfs,
	wantsDigest: (file: SquashfsFile) => boolean,
	findings: Findings,
	signal?: AbortSignal,
): Promise<ContentsRead> {
	const { superblock } = squashfs;
	const reader = new BlockReader(squashfs, findings);
	const digests = new DigestTable();
	const used: Span[] = [];
	const tails = new Set<number>();
	const place = ({ layout }: SquashfsFile): number =>
		layout.blocks.count > 0 ? layout.firstBlock : (layout.tail?.position ?? 0);
	const files = await inTurns(
		sorting(squashfs.files, (a, b) => place(a) - place(b)),
		signal,
	);
	const turns = new Turns(signal);
	for (const file of files) {
		if (turns.areDue(FILE_STEPS)) await turns.next();
		const path = (): string => `/${displayName(squashfs.pathOf(file))}`;
		const digest = wantsDigest(file) ? new ContentDigest() : undefined;
		try {
			const end = await readFile(file, reader, digest, path, findings);
			if (end > file.layout.firstBlock) used.push({ start: file.layout.firstBlock, end });
			const { tail } = file.layout;
			// Many files share one fragment block.
			if (tail !== undefined && !tails.has(tail.position))
				used.push({ start: tail.position, end: tail.position + (tail.size & (STORED_RAW - 1)) });
			if (tail !== undefined) tails.add(tail.position);
			if (digest !== undefined) digests.set(file.inodeNumber, Buffer.from(digest.finish(), "hex"));
		} catch (error) {
			findings.caught(withPath(error, path()));
		}
	}
	const { flags } = superblock;
	const optionsBytes =
		(flags & FLAG.compressorOptions) === 0
			? 0
			: 2 + (Buffer.from(await squashfs.image.read(SUPERBLOCK_BYTES, 2)).readUInt16LE() & 0x7fff);
	await inTurns(checkSpans(used, SUPERBLOCK_BYTES + optionsBytes, Number(superblock.inodeTable), findings), signal);
	findings.detail = `${files.length} files, ${reader.blocks} blocks`;
	return {
		digestOf: ({ inodeNumber }) => digests.get(inodeNumber),
		hasCompressedBlocks: reader.hasCompressedBlocks,
	};
}

interface Span {
	readonly start: number;
	readonly end: number;
}

/** Returns where the file's blocks end. */
async function readFile(
	{ layout, byteLength, sparseBytes }: SquashfsFile,
	reader: BlockReader,
	digest: ContentDigest | undefined,
	path: () => string,
	findings: Findings,
): Promise<number> {
	let position = layout.firstBlock;
	let rest = byteLength;
	let holeBytes = 0;
	for await (const sizes of layout.blocks.chunks()) {
		for (const size of sizes) {
			const length = Math.min(layout.blockBytes, rest);
			rest -= length;
			if (size === 0) {
				holeBytes += length;
				digest?.hole(length);
				continue;
			}
			const block = await reader.read(position, size, path);
			if (block.byteLength !== length) throw wrongLength(position, block.byteLength, length);
			digest?.update(block);
			position += size & (STORED_RAW - 1);
		}
	}
	if (rest > 0) {
		const { tail } = layout;
		if (tail === undefined) throw corrupt("CORRUPT_BLOCK", `the last ${rest} bytes are missing`, path());
		const block = await reader.fragment(tail.position, tail.size, path);
		if (tail.offset + rest > block.byteLength) throw wrongLength(tail.position, block.byteLength, tail.offset + rest);
		digest?.update(block.subarray(tail.offset, tail.offset + rest));
	} else if (layout.tail !== undefined) throw corrupt("CORRUPT_BLOCK", "a tail of no bytes", path());
	// mksquashfs counts one less where the whole file is a hole.
	if (sparseBytes !== 0 && sparseBytes !== holeBytes && sparseBytes !== holeBytes - 1)
		findings.fault(`holes of ${sparseBytes} bytes`, path(), String(holeBytes));
	return position;
}

class BlockReader {
	readonly #squashfs: OpenSquashfs;
	readonly #findings: Findings;
	readonly #fragments = new Recent<string, Uint8Array>(FRAGMENTS_KEPT);
	blocks = 0;
	hasCompressedBlocks = false;
	#decodedBytes = 0;

	constructor(squashfs: OpenSquashfs, findings: Findings) {
		this.#squashfs = squashfs;
		this.#findings = findings;
	}

	async read(position: number, size: number, path: () => string): Promise<Uint8Array> {
		const { image, superblock, codec, decompressor } = this.#squashfs;
		const length = size & (STORED_RAW - 1);
		if (size >= 2 * STORED_RAW || length === 0 || length > superblock.blockBytes)
			throw corrupt("CORRUPT_BLOCK", `a data block has the size field ${size}`, `offset ${position}`);
		if (position < SUPERBLOCK_BYTES || position + length > Number(superblock.inodeTable))
			throw corrupt("CORRUPT_BLOCK", `a data block of ${length} bytes is at ${position}`, path(), "in the data area");
		this.blocks++;
		this.#decodedBytes += superblock.blockBytes;
		if (this.#decodedBytes > MAX_DECODED_BYTES)
			throw corrupt(
				"TOO_MUCH_CONTENT",
				"files have too much content in all",
				path(),
				`at most ${MAX_DECODED_BYTES} bytes`,
			);
		const bytes = await image.read(position, length);
		if (size >= STORED_RAW) return bytes;
		this.hasCompressedBlocks = true;
		const refusal = kernelRefusal(codec, bytes, superblock.blockBytes);
		if (refusal !== undefined)
			this.#findings.fault(`the kernel refuses the block at offset ${position}: ${refusal}`, path(), "what it decodes");
		return decompressor.decompress(bytes, superblock.blockBytes);
	}

	async fragment(position: number, size: number, path: () => string): Promise<Uint8Array> {
		const key = `${position} ${size}`;
		const known = this.#fragments.get(key);
		if (known !== undefined) return known;
		const block = await this.read(position, size, path);
		this.#fragments.set(key, block);
		return block;
	}
}

/** Blocks that lie over each other are damage; bytes between them that no file uses are only waste. */
function* checkSpans(found: readonly Span[], start: number, end: number, findings: Findings): Steps<void> {
	const spans = yield* sorting(found, (a, b) => a.start - b.start || a.end - b.end);
	let reached = start;
	let last: Span | undefined;
	let unused = 0;
	for (const span of spans) {
		yield;
		if (span.start < reached && span.start !== last?.start)
			findings.fault(`data at offset ${span.start} lies over other data`, "squashfs data", `offset ${reached} or more`);
		unused += Math.max(0, span.start - reached);
		reached = Math.max(reached, span.end);
		last = span;
	}
	unused += Math.max(0, end - reached);
	if (unused > 0) findings.note(`${unused} bytes of the data area belong to no file`);
}

function withPath(error: unknown, path: string): unknown {
	const details = error as { kind?: string; code?: string; what?: string; where?: string; expected?: string };
	if (details.kind !== "corrupt" || details.code === undefined || details.what === undefined) return error;
	const where = details.where === undefined || details.where === path ? path : `${path}, ${details.where}`;
	return corrupt(details.code, details.what, where, details.expected);
}

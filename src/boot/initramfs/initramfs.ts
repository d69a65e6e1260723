import { ByteQueue } from "../../binary/byte-queue.ts";
import type { ByteString } from "../../binary/byte-string.ts";
import { leadingZeros } from "../../formats/cpio/leading-zeros.ts";
import type { DirectoryInode } from "../../tree/inode.ts";
import { compressionOf, decompress, type InitramfsCompression, LONGEST_SIGNATURE } from "./decompress.ts";
import type { StreamedFile } from "./streamed-file.ts";
import { type QuietLookup, Unpacked } from "./unpacked.ts";

/** One part of an initramfs file: a run of plain archives, or one compressed stream. */
interface InitramfsSegment {
	/** Bytes into the file. */
	readonly offset: number;
	readonly compression: InitramfsCompression;
	readonly entries: number;
	/** It holds only processor microcode (`kernel/x86/microcode`). */
	readonly isMicrocode: boolean;
}

/** An initramfs as a kernel would unpack it. */
export interface Initramfs {
	readonly segments: readonly InitramfsSegment[];
	/** Why a kernel, or this reader, does not get to its end, in words. A kernel goes on with what it has unpacked until then. */
	readonly fault: string | undefined;
	/** Why a kernel does not unpack a part that this reader did. */
	readonly refusedByKernel: string | undefined;
	/** The fault is only that this reader does not know the compression. */
	readonly isOpaque: boolean;
	readonly lookup: QuietLookup;
	readonly root: DirectoryInode;
	/** The content of a file that was kept (scripts, module lists, the modules that matter), or undefined. */
	content(path: ByteString): Buffer | undefined;
}

const MAX_SEGMENTS = 64;

/** A part of which nothing counts, and why, as the first reading found it. */
interface VoidPart {
	readonly offset: number;
	readonly damage: string;
}

/**
 * Reads all segments, in pieces that do not depend on how long the file is. Never rejects for what the bytes are: a fault is part of the result. Rejects as
 * the file's stream does. A file is read again where it turns out at the end of a part that nothing of it counts.
 */
export async function readInitramfs(file: StreamedFile): Promise<Initramfs> {
	const read = await readParts(file, undefined);
	if (!("offset" in read)) return read;
	const again = await readParts(file, read);
	if ("offset" in again) throw new Error("a file has other bytes when it is read again");
	return again;
}

async function readParts(file: StreamedFile, known: VoidPart | undefined): Promise<Initramfs | VoidPart> {
	const input = new ByteQueue(file);
	try {
		return await new Parts(input, known).read();
	} finally {
		await input.close();
	}
}

class Parts {
	readonly #input: ByteQueue;
	readonly #known: VoidPart | undefined;
	readonly #unpacked = new Unpacked();
	readonly #segments: InitramfsSegment[] = [];
	#fault: string | undefined;
	#refusedByKernel: string | undefined;
	#isOpaque = false;

	constructor(input: ByteQueue, known: VoidPart | undefined) {
		this.#input = input;
		this.#known = known;
	}

	async read(): Promise<Initramfs | VoidPart> {
		while (this.#fault === undefined) {
			const start = await this.#start();
			if (start.byteLength === 0) break;
			const { offset } = this.#input;
			if (this.#segments.length === MAX_SEGMENTS) {
				this.#fault = `it has more than ${MAX_SEGMENTS} parts`;
				break;
			}
			const compression = start[0] === 0x30 && offset % 4 === 0 ? "none" : compressionOf(start);
			if (compression === undefined) {
				this.#fault = `what is at byte ${offset} is neither an archive nor compressed`;
				break;
			}
			const found = await this.#readPart(compression);
			if (found !== undefined) return found;
		}
		if (this.#segments.length === 0) this.#fault ??= "it is empty";
		return this.#result();
	}

	/** The first bytes behind zeros; none at the end. */
	async #start(): Promise<Uint8Array> {
		for (;;) {
			const bytes = await this.#input.fill(1);
			const zeros = leadingZeros(bytes);
			if (bytes.byteLength === 0 || zeros === 0) break;
			this.#input.take(zeros);
		}
		return this.#input.fill(LONGEST_SIGNATURE);
	}

	async #readPart(compression: InitramfsCompression): Promise<VoidPart | undefined> {
		const unpacked = this.#unpacked;
		const { offset } = this.#input;
		const before = unpacked.entryCount;
		const microcodeBefore = unpacked.microcodeEntries;
		const result =
			this.#known?.offset === offset
				? { damage: this.#known.damage }
				: compression === "none"
					? await unpacked.readPlain(this.#input)
					: await unpacked.readCompressed((emit) => decompress(compression, this.#input, emit));
		const entries = unpacked.entryCount - before;
		if ("damage" in result && result.isVoid === true && entries > 0) return { offset, damage: result.damage };
		const isMicrocode = entries > 0 && unpacked.microcodeEntries - microcodeBefore === entries;
		this.#segments.push({ offset, compression, entries, isMicrocode });
		if ("damage" in result) {
			this.#fault = `the part at byte ${offset} (${compression}): ${result.damage}`;
			this.#isOpaque = ["bzip2", "lzma", "lzo"].includes(compression);
		} else if (result.refusedByKernel !== undefined)
			this.#refusedByKernel ??= `the part at byte ${offset}: ${result.refusedByKernel}`;
		return undefined;
	}

	#result(): Initramfs {
		const { lookup, root, kept } = this.#unpacked;
		return {
			segments: this.#segments,
			fault: this.#fault,
			refusedByKernel: this.#refusedByKernel,
			isOpaque: this.#isOpaque,
			lookup,
			root,
			content(path) {
				const inode = lookup(path)?.inode;
				return inode?.type === "file" ? kept.get(inode.entry) : undefined;
			},
		};
	}
}

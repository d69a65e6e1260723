import { displayName } from "../binary/byte-string.ts";
import { sorting } from "../binary/sorting.ts";
import { inTurns, type Steps, Turns } from "../binary/turns.ts";
import { GiB } from "../binary/units.ts";
import { storedBytes } from "../content/block-size.ts";
import type { BlockVisitor } from "../content/content-reader.ts";
import type { BlockPlace } from "../content/stored-data.ts";
import { corrupt } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import type { CheckedRoot } from "../rootfs/root-file-system.ts";
import type { RootFile } from "../rootfs/root-inode.ts";
import { ContentDigest } from "./content-digest.ts";
import { DigestTable } from "./digest-table.ts";

/** A content that many files share takes as long as their bytes. */
const FILE_STEPS = 4;
/** Files may share blocks: without a bound a small image could hold any amount of content. */
const MAX_DECODED_BYTES = 256 * GiB;

interface ContentsRead {
	/** A `ContentDigest`, of those that were asked for. */
	digestOf(file: RootFile): string | undefined;
	/** Some block of a file is. */
	readonly hasCompressedBlocks: boolean;
}

/**
 * Decodes every data block and fragment of every file once, asks of each whether the kernel takes it, and finds overlaps and gaps in
 * the data area. `wantsDigest` says whose contents are wanted.
 */
export async function checkContents(
	image: CheckedRoot,
	wantsDigest: (file: RootFile) => boolean,
	findings: Findings,
	signal?: AbortSignal,
): Promise<ContentsRead> {
	const blocks = new BlockCheck(image, findings);
	const digests = new DigestTable();
	const place = ({ layout }: RootFile): number =>
		layout.blocks.count > 0 ? layout.firstBlock : (layout.tail?.position ?? 0);
	const files = await inTurns(
		sorting(image.files, (a, b) => place(a) - place(b)),
		signal,
	);
	const turns = new Turns(signal);
	for (const file of files) {
		if (turns.areDue(FILE_STEPS)) await turns.next();
		blocks.begin(file);
		const digest = wantsDigest(file) ? new ContentDigest() : undefined;
		try {
			await readFile(image, file, blocks, digest, findings);
			if (digest !== undefined) digests.set(file.inodeNumber, Buffer.from(digest.finish(), "hex"));
		} catch (error) {
			findings.caught(withPath(error, blocks.path()));
		}
	}
	await inTurns(checkSpans(blocks.spans, image.dataArea, findings), signal);
	findings.detail = `${files.length} files, ${blocks.count} blocks`;
	return {
		digestOf: ({ inodeNumber }) => digests.get(inodeNumber),
		hasCompressedBlocks: blocks.hasCompressed,
	};
}

interface Span {
	readonly start: number;
	readonly end: number;
}

async function readFile(
	{ contents, blockBytes }: CheckedRoot,
	{ layout, byteLength, sparseBytes }: RootFile,
	blocks: BlockCheck,
	digest: ContentDigest | undefined,
	findings: Findings,
): Promise<void> {
	let holeBytes = 0;
	for await (const part of contents.parts(layout, blocks)) {
		if (typeof part === "number") {
			holeBytes += part;
			digest?.hole(part);
		} else digest?.update(part);
	}
	if (layout.tail !== undefined && byteLength % blockBytes === 0)
		throw corrupt("CORRUPT_BLOCK", "a tail of no bytes", blocks.path());
	// mksquashfs counts one less where the whole file is a hole.
	if (sparseBytes !== 0 && sparseBytes !== holeBytes && sparseBytes !== holeBytes - 1)
		findings.fault(`holes of ${sparseBytes} bytes`, blocks.path(), String(holeBytes));
}

/** Looks at each block that the reader comes upon. */
class BlockCheck implements BlockVisitor {
	readonly #image: CheckedRoot;
	readonly #findings: Findings;
	readonly spans: Span[] = [];
	#file: RootFile | undefined;
	/** Its blocks so far. */
	#span: { start: number; end: number } | undefined;
	readonly #tails = new Set<number>();
	count = 0;
	hasCompressed = false;
	#decodedBytes = 0;

	constructor(image: CheckedRoot, findings: Findings) {
		this.#image = image;
		this.#findings = findings;
	}

	begin(file: RootFile): void {
		this.#file = file;
		this.#span = undefined;
	}

	/** Of the file that is read. */
	path(): string {
		return this.#file === undefined ? "" : `/${displayName(this.#image.pathOf(this.#file))}`;
	}

	block({ position, size }: BlockPlace): void {
		const { dataArea, blockBytes } = this.#image;
		const end = position + storedBytes(size);
		if (position < dataArea.start || end > dataArea.end) {
			const what = `a data block of ${storedBytes(size)} bytes is at ${position}`;
			throw corrupt("CORRUPT_BLOCK", what, this.path(), "in the data area");
		}
		this.count++;
		this.#decodedBytes += blockBytes;
		if (this.#decodedBytes > MAX_DECODED_BYTES) {
			const limit = `at most ${MAX_DECODED_BYTES} bytes`;
			throw corrupt("TOO_MUCH_CONTENT", "files have too much content in all", this.path(), limit);
		}
		if (position === this.#file?.layout.tail?.position) {
			// many files share one fragment block
			if (!this.#tails.has(position)) this.spans.push({ start: position, end });
			this.#tails.add(position);
		} else if (this.#span?.end === position) this.#span.end = end;
		else {
			this.#span = { start: position, end };
			this.spans.push(this.#span);
		}
	}

	compressed(bytes: Uint8Array, { position }: BlockPlace): void {
		const { format, codec, blockBytes } = this.#image;
		this.hasCompressed = true;
		const refusal = format.kernel.refusal(codec, bytes, blockBytes);
		if (refusal !== undefined)
			this.#findings.fault(
				`the kernel refuses the block at offset ${position}: ${refusal}`,
				this.path(),
				"what it decodes",
			);
	}
}

/** Blocks that lie over each other are damage; bytes between them that no file uses are only waste. */
function* checkSpans(found: readonly Span[], { start, end }: Span, findings: Findings): Steps<void> {
	const spans = yield* sorting(found, (a, b) => a.start - b.start || a.end - b.end);
	let reached = start;
	let last: Span | undefined;
	let unused = 0;
	for (const span of spans) {
		yield;
		if (span.start < reached && span.start !== last?.start)
			findings.fault(`data at offset ${span.start} lies over other data`, "data area", `offset ${reached} or more`);
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

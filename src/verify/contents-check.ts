import { sorting } from "../binary/sorting.ts";
import { inTurns, type Steps, Turns } from "../binary/turns.ts";
import { corrupt } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import type { CheckedRoot, Stretch } from "../rootfs/root-file-system.ts";
import type { RootFile } from "../rootfs/root-inode.ts";
import { BlockCheck, oddity } from "./block-check.ts";
import { ContentDigest } from "./content-digest.ts";
import { type FilesRead, readAside } from "./contents-aside.ts";
import { DigestTable } from "./digest-table.ts";

/** A content that many files share takes as long as their bytes. */
const FILE_STEPS = 4;

/** A file system among those that have contents in common. */
export interface CheckedImage {
	/** Bytes from the beginning of the first one. */
	readonly start: number;
	readonly image: CheckedRoot;
}

interface ContentsRead {
	/** A `ContentDigest`, of those that were asked for. */
	digestOf(file: RootFile): string | undefined;
	/** Some block of a file is. */
	readonly hasCompressedBlocks: boolean;
}

/**
 * Decodes every data block and fragment of every file of each image once, asks of each whether the kernel takes it, and finds overlaps and gaps in
 * the data area that they have in common. `wantsDigest` says whose contents are wanted; `findingsOf` which findings are an image's.
 */
export async function checkContents<Image extends CheckedImage>(
	images: readonly Image[],
	wantsDigest: (file: RootFile) => boolean,
	findings: Findings,
	findingsOf: (image: Image) => Findings,
	signal?: AbortSignal,
): Promise<ContentsRead[]> {
	const read: Awaited<ReturnType<typeof readContents>>[] = [];
	for (const image of images) read.push(await readContents(image.image, wantsDigest, findingsOf(image), signal));
	const fromStart = (stretches: readonly Stretch[], start: number): Stretch[] =>
		stretches.map((stretch) => ({ start: start + stretch.start, end: start + stretch.end }));
	const spans = images.flatMap(({ start }, i) => fromStart(read[i]?.blocks.spans ?? [], start));
	const tables = images.flatMap(({ start, image: { occupied = [] } }) => fromStart(occupied, start));
	// Where tables are between data, both fill their blocks up.
	const unit = tables.length > 0 ? Math.max(...images.map(({ image: { blockBytes } }) => blockBytes)) : 1;
	const areas = images.map(({ start, image: { dataArea } }) => [start + dataArea.start, start + dataArea.end] as const);
	// Where tables are known, the area is all of the images; where not, what they have in common.
	const [first, last] = tables.length > 0 ? [Math.min, Math.max] : [Math.max, Math.min];
	const area = { start: first(...areas.map(([start]) => start)), end: last(...areas.map(([, end]) => end)) };
	await inTurns(checkSpans(spans, tables, { ...area, unit }, findings), signal);
	const sum = (count: (each: (typeof read)[number]) => number): number =>
		read.reduce((total, each) => total + count(each), 0);
	findings.detail = `${sum(({ fileCount }) => fileCount)} files, ${sum(({ blocks }) => blocks.count)} blocks`;
	return read;
}

async function readContents(
	image: CheckedRoot,
	wantsDigest: (file: RootFile) => boolean,
	findings: Findings,
	signal: AbortSignal | undefined,
): Promise<ContentsRead & { readonly blocks: BlockCheck; readonly fileCount: number }> {
	const place = ({ layout }: RootFile): number =>
		layout.blocks?.count === 0 ? (layout.tail?.position ?? 0) : layout.firstBlock;
	const files = await inTurns(
		sorting(image.files, (a, b) => place(a) - place(b)),
		signal,
	);
	const { blocks, digests } =
		(await readAside(image, files, wantsDigest, signal)) ??
		(await readInOrder(image, files, wantsDigest, findings, signal));
	return {
		blocks,
		fileCount: files.length,
		digestOf: ({ inodeNumber }) => digests.get(inodeNumber),
		hasCompressedBlocks: blocks.hasCompressed,
	};
}

/** Block by block on this thread: finds what is wrong, and where. */
async function readInOrder(
	image: CheckedRoot,
	files: readonly RootFile[],
	wantsDigest: (file: RootFile) => boolean,
	findings: Findings,
	signal: AbortSignal | undefined,
): Promise<FilesRead> {
	const blocks = new BlockCheck(image, (what, expected) => findings.fault(what, blocks.path(), expected));
	const digests = new DigestTable();
	const turns = new Turns(signal);
	for (const file of files) {
		if (turns.areDue(FILE_STEPS)) await turns.next();
		blocks.begin(file);
		const digest = wantsDigest(file) ? new ContentDigest(file.byteLength) : undefined;
		try {
			await readFile(image, file, blocks, digest, findings);
			if (digest !== undefined) digests.set(file.inodeNumber, digest.finish());
		} catch (error) {
			findings.caught(withPath(error, blocks.path()));
		}
	}
	return { blocks, digests };
}

async function readFile(
	{ contents, blockBytes }: CheckedRoot,
	file: RootFile,
	blocks: BlockCheck,
	digest: ContentDigest | undefined,
	findings: Findings,
): Promise<void> {
	let holeBytes = 0;
	for await (const part of contents.parts(file.layout, blocks)) {
		if (typeof part === "number") {
			holeBytes += part;
			digest?.hole(part);
		} else digest?.update(part);
	}
	const fault = oddity(file, holeBytes, blockBytes);
	if (fault === "tail") throw corrupt("CORRUPT_BLOCK", "a tail of no bytes", blocks.path());
	if (fault === "holes") findings.fault(`holes of ${file.sparseBytes} bytes`, blocks.path(), String(holeBytes));
}

/** Blocks that lie over each other are damage; bytes between them that no file uses are only waste. */
function* checkSpans(
	found: readonly Stretch[],
	occupied: readonly Stretch[],
	{ start, end, unit }: Stretch & { readonly unit: number },
	findings: Findings,
): Steps<void> {
	const spans = yield* sorting([...occupied, ...found], (a, b) => a.start - b.start || a.end - b.end);
	const tables = new Set(occupied);
	const whole = (bytes: number): number => Math.max(0, bytes - (bytes % unit));
	let reached = start;
	let last: Stretch | undefined;
	let unused = 0;
	for (const span of spans) {
		yield;
		const isShared = span.start === last?.start && !tables.has(span) && !tables.has(last);
		if (span.start < reached && !isShared)
			findings.fault(`data at offset ${span.start} lies over other data`, "data area", `offset ${reached} or more`);
		if (span.end > end)
			findings.fault(`data at offset ${span.start} lies over tables`, "data area", `an end at ${end} at most`);
		unused += whole(span.start - reached);
		reached = Math.max(reached, span.end);
		last = span;
	}
	unused += whole(end - reached);
	if (unused > 0) findings.note(`${unused} bytes of the data area belong to no file`);
}

function withPath(error: unknown, path: string): unknown {
	const details = error as { kind?: string; code?: string; what?: string; where?: string; expected?: string };
	if (details.kind !== "corrupt" || details.code === undefined || details.what === undefined) return error;
	const where = details.where === undefined || details.where === path ? path : `${path}, ${details.where}`;
	return corrupt(details.code, details.what, where, details.expected);
}

import { displayName } from "../binary/byte-string.ts";
import { GiB } from "../binary/units.ts";
import { storedBytes } from "../content/block-size.ts";
import type { BlockVisitor } from "../content/content-reader.ts";
import type { BlockPlace } from "../content/stored-data.ts";
import { corrupt } from "../errors.ts";
import type { CheckedRoot } from "../rootfs/root-file-system.ts";
import type { RootFile } from "../rootfs/root-inode.ts";

/** Files may share blocks: without a bound a small image could hold any amount of content. */
const MAX_DECODED_BYTES = 256 * GiB;

/** Blocks that follow each other. */
export interface Span {
	readonly start: number;
	readonly end: number;
}

/** Looks at each block that the reader comes upon. */
export class BlockCheck implements BlockVisitor {
	readonly #image: CheckedRoot;
	readonly #onRefusal: (what: string, expected: string) => void;
	readonly spans: Span[] = [];
	#file: RootFile | undefined;
	/** Its blocks so far. */
	#span: { start: number; end: number } | undefined;
	readonly #tails = new Set<number>();
	count = 0;
	hasCompressed = false;
	#decodedBytes = 0;

	/** `onRefusal` is told why the kernel would not take a block. */
	constructor(image: CheckedRoot, onRefusal: (what: string, expected: string) => void) {
		this.#image = image;
		this.#onRefusal = onRefusal;
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
			this.#onRefusal(`the kernel refuses the block at offset ${position}: ${refusal}`, "what it decodes");
	}
}

/** What an inode says and its content does not bear out: a tail of no bytes, or the bytes in holes. */
export function oddity(
	{ layout, byteLength, sparseBytes }: RootFile,
	holeBytes: number,
	blockBytes: number,
): "tail" | "holes" | undefined {
	if (layout.tail !== undefined && byteLength % blockBytes === 0) return "tail";
	// mksquashfs counts one less where the whole file is a hole.
	return sparseBytes !== 0 && sparseBytes !== holeBytes && sparseBytes !== holeBytes - 1 ? "holes" : undefined;
}

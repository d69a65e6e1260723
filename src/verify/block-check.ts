import { displayName } from "../binary/byte-string.ts";
import { GiB } from "../binary/units.ts";
import { storedBytes } from "../content/block-size.ts";
import type { BlockVisitor } from "../content/contents.ts";
import type { BlockPlace } from "../content/stored-data.ts";
import { corrupt } from "../errors.ts";
import type { CheckedRoot, Stretch } from "../rootfs/root-file-system.ts";
import type { RootFile } from "../rootfs/root-inode.ts";

/** Files may share blocks: without a bound a small image could hold any amount of content. */
const MAX_DECODED_BYTES = 256 * GiB;
/** Extents that are held at once. */
const MAX_SHARED = 2 ** 23;

/** Looks at each block that the reader comes upon. */
export class BlockCheck implements BlockVisitor {
	readonly #image: CheckedRoot;
	readonly #onRefusal: (what: string, expected: string) => void;
	readonly spans: Stretch[] = [];
	#file: RootFile | undefined;
	/** Its blocks so far. */
	#span: { start: number; end: number } | undefined;
	/** What several files may share, by position: where it ends. */
	readonly #shared = new Map<number, number>();
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

	block({ position, size }: BlockPlace, contentBytes = this.#image.blockBytes): void {
		const { dataArea } = this.#image;
		const end = position + storedBytes(size);
		if (position < dataArea.start || end > dataArea.end) {
			const what = `a data block of ${storedBytes(size)} bytes is at ${position}`;
			throw corrupt("CORRUPT_BLOCK", what, this.path(), "in the data area");
		}
		this.count++;
		this.surplus(contentBytes);
		const layout = this.#file?.layout;
		if (layout?.blocks === undefined || position === layout.tail?.position) {
			if (this.#shared.get(position) !== end) this.spans.push({ start: position, end });
			if (this.spans.length > MAX_SHARED) throw corrupt("TOO_MUCH_CONTENT", "files have too many extents", this.path());
			this.#shared.set(position, end);
		} else if (this.#span?.end === position) this.#span.end = end;
		else {
			this.#span = { start: position, end };
			this.spans.push(this.#span);
		}
	}

	surplus(byteLength: number): void {
		this.#decodedBytes += byteLength;
		if (this.#decodedBytes > MAX_DECODED_BYTES) {
			const limit = `at most ${MAX_DECODED_BYTES} bytes`;
			throw corrupt("TOO_MUCH_CONTENT", "files have too much content in all", this.path(), limit);
		}
	}

	compressed(bytes: Uint8Array, { position }: BlockPlace, codec = this.#image.codec): void {
		const { format, blockBytes } = this.#image;
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

import type { ByteSource } from "../../binary/byte-source.ts";
import { MiB } from "../../binary/units.ts";
import { blockSize } from "../../content/block-size.ts";
import { type BlockVisitor, type ContentLayout, type Contents, inChunks } from "../../content/contents.ts";
import type { Extent, ExtentLayout } from "../../content/extent-layout.ts";
import { assert, corrupt } from "../../errors.ts";
import { type ClusterDecoder, CODEC_OF_ALGORITHM } from "./cluster-decoder.ts";
import { FORM, INLINE, MAX_CLUSTER_BYTES, MAX_DECODED_BYTES } from "./extent-form.ts";
import type { PackedFile } from "./packed-file.ts";

/** Reads the contents of an EROFS image. */
export class ErofsContents implements Contents {
	readonly #image: ByteSource;
	readonly #blockBytes: number;
	readonly #decoder: ClusterDecoder;
	readonly #packed: PackedFile;

	constructor(image: ByteSource, blockBytes: number, decoder: ClusterDecoder, packed: PackedFile) {
		this.#image = image;
		this.#blockBytes = blockBytes;
		this.#decoder = decoder;
		this.#packed = packed;
	}

	read(layout: ContentLayout): AsyncGenerator<Uint8Array> {
		return inChunks(this.parts(layout));
	}

	async *parts(layout: ContentLayout, visitor?: BlockVisitor): AsyncGenerator<Uint8Array | number> {
		assert(layout.blocks === undefined, "it is a layout of this image");
		const scratch = new Scratch();
		let position = 0;
		for await (const extent of layout.extents()) {
			if (extent.position === undefined) yield extent.byteLength;
			else if (extent.form === FORM.packed)
				yield* this.#packed.range(extent.position, extent.byteLength, (each, at) => this.content(each, at, visitor));
			else if (extent.form === FORM.raw) yield* this.#raw(extent.position, extent.byteLength, visitor, scratch);
			else yield await this.content(extent, position, visitor, scratch);
			position += extent.byteLength;
		}
		if (position !== layout.byteLength)
			throw corrupt("CORRUPT_METADATA", `a file's extents have ${position} bytes`, undefined, `${layout.byteLength}`);
	}

	/** All of a short content at once. */
	async whole(layout: ExtentLayout): Promise<Uint8Array> {
		const pieces: Uint8Array[] = [];
		for await (const piece of this.read(layout)) pieces.push(Buffer.from(piece));
		return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
	}

	async *#raw(start: number, byteLength: number, visitor: BlockVisitor | undefined, scratch: Scratch) {
		for (let at = 0; at < byteLength; at += MiB) {
			const length = Math.min(MiB, byteLength - at);
			visitor?.block({ position: start + at, size: blockSize(length, false) }, length);
			yield await this.#image.read(start + at, length, scratch.stored(length));
		}
	}

	/** Of one extent that is not packed, and begins at `position` in its file. */
	async content(
		extent: Extent,
		position: number,
		visitor?: BlockVisitor,
		scratch = new Scratch(),
	): Promise<Uint8Array> {
		const { byteLength, storedBytes, isPartial } = extent;
		const form = extent.form & ~INLINE;
		const isInline = form !== extent.form;
		assert(extent.position !== undefined && form !== FORM.packed, "it is stored in blocks");
		if (form === FORM.raw && isInline) return this.#image.read(extent.position, byteLength);
		if (storedBytes > MAX_CLUSTER_BYTES || byteLength > MAX_DECODED_BYTES)
			throw corrupt(
				"CORRUPT_METADATA",
				`a cluster of ${storedBytes} bytes has ${byteLength}`,
				`offset ${extent.position}`,
			);
		const isCompressed = form < FORM.raw;
		const place = { position: extent.position, size: blockSize(storedBytes, isCompressed) };
		if (!isInline) visitor?.block(place, byteLength);
		const stored = await this.#image.read(extent.position, storedBytes, scratch.stored(storedBytes));
		if (form === FORM.raw) return stored.subarray(0, byteLength);
		const output = scratch.content(byteLength);
		if (form === FORM.interlaced) {
			const right = Math.min(this.#blockBytes - (position % this.#blockBytes), byteLength);
			const from = storedBytes - (this.#blockBytes - (position % this.#blockBytes));
			output.set(stored.subarray(from, from + right));
			output.set(stored.subarray(0, byteLength - right), right);
			return output;
		}
		const cluster = withoutZeros(stored);
		visitor?.compressed(cluster, place, CODEC_OF_ALGORITHM[form]);
		const decodedBytes = this.#decoder.decode(form, cluster, output, isPartial);
		visitor?.surplus(decodedBytes - byteLength);
		return output;
	}
}

function withoutZeros(stored: Uint8Array): Uint8Array {
	let at = 0;
	while (at < stored.byteLength && stored[at] === 0) at++;
	return stored.subarray(at);
}

/** Memory for one extent at a time, so that a large file leaves no trail of them. */
class Scratch {
	#stored = Buffer.alloc(0);
	#content = Buffer.alloc(0);

	stored(byteLength: number): Buffer {
		if (this.#stored.byteLength < byteLength) this.#stored = Buffer.allocUnsafeSlow(byteLength);
		return this.#stored.subarray(0, byteLength);
	}

	content(byteLength: number): Buffer {
		if (this.#content.byteLength < byteLength) this.#content = Buffer.allocUnsafeSlow(byteLength);
		return this.#content.subarray(0, byteLength);
	}
}

import { crc32, deflateRawSync, inflateRawSync } from "node:zlib";
import { type ByteString, bytesOf, utf8TextOf } from "../../binary/byte-string.ts";
import { KiB } from "../../binary/units.ts";
import { Crc64 } from "./crc64.ts";

const SEGMENT_BYTES = 64 * KiB;
/** Of lines that are packed at once. */
const PACKED_CHARACTERS = 256 * KiB;
/** RFC 1951, 3.2.4. */
const STORED_BLOCK_BYTES = 65_535;
/** RFC 1952: no name, no time, no flags, an unknown system. */
const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);

/**
 * Takes down an archive as github.com/vbatts/tar-split does, while it is read: `piece` with its next bytes, the entries and contents that are in them, and `endPiece`.
 * What is no content that lies beside it is in it, byte for byte. Holds the lines deflated, a tenth of the archive's own headers.
 */
export class TarSplitWriter {
	readonly #isBeside: (entry: number) => boolean;
	readonly #packed: Buffer[] = [];
	#lines = "";
	#position = 0;
	#piece: Uint8Array = Buffer.alloc(0);
	#taken = 0;
	readonly #segment = Buffer.allocUnsafe(SEGMENT_BYTES);
	#segmentBytes = 0;
	#checksum: Crc64 | undefined;
	#contentBytes = 0;

	/** `isBeside` says of an entry by its number whether its content lies beside the archive, under its name. */
	constructor(isBeside: (entry: number) => boolean) {
		this.#isBeside = isBeside;
	}

	/** The archive's next bytes, which stay as they are until `endPiece`. */
	piece(bytes: Uint8Array): void {
		this.#piece = bytes;
		this.#taken = 0;
	}

	/** A file begins. */
	beginFile(entry: number): void {
		this.#checksum = this.#isBeside(entry) ? new Crc64() : undefined;
		this.#contentBytes = 0;
	}

	/** Its next bytes, a view of the piece. */
	data(bytes: Uint8Array): void {
		if (this.#checksum === undefined) return;
		const at = bytes.byteOffset - this.#piece.byteOffset;
		this.#own(this.#piece.subarray(this.#taken, at));
		this.#taken = at + bytes.byteLength;
		this.#contentBytes += bytes.byteLength;
		this.#checksum.update(bytes);
	}

	/** `path` as the archive has it. */
	endFile(path: ByteString): void {
		const checksum = this.#checksum;
		this.#checksum = undefined;
		if (checksum === undefined || this.#contentBytes === 0) return;
		this.#endSegment();
		const text = utf8TextOf(path);
		const name = text === undefined ? { name_raw: bytesOf(path).toString("base64") } : { name: text };
		this.#line({ type: 1, ...name, size: this.#contentBytes, payload: checksum.finish().toString("base64") });
	}

	endPiece(): void {
		this.#own(this.#piece.subarray(this.#taken));
		this.#taken = this.#piece.byteLength;
	}

	/** Gzip with stored blocks, the same bytes on every machine: what it lies in compresses them. Once, at the archive's end. */
	*gzip(): Generator<Buffer, void, undefined> {
		this.#endSegment();
		this.#pack();
		yield GZIP_HEADER;
		let [checksum, byteLength] = [0, 0];
		for (const packed of this.#packed) {
			const lines = inflateRawSync(packed);
			checksum = crc32(lines, checksum);
			byteLength += lines.byteLength;
			for (let at = 0; at < lines.byteLength; at += STORED_BLOCK_BYTES)
				yield storedBlock(lines.subarray(at, at + STORED_BLOCK_BYTES), false);
		}
		yield storedBlock(Buffer.alloc(0), true);
		const trailer = Buffer.alloc(8);
		trailer.writeUInt32LE(checksum, 0);
		trailer.writeUInt32LE(byteLength % 2 ** 32, 4);
		yield trailer;
	}

	#own(bytes: Uint8Array): void {
		for (let at = 0; at < bytes.byteLength; ) {
			const part = bytes.subarray(at, at + SEGMENT_BYTES - this.#segmentBytes);
			this.#segment.set(part, this.#segmentBytes);
			this.#segmentBytes += part.byteLength;
			at += part.byteLength;
			if (this.#segmentBytes === SEGMENT_BYTES) this.#endSegment();
		}
	}

	#endSegment(): void {
		if (this.#segmentBytes === 0) return;
		this.#line({ type: 2, payload: this.#segment.toString("base64", 0, this.#segmentBytes) });
		this.#segmentBytes = 0;
	}

	#line(entry: Readonly<Record<string, unknown>>): void {
		this.#lines += `${JSON.stringify({ ...entry, position: this.#position++ })}\n`;
		if (this.#lines.length >= PACKED_CHARACTERS) this.#pack();
	}

	#pack(): void {
		if (this.#lines === "") return;
		this.#packed.push(deflateRawSync(this.#lines, { level: 1 }));
		this.#lines = "";
	}
}

function storedBlock(bytes: Uint8Array, isLast: boolean): Buffer {
	const block = Buffer.allocUnsafe(5 + bytes.byteLength);
	block.writeUInt8(isLast ? 1 : 0, 0);
	block.writeUInt16LE(bytes.byteLength, 1);
	block.writeUInt16LE(~bytes.byteLength & 0xffff, 3);
	block.set(bytes, 5);
	return block;
}

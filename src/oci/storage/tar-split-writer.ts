import { crc32 } from "node:zlib";
import { type ByteString, bytesOf, utf8TextOf } from "../../binary/byte-string.ts";
import { elementAt } from "../../binary/element-at.ts";
import { KiB } from "../../binary/units.ts";
import { Crc64 } from "./crc64.ts";
import { DeflatedBytes } from "./deflated-bytes.ts";

const SEGMENT_BYTES = 64 * KiB;
/** RFC 1951, 3.2.4. */
const STORED_BLOCK_BYTES = 65_535;
/** RFC 1952: no name, no time, no flags, an unknown system. */
const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);

/** A content that lies beside the archive. */
interface ContentBeside {
	/** As the archive has it. */
	readonly path: ByteString;
	readonly byteLength: number;
	/** Of the archive's own bytes, how many are in front of it. */
	readonly ownBytes: number;
	/** Its CRC-64 in base64. */
	readonly checksum: string;
}

/**
 * Takes down an archive as github.com/vbatts/tar-split does, while it is read: `piece` with its next bytes, the entries and contents that are in them, and `endPiece`.
 * What is no content that lies beside it is in it, byte for byte. Holds the archive's own headers deflated, a tenth of them.
 */
export class TarSplitWriter {
	readonly #isBeside: (entry: number) => boolean;
	readonly #own = new DeflatedBytes();
	readonly #contents: ContentBeside[] = [];
	readonly #checksum = new Crc64();
	#piece: Uint8Array = Buffer.alloc(0);
	#taken = 0;
	#takesContent = false;
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
		this.#takesContent = this.#isBeside(entry);
		this.#contentBytes = 0;
	}

	/** Its next bytes, a view of the piece. */
	data(bytes: Uint8Array): void {
		if (!this.#takesContent) return;
		const at = bytes.byteOffset - this.#piece.byteOffset;
		this.#own.append(this.#piece.subarray(this.#taken, at));
		this.#taken = at + bytes.byteLength;
		this.#contentBytes += bytes.byteLength;
		this.#checksum.update(bytes);
	}

	/** `path` as the archive has it. */
	endFile(path: ByteString): void {
		if (!this.#takesContent || this.#contentBytes === 0) return;
		this.#takesContent = false;
		const checksum = this.#checksum.finish().toString("base64");
		this.#contents.push({ path, byteLength: this.#contentBytes, ownBytes: this.#own.byteLength, checksum });
	}

	endPiece(): void {
		this.#own.append(this.#piece.subarray(this.#taken));
		this.#taken = this.#piece.byteLength;
	}

	/** Gzip with stored blocks, the same bytes on every machine: what it lies in compresses them. Each is valid until the next is asked for. Once, at the archive's end. */
	async *gzip(): AsyncGenerator<Buffer, void, undefined> {
		yield GZIP_HEADER;
		const block = Buffer.allocUnsafe(STORED_BLOCK_BYTES);
		let [filled, checksum, byteLength] = [0, 0, 0];
		const ended = (): [Buffer, Buffer] => {
			const bytes = block.subarray(0, filled);
			checksum = crc32(bytes, checksum);
			byteLength += filled;
			filled = 0;
			return [storedBlockHeader(bytes.byteLength, false), bytes];
		};
		const lines = new Lines(this.#contents);
		for await (const own of this.#own.read())
			for (const line of lines.of(own)) {
				for (let at = 0; at < line.length; ) {
					const written = block.write(at === 0 ? line : line.slice(at), filled, "latin1");
					at += written;
					filled += written;
					if (filled === STORED_BLOCK_BYTES) yield* ended();
				}
			}
		yield* ended();
		yield storedBlockHeader(0, true);
		const trailer = Buffer.alloc(8);
		trailer.writeUInt32LE(checksum, 0);
		trailer.writeUInt32LE(byteLength % 2 ** 32, 4);
		yield trailer;
	}
}

/** Makes the lines while the archive's own bytes pass, a character a byte. */
class Lines {
	readonly #contents: readonly ContentBeside[];
	#nextContent = 0;
	#ownBytes = 0;
	readonly #segment = Buffer.allocUnsafe(SEGMENT_BYTES);
	#segmentBytes = 0;
	#position = 0;

	constructor(contents: readonly ContentBeside[]) {
		this.#contents = contents;
	}

	/** Of the next own bytes; of none at the end. */
	*of(own: Uint8Array): Generator<ByteString, void, undefined> {
		for (let at = 0; at < own.byteLength; ) {
			const beforeContent = (this.#contents[this.#nextContent]?.ownBytes ?? Number.POSITIVE_INFINITY) - this.#ownBytes;
			const part = own.subarray(at, at + Math.min(SEGMENT_BYTES - this.#segmentBytes, beforeContent));
			this.#segment.set(part, this.#segmentBytes);
			this.#segmentBytes += part.byteLength;
			this.#ownBytes += part.byteLength;
			at += part.byteLength;
			if (part.byteLength === beforeContent) yield* this.#content();
			else if (this.#segmentBytes === SEGMENT_BYTES) yield this.#endSegment();
		}
		if (own.byteLength === 0 && this.#segmentBytes > 0) yield this.#endSegment();
	}

	*#content(): Generator<ByteString, void, undefined> {
		if (this.#segmentBytes > 0) yield this.#endSegment();
		const { path, byteLength, checksum } = elementAt(this.#contents, this.#nextContent++);
		const name = isUtf8(path) ? `"name":${JSON.stringify(path)}` : `"name_raw":"${bytesOf(path).toString("base64")}"`;
		yield `{"type":1,${name},"size":${byteLength},"payload":"${checksum}","position":${this.#position++}}\n`;
	}

	#endSegment(): ByteString {
		const payload = this.#segment.toString("base64", 0, this.#segmentBytes);
		this.#segmentBytes = 0;
		return `{"type":2,"payload":"${payload}","position":${this.#position++}}\n`;
	}
}

function isUtf8(bytes: ByteString): boolean {
	return /^[\0-\x7f]*$/.test(bytes) || utf8TextOf(bytes) !== undefined;
}

function storedBlockHeader(byteLength: number, isLast: boolean): Buffer {
	const header = Buffer.allocUnsafe(5);
	header.writeUInt8(isLast ? 1 : 0, 0);
	header.writeUInt16LE(byteLength, 1);
	header.writeUInt16LE(~byteLength & 0xffff, 3);
	return header;
}

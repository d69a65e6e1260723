import { displayName, displayPath } from "../../binary/byte-string.ts";
import { MiB } from "../../binary/units.ts";
import { assert, corrupt } from "../../errors.ts";
import type { TarEntry, TarHandler } from "./entry.ts";
import { gnuHeader, sparseEntry, sparseExtension, TAR_BLOCK_BYTES, ustarHeader } from "./header.ts";
import { decodeMember, decodeNumber, typeFlagOf } from "./member.ts";
import { isExtensionFlag, PendingExtensions } from "./pending-extensions.ts";
import { SparseMapParser, type SparseSegment, sparseMapFault } from "./sparse.ts";

interface TarReaderOptions {
	/** Names the archive in errors: a layer's digest or a file. */
	readonly origin: string;
	/** Most bytes of one extended header, and of one sparse map; default 1 MiB. Global headers may have 4 KiB together. */
	readonly maxHeaderBytes?: number;
}

const gnu = gnuHeader.fields;
const NO_BYTES = Buffer.alloc(0);

/** What the bytes at the reader's position are. */
type Expecting = "header" | "extension" | "sparse-extension" | "sparse-map" | "data" | "ignored" | "end";

/**
 * Reads a tar archive from chunks of any length: v7, ustar, star, GNU and PAX, as bytes. Synchronous; file contents pass
 * through without being copied. Throws `Oci2isoError` (corrupt input, codes `TAR_*`) out of `push` and `finish`, after which the
 * reader is of no more use.
 *
 * Invariants: `#offset` is the archive offset of the next byte to take. `#remaining` counts the bytes still to come of what
 * `#expecting` names (for "data": of the current stretch). A block that straddles chunks is gathered in `#partial`.
 */
export class TarReader {
	readonly #handler: TarHandler;
	readonly #origin: string;
	readonly #maxHeaderBytes: number;
	readonly #partial = Buffer.alloc(TAR_BLOCK_BYTES);
	/** The header block being looked at. */
	readonly #headerView = new DataView(new ArrayBuffer(TAR_BLOCK_BYTES));
	/** Of the buffer that the last header came from. */
	#chunkView: DataView | undefined;
	#partialLength = 0;
	#offset = 0;
	#expecting: Expecting = "header";
	#remaining = 0;
	#zeroBlocks = 0;
	#entryCount = 0;
	/** Entries with owners or device numbers that Linux does not have, and the first one's path. */
	readonly #changedNumbers = { count: 0, firstPath: "" };

	#extensionFlag = "";
	#extension: Buffer = NO_BYTES;
	readonly #pending: PendingExtensions;

	#entry: TarEntry | undefined;
	/** Bytes of the archive that pad the member to whole blocks. */
	#padding = 0;
	/** Recorded bytes of the member, without a sparse map. */
	#recorded = 0;
	#segments: SparseSegment[] = [];
	#nextSegment = 0;
	#logicalOffset = 0;
	#mapParser: SparseMapParser | undefined;
	#mapBytes = 0;

	constructor(handler: TarHandler, options: TarReaderOptions) {
		this.#handler = handler;
		this.#origin = options.origin;
		this.#maxHeaderBytes = options.maxHeaderBytes ?? MiB;
		this.#pending = new PendingExtensions(this.#fail);
	}

	/** What the archive says about files that this reader does not apply, for people. */
	get notes(): string[] {
		const notes = [...this.#pending.unapplied].map(
			([keyword, count]) => `PAX keyword ${displayName(keyword)} of ${count} entries is not applied`,
		);
		const { count, firstPath } = this.#changedNumbers;
		if (count > 0)
			notes.push(
				`${count} entries have an owner or device number that Linux does not have; as unpacking does, its lowest bits ` +
					`were taken, and 0 for the owner -1 (first: ${displayPath(firstPath)})`,
			);
		return notes;
	}

	/** Archive offset of the next byte; in `entry`, of the file's first recorded one. */
	get offset(): number {
		return this.#offset;
	}

	/** The blocks that end an archive were read; what follows is ignored. */
	get isAtEnd(): boolean {
		return this.#expecting === "end";
	}

	/** Passes over at most `maxBytes` of contents and padding, whose `data` is not handed over; returns how many that were. */
	passOver(maxBytes: number): number {
		const start = this.#offset;
		const rest = (): number => maxBytes - (this.#offset - start);
		if (this.#expecting === "end") this.#offset += maxBytes;
		while (rest() > 0 && (this.#expecting === "data" || this.#expecting === "ignored"))
			this.#advance(Math.min(this.#remaining, rest()));
		return this.#offset - start;
	}

	/** Takes the next bytes; all of them are consumed before it returns. */
	push(chunk: Uint8Array): void {
		let position = 0;
		while (position < chunk.byteLength) {
			if (this.#expecting === "end") {
				this.#offset += chunk.byteLength - position;
				return;
			}
			position += this.#isByteWise() ? this.#takeBytes(chunk, position) : this.#takeBlock(chunk, position);
		}
	}

	/**
	 * Says that the archive is complete. It may end after any whole member (the last one's padding may be missing), with one zero block
	 * or, as it should, with two; what follows those is ignored. Throws `Oci2isoError` TAR_TRUNCATED anywhere else.
	 */
	finish(): void {
		const betweenMembers = this.#expecting === "header" && this.#partialLength === 0;
		const inPadding = this.#expecting === "ignored" && this.#remaining < TAR_BLOCK_BYTES;
		if (this.#expecting !== "end" && (!(betweenMembers || inPadding) || this.#pending.isPending))
			this.#fail("TAR_TRUNCATED", "the archive ends inside a member");
	}

	#isByteWise(): boolean {
		return this.#expecting === "data" || this.#expecting === "ignored" || this.#expecting === "extension";
	}

	#takeBytes(chunk: Uint8Array, position: number): number {
		const length = Math.min(this.#remaining, chunk.byteLength - position);
		const bytes = this.#expecting === "ignored" ? undefined : chunk.subarray(position, position + length);
		if (bytes !== undefined && this.#expecting === "data") this.#handler.data(bytes);
		else if (bytes !== undefined) this.#extension.set(bytes, this.#extension.byteLength - this.#remaining);
		this.#advance(length);
		return length;
	}

	#advance(length: number): void {
		this.#offset += length;
		this.#remaining -= length;
		if (this.#expecting === "data") this.#logicalOffset += length;
		if (this.#remaining > 0) return;
		if (this.#expecting === "data") this.#continueFile();
		else if (this.#expecting === "extension") this.#endExtension();
		else this.#expecting = "header";
	}

	#takeBlock(chunk: Uint8Array, position: number): number {
		const available = chunk.byteLength - position;
		if (this.#partialLength === 0 && available >= TAR_BLOCK_BYTES) {
			this.#offset += TAR_BLOCK_BYTES;
			this.#block(chunk, position);
			return TAR_BLOCK_BYTES;
		}
		const length = Math.min(available, TAR_BLOCK_BYTES - this.#partialLength);
		this.#partial.set(chunk.subarray(position, position + length), this.#partialLength);
		this.#partialLength += length;
		this.#offset += length;
		if (this.#partialLength === TAR_BLOCK_BYTES) {
			this.#partialLength = 0;
			this.#block(this.#partial, 0);
		}
		return length;
	}

	#block(bytes: Uint8Array, at: number): void {
		if (this.#expecting === "header") this.#header(bytes, at);
		else if (this.#expecting === "sparse-extension") this.#sparseExtension(bytes, at);
		else this.#sparseMapBlock(bytes.subarray(at, at + TAR_BLOCK_BYTES));
	}

	#header(bytes: Uint8Array, at: number): void {
		const view = this.#headerView;
		const sum = this.#takeHeader(bytes, at);
		if (sum === 0) {
			this.#zeroBlocks++;
			if (this.#zeroBlocks === 2) this.#expecting = "end";
			return;
		}
		if (this.#zeroBlocks !== 0)
			this.#fail("TAR_LONE_ZERO_BLOCK", "a zero block between members", "two of them, at the end");
		const { chksum } = ustarHeader.fields;
		const recorded = chksum.decode(view, chksum.offset);
		const unsigned = checksumOf(view, sum);
		if (recorded !== unsigned && recorded !== unsigned - 256 * highBytesOf(view))
			this.#fail("TAR_BAD_CHECKSUM", `header checksum ${recorded}`, `${unsigned}`);
		const flag = typeFlagOf(view);
		if (isExtensionFlag(flag)) this.#startExtension(flag, decodeNumber(view, "size", this.#fail));
		else if (flag === "V") this.#ignoreVolumeLabel(decodeNumber(view, "size", this.#fail));
		else this.#startMember(view);
	}

	/** Copies a block to where `#headerView` has it, and returns the sum of its bytes. There may be millions. */
	#takeHeader(bytes: Uint8Array, at: number): number {
		if (this.#chunkView?.buffer !== bytes.buffer) this.#chunkView = new DataView(bytes.buffer);
		const from = this.#chunkView;
		const to = this.#headerView;
		const start = bytes.byteOffset + at;
		// two sums of every other byte, 16 bits each: as much as 512 bytes can come to
		let sums = 0;
		for (let i = 0; i < TAR_BLOCK_BYTES; i += 4) {
			const word = from.getUint32(start + i, true);
			to.setUint32(i, word, true);
			sums = (sums + (word & 0x00ff_00ff) + ((word >>> 8) & 0x00ff_00ff)) | 0;
		}
		return (sums & 0xffff) + (sums >>> 16);
	}

	#startExtension(flag: string, size: number): void {
		if (size > this.#maxHeaderBytes || size < 0)
			this.#fail("TAR_HEADER_TOO_LARGE", `an extended header of ${size} bytes`, `at most ${this.#maxHeaderBytes}`);
		this.#extensionFlag = flag;
		this.#extension = Buffer.allocUnsafe(size);
		this.#remaining = size;
		this.#expecting = "extension";
		if (size === 0) this.#endExtension();
	}

	#endExtension(): void {
		const body = this.#extension;
		this.#extension = NO_BYTES;
		this.#pending.add(this.#extensionFlag, body);
		this.#ignore(paddingOf(body.byteLength));
	}

	#ignoreVolumeLabel(size: number): void {
		if (size < 0) this.#fail("TAR_BAD_NUMBER", `size ${size}`, "0 or more");
		this.#pending.take();
		this.#ignore(size + paddingOf(size));
	}

	#startMember(view: DataView): void {
		const extended = this.#pending.take();
		const place = { index: this.#entryCount++, archiveOffset: this.#offset - TAR_BLOCK_BYTES };
		const member = decodeMember(view, extended, place, this.#fail);
		const size = member.recordedBytes;
		if (member.hasChangedNumbers && this.#changedNumbers.count++ === 0)
			this.#changedNumbers.firstPath = member.entry.path;
		this.#entry = member.entry;
		this.#recorded = size;
		this.#padding = paddingOf(size);
		if (member.entry.type !== "file") {
			this.#handler.entry(member.entry);
			this.#endMember(size);
		} else if (member.isOldSparse) this.#startOldSparse(view);
		else if (extended.sparse === undefined) this.#startData([{ offset: 0, byteLength: size }], size);
		else if (extended.sparse.segments !== undefined) this.#startData(extended.sparse.segments, size);
		else {
			this.#mapParser = new SparseMapParser();
			this.#mapBytes = 0;
			this.#expecting = "sparse-map";
		}
	}

	#sparseMapBlock(block: Uint8Array): void {
		this.#mapBytes += TAR_BLOCK_BYTES;
		const map = this.#mapParser?.block(block);
		this.#limitMap(this.#mapBytes);
		if (map === "malformed" || this.#mapBytes > this.#recorded + this.#padding)
			this.#fail("TAR_BAD_SPARSE_MAP", "a malformed sparse map", "decimal numbers, one on a line");
		else if (map !== undefined) this.#startData(map, this.#recorded - this.#mapBytes);
	}

	#startOldSparse(view: DataView): void {
		this.#segments = [];
		const entries = gnu.sparse.decode(view, gnu.sparse.offset);
		this.#addOldSegments(new DataView(entries.buffer, entries.byteOffset, entries.byteLength));
		this.#mapBytes = 0;
		if (view.getUint8(gnu.isextended.offset) === 0) this.#startData(this.#segments, this.#recorded);
		else this.#expecting = "sparse-extension";
	}

	#sparseExtension(bytes: Uint8Array, at: number): void {
		const view = new DataView(bytes.buffer, bytes.byteOffset + at, TAR_BLOCK_BYTES);
		this.#mapBytes += TAR_BLOCK_BYTES;
		this.#limitMap(this.#mapBytes);
		const { sparse, isextended } = sparseExtension.fields;
		this.#addOldSegments(new DataView(bytes.buffer, bytes.byteOffset + at, sparse.byteLength));
		if (view.getUint8(isextended.offset) === 0) this.#startData(this.#segments, this.#recorded);
	}

	#addOldSegments(view: DataView): void {
		const { offset, numbytes } = sparseEntry.fields;
		for (let at = 0; at < view.byteLength; at += sparseEntry.byteLength) {
			// An unused slot begins with NUL: the table ends there.
			if (view.getUint8(at) === 0) return;
			this.#segments.push({
				offset: offset.decode(view, at + offset.offset),
				byteLength: numbytes.decode(view, at + numbytes.offset),
			});
		}
	}

	#limitMap(mapBytes: number): void {
		if (mapBytes > this.#maxHeaderBytes)
			this.#fail("TAR_HEADER_TOO_LARGE", "a sparse map", `at most ${this.#maxHeaderBytes} bytes`);
	}

	#startData(segments: SparseSegment[], recorded: number): void {
		const entry = this.#entry;
		assert(entry !== undefined, "a member has started");
		const fault = sparseMapFault(segments, entry.byteLength, recorded);
		if (fault !== undefined) this.#fail("TAR_BAD_SPARSE_MAP", `a sparse map with ${fault}`);
		this.#segments = segments;
		this.#nextSegment = 0;
		this.#logicalOffset = 0;
		this.#mapParser = undefined;
		this.#handler.entry(entry);
		this.#continueFile();
	}

	/** At the start of a file or the end of a stretch: reports holes and goes to the next stretch or the end. */
	#continueFile(): void {
		for (;;) {
			const segment = this.#segments[this.#nextSegment++];
			const nextOffset = segment?.offset ?? this.#entry?.byteLength ?? 0;
			if (segment?.byteLength === 0) continue;
			if (nextOffset > this.#logicalOffset) this.#handler.hole(nextOffset - this.#logicalOffset);
			this.#logicalOffset = nextOffset;
			if (segment === undefined) break;
			this.#remaining = segment.byteLength;
			this.#expecting = "data";
			return;
		}
		this.#endMember(0);
	}

	#endMember(ignoredBytes: number): void {
		this.#entry = undefined;
		this.#segments = [];
		this.#handler.endEntry();
		this.#ignore(ignoredBytes + this.#padding);
	}

	#ignore(byteLength: number): void {
		this.#remaining = byteLength;
		this.#expecting = byteLength === 0 ? "header" : "ignored";
	}

	/** An arrow function, because others report through it. */
	readonly #fail = (code: string, what: string, expected?: string, path = this.#entry?.path): never => {
		const name = path === undefined ? "" : `, ${displayName(path)}`;
		throw corrupt(code, what, `${this.#origin}, tar offset ${this.#offset}${name}`, expected);
	};
}

function paddingOf(byteLength: number): number {
	return (TAR_BLOCK_BYTES - (byteLength % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES;
}

const CHECKSUM = ustarHeader.fields.chksum;

/** The sum of a header's bytes with its checksum as spaces, as POSIX says; `sum` is that of all bytes. */
function checksumOf(view: DataView, sum: number): number {
	let unsigned = sum;
	for (let i = 0; i < CHECKSUM.byteLength; i++) unsigned += 0x20 - view.getUint8(CHECKSUM.offset + i);
	return unsigned;
}

/** Bytes that writers with signed ones took for negative when they summed them up. */
function highBytesOf(view: DataView): number {
	let count = 0;
	for (let i = 0; i < TAR_BLOCK_BYTES; i++) {
		const isChecksum = i >= CHECKSUM.offset && i < CHECKSUM.offset + CHECKSUM.byteLength;
		if (!isChecksum) count += view.getUint8(i) >> 7;
	}
	return count;
}

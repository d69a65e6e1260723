import { type ByteString, displayName } from "../binary/byte-string.ts";
import { MiB } from "../binary/units.ts";
import { assert, corrupt, type Oci2isoError } from "../errors.ts";
import type { Timestamp } from "../tree/inode.ts";
import type { TarEntry, TarEntryType, TarHandler } from "./entry.ts";
import {
	type ExtendedHeader,
	type ExtendedHeaderFault,
	interpretPaxRecords,
	isUnappliedKeyword,
} from "./extended-header.ts";
import { gnuHeader, sparseEntry, sparseExtension, starHeader, TAR_BLOCK_BYTES, ustarHeader } from "./header.ts";
import { type PaxRecord, parsePaxRecords } from "./pax.ts";
import { SparseMapParser, type SparseSegment, sparseMapFault } from "./sparse.ts";

export interface TarReaderOptions {
	/** Names the archive in errors: a layer's digest or a file. */
	readonly origin: string;
	/** Most bytes of one extended header, of all global ones together, and of one sparse map; default 1 MiB. */
	readonly maxHeaderBytes?: number;
}

const ustar = ustarHeader.fields;
const gnu = gnuHeader.fields;
const star = starHeader.fields;

const NO_XATTRS: ReadonlyMap<ByteString, Uint8Array> = new Map();
const NO_BYTES = Buffer.alloc(0);
const MAX_ID = 2 ** 32 - 1;
const MAX_MAJOR = 2 ** 12 - 1;
const MAX_MINOR = 2 ** 20 - 1;

/** What the bytes at the reader's position are. */
type Expecting = "header" | "extension" | "sparse-extension" | "sparse-map" | "data" | "ignored" | "end";

/** Extended headers by type flag; "X" is Solaris' older "x". */
const EXTENSIONS = new Set(["x", "g", "X", "L", "K"]);

const TYPES: Readonly<Record<string, TarEntryType>> = {
	"\0": "file",
	"0": "file",
	"1": "hard-link",
	"2": "symlink",
	"3": "character-device",
	"4": "block-device",
	"5": "directory",
	"6": "fifo",
	// Contiguous file, and GNU's directory with a list of names.
	"7": "file",
	D: "directory",
	S: "file",
};

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
	#partialLength = 0;
	#offset = 0;
	#expecting: Expecting = "header";
	#remaining = 0;
	#zeroBlocks = 0;
	#entryCount = 0;

	#extensionType = "";
	#extension: Buffer = NO_BYTES;
	#longName: ByteString | undefined;
	#longLink: ByteString | undefined;
	#globalRecords = new Map<ByteString, PaxRecord>();
	#globalBytes = 0;
	#localRecords: PaxRecord[] | undefined;
	readonly #unapplied = new Map<ByteString, number>();

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
	#lastMtime: Timestamp = { seconds: 0, nanoseconds: 0 };

	constructor(handler: TarHandler, options: TarReaderOptions) {
		this.#handler = handler;
		this.#origin = options.origin;
		this.#maxHeaderBytes = options.maxHeaderBytes ?? MiB;
	}

	/** What the archive says about files that this reader does not apply, for people. */
	get notes(): string[] {
		return [...this.#unapplied].map(
			([keyword, count]) => `${this.#origin}: PAX keyword ${displayName(keyword)} of ${count} entries is not applied`,
		);
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
		const hasPendingExtension =
			this.#localRecords !== undefined || this.#longName !== undefined || this.#longLink !== undefined;
		if (this.#expecting !== "end" && (!(betweenMembers || inPadding) || hasPendingExtension))
			throw this.#error("TAR_TRUNCATED", "the archive ends inside a member");
	}

	#isByteWise(): boolean {
		return this.#expecting === "data" || this.#expecting === "ignored" || this.#expecting === "extension";
	}

	#takeBytes(chunk: Uint8Array, position: number): number {
		const length = Math.min(this.#remaining, chunk.byteLength - position);
		const bytes = this.#expecting === "ignored" ? undefined : chunk.subarray(position, position + length);
		this.#offset += length;
		this.#remaining -= length;
		if (bytes !== undefined && this.#expecting === "data") {
			this.#logicalOffset += length;
			this.#handler.data(bytes);
			if (this.#remaining === 0) this.#continueFile();
		} else if (bytes !== undefined) {
			this.#extension.set(bytes, this.#extension.byteLength - this.#remaining - length);
			if (this.#remaining === 0) this.#endExtension();
		} else if (this.#remaining === 0) this.#expecting = "header";
		return length;
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
		const view = new DataView(bytes.buffer, bytes.byteOffset + at, TAR_BLOCK_BYTES);
		const sums = blockSums(bytes, at);
		if (sums.isZero) {
			this.#zeroBlocks++;
			if (this.#zeroBlocks === 2) this.#expecting = "end";
			return;
		}
		if (this.#zeroBlocks !== 0)
			throw this.#error("TAR_LONE_ZERO_BLOCK", "a zero block between members", "two of them, at the end");
		const recorded = ustar.chksum.decode(view, ustar.chksum.offset);
		if (recorded !== sums.unsigned && recorded !== sums.signed)
			throw this.#error("TAR_BAD_CHECKSUM", `header checksum ${recorded}`, `${sums.unsigned}`);
		const flag = String.fromCharCode(ustar.typeflag.decode(view, ustar.typeflag.offset));
		if (EXTENSIONS.has(flag)) this.#startExtension(flag, this.#number(view, "size"));
		else if (flag === "V") this.#ignoreMember(view);
		else this.#member(view, flag);
	}

	#startExtension(flag: string, size: number): void {
		if (size > this.#maxHeaderBytes || size < 0)
			throw this.#error(
				"TAR_HEADER_TOO_LARGE",
				`an extended header of ${size} bytes`,
				`at most ${this.#maxHeaderBytes}`,
			);
		this.#extensionType = flag;
		this.#extension = Buffer.allocUnsafe(size);
		this.#remaining = size;
		this.#expecting = "extension";
		if (size === 0) this.#endExtension();
	}

	#endExtension(): void {
		const body = this.#extension;
		this.#extension = NO_BYTES;
		switch (this.#extensionType) {
			case "L":
				this.#longName = untilNul(body);
				break;
			case "K":
				this.#longLink = untilNul(body);
				break;
			case "g":
				this.#addGlobalRecords(this.#paxRecords(body));
				break;
			default:
				this.#localRecords = this.#paxRecords(body);
		}
		this.#ignore(paddingOf(body.byteLength));
	}

	#paxRecords(body: Uint8Array): PaxRecord[] {
		const records = parsePaxRecords(body);
		if (!Array.isArray(records))
			throw this.#error(
				"TAR_BAD_PAX_RECORD",
				`a malformed PAX record at byte ${records.malformedAt} of its header`,
				'"LENGTH KEYWORD=VALUE\\n"',
			);
		return records;
	}

	#addGlobalRecords(records: readonly PaxRecord[]): void {
		for (const { keyword, value } of records) {
			const old = this.#globalRecords.get(keyword);
			if (old !== undefined) this.#globalBytes -= keyword.length + old.value.byteLength;
			this.#globalBytes += keyword.length + value.byteLength;
			// Copied, so that one small record does not hold its whole header in memory.
			this.#globalRecords.set(keyword, { keyword, value: Uint8Array.from(value) });
		}
		if (this.#globalBytes > this.#maxHeaderBytes)
			throw this.#error(
				"TAR_HEADER_TOO_LARGE",
				`global headers of ${this.#globalBytes} bytes`,
				`at most ${this.#maxHeaderBytes}`,
			);
	}

	#member(view: DataView, flag: string): void {
		const extended = this.#takeExtendedHeader();
		const path = extended.path ?? this.#pathOf(view, flag);
		const type = this.#typeOf(flag, path, extended);
		const fail = (code: string, what: string, expected?: string): Oci2isoError =>
			this.#error(code, what, expected, path);
		const linkTarget =
			type === "hard-link" || type === "symlink"
				? (extended.linkTarget ?? ustar.linkname.decode(view, ustar.linkname.offset))
				: "";
		if (path.includes("\0") || linkTarget.includes("\0")) throw fail("TAR_NUL_IN_NAME", "a name with a NUL byte");
		const size = extended.size ?? this.#number(view, "size", path);
		if (size < 0) throw fail("TAR_BAD_NUMBER", `size ${size}`, "0 or more");
		const isDevice = type === "character-device" || type === "block-device";
		const hasDeviceFields = view.getUint8(ustar.magic.offset) !== 0;
		const device = (own: number | undefined, field: "devmajor" | "devminor", limit: number): number => {
			if (!isDevice) return 0;
			const value = own ?? (hasDeviceFields ? this.#number(view, field, path) : 0);
			if (value < 0 || value > limit) throw fail("TAR_BAD_NUMBER", `${field} ${value}`, `0 to ${limit}`);
			return value;
		};
		const owner = (own: number | undefined, field: "uid" | "gid"): number => {
			const value = own ?? this.#number(view, field, path);
			if (value < 0 || value > MAX_ID) throw fail("TAR_ID_OUT_OF_RANGE", `${field} ${value}`, `0 to ${MAX_ID}`);
			return value;
		};
		const mode = this.#number(view, "mode", path);
		const isFile = type === "file";
		const isOldSparse = flag === "S";
		const realsize = isOldSparse ? gnu.realsize.decode(view, gnu.realsize.offset) : extended.sparse?.realsize;
		if (isFile && realsize !== undefined && !(Number.isSafeInteger(realsize) && realsize >= 0))
			throw fail("TAR_BAD_SPARSE_MAP", `real size ${realsize}`, "0 to 2^53 - 1");
		this.#entry = {
			index: this.#entryCount++,
			type,
			path,
			linkTarget,
			// Some writers put the file type's bits there too.
			mode: ((mode % 0o10000) + 0o10000) % 0o10000,
			uid: owner(extended.uid, "uid"),
			gid: owner(extended.gid, "gid"),
			byteLength: isFile ? (realsize ?? size) : 0,
			mtime: this.#shareMtime(extended.mtime ?? { seconds: this.#number(view, "mtime", path), nanoseconds: 0 }),
			major: device(extended.major, "devmajor", MAX_MAJOR),
			minor: device(extended.minor, "devminor", MAX_MINOR),
			xattrs: extended.xattrs ?? NO_XATTRS,
			archiveOffset: this.#offset - TAR_BLOCK_BYTES,
		};
		this.#recorded = size;
		this.#padding = paddingOf(size);
		if (isOldSparse) this.#startOldSparse(view);
		else if (isFile) this.#startFile(size, extended);
		else {
			this.#handler.entry(this.#entry);
			// Only GNU's list of names follows a directory; for links and nodes the size means nothing (star keeps the target's there).
			if (flag !== "D") this.#recorded = 0;
			this.#padding = paddingOf(this.#recorded);
			this.#endMember(this.#recorded);
		}
	}

	#startFile(size: number, extended: ExtendedHeader): void {
		const { sparse } = extended;
		if (sparse === undefined) this.#startData([{ offset: 0, byteLength: size }], size);
		else if (sparse.segments !== undefined) this.#startData(sparse.segments, size);
		else {
			this.#mapParser = new SparseMapParser();
			this.#mapBytes = 0;
			this.#expecting = "sparse-map";
		}
	}

	#sparseMapBlock(block: Uint8Array): void {
		this.#mapBytes += TAR_BLOCK_BYTES;
		const map = this.#mapParser?.block(block);
		if (map === "malformed" || this.#mapBytes > this.#recorded + this.#padding)
			throw this.#error("TAR_BAD_SPARSE_MAP", "a malformed sparse map", "decimal numbers, one on a line");
		this.#limitMap(this.#mapBytes);
		if (map !== undefined) this.#startData(map, this.#recorded - this.#mapBytes);
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
			throw this.#error("TAR_HEADER_TOO_LARGE", "a sparse map", `at most ${this.#maxHeaderBytes} bytes`);
	}

	#startData(segments: SparseSegment[], recorded: number): void {
		const entry = this.#entry;
		assert(entry !== undefined, "a member has started");
		const fault = sparseMapFault(segments, entry.byteLength, recorded);
		if (fault !== undefined) throw this.#error("TAR_BAD_SPARSE_MAP", `a sparse map with ${fault}`);
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

	#ignoreMember(view: DataView): void {
		this.#takeExtendedHeader();
		const size = this.#number(view, "size");
		if (size < 0) throw this.#error("TAR_BAD_NUMBER", `size ${size}`, "0 or more");
		this.#ignore(size + paddingOf(size));
	}

	#ignore(byteLength: number): void {
		this.#remaining = byteLength;
		this.#expecting = byteLength === 0 ? "header" : "ignored";
	}

	#takeExtendedHeader(): ExtendedHeader {
		const local = this.#localRecords;
		const longName = this.#longName;
		const longLink = this.#longLink;
		this.#localRecords = undefined;
		this.#longName = undefined;
		this.#longLink = undefined;
		const records = this.#globalRecords.size === 0 ? local : [...this.#globalRecords.values(), ...(local ?? [])];
		for (const { keyword } of records ?? [])
			if (isUnappliedKeyword(keyword)) this.#unapplied.set(keyword, (this.#unapplied.get(keyword) ?? 0) + 1);
		const header = records === undefined ? {} : interpretPaxRecords(records, (fault) => this.#fault(fault));
		if (longName !== undefined) header.path = longName;
		if (longLink !== undefined) header.linkTarget = longLink;
		return header;
	}

	#pathOf(view: DataView, flag: string): ByteString {
		const name = ustar.name.decode(view, ustar.name.offset);
		const magic = ustar.magic.decode(view, ustar.magic.offset);
		if (!magic.startsWith("ustar")) return name;
		let prefix = "";
		if (magic === "ustar\x0000") {
			const isStar = star.trailer.decode(view, star.trailer.offset) === "tar";
			prefix = isStar ? star.prefix.decode(view, star.prefix.offset) : ustar.prefix.decode(view, ustar.prefix.offset);
		} else if (flag !== "S" && Number.isNaN(gnu.atime.decode(view, gnu.atime.offset))) {
			// Go before 1.8 wrote a prefix into headers that it marked as GNU's, where the times belong.
			prefix = ustar.prefix.decode(view, ustar.prefix.offset);
		}
		return prefix === "" ? name : `${prefix}/${name}`;
	}

	#typeOf(flag: string, path: ByteString, extended: ExtendedHeader): TarEntryType {
		if (flag === "M")
			throw this.#error("TAR_MULTI_VOLUME", "the continuation of a file from another volume", undefined, path);
		const type = TYPES[flag];
		if (type === undefined)
			throw this.#error("TAR_UNSUPPORTED_TYPE", `type flag "${flag}"`, "a type of POSIX or GNU tar", path);
		if (extended.fileType === "socket") return "socket";
		return flag === "\0" && path.endsWith("/") ? "directory" : type;
	}

	#number(
		view: DataView,
		name: "mode" | "uid" | "gid" | "size" | "mtime" | "devmajor" | "devminor",
		path?: ByteString,
	): number {
		const field = ustar[name];
		const value = field.decode(view, field.offset);
		if (Number.isSafeInteger(value)) return value;
		throw this.#error("TAR_BAD_NUMBER", `header field ${name} is not a usable number`, "octal or base 256", path);
	}

	/** Neighbours in an archive often have the same time: they share one object. */
	#shareMtime(mtime: Timestamp): Timestamp {
		const last = this.#lastMtime;
		if (last.seconds === mtime.seconds && last.nanoseconds === mtime.nanoseconds) return last;
		this.#lastMtime = mtime;
		return mtime;
	}

	#fault(fault: ExtendedHeaderFault): never {
		throw this.#error(fault.code, fault.what, fault.expected);
	}

	#error(code: string, what: string, expected?: string, path = this.#entry?.path): Oci2isoError {
		const name = path === undefined ? "" : `, ${displayName(path)}`;
		return corrupt(code, what, `${this.#origin}, tar offset ${this.#offset}${name}`, expected);
	}
}

function paddingOf(byteLength: number): number {
	return (TAR_BLOCK_BYTES - (byteLength % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES;
}

function untilNul(body: Buffer): ByteString {
	const end = body.indexOf(0);
	return body.toString("latin1", 0, end === -1 ? body.byteLength : end);
}

/** Sums of a header's bytes with its checksum as spaces: as POSIX says, and as writers with signed bytes computed it. */
function blockSums(bytes: Uint8Array, at: number): { unsigned: number; signed: number; isZero: boolean } {
	let unsigned = 0;
	let highBytes = 0;
	for (let i = at; i < at + TAR_BLOCK_BYTES; i++) {
		const byte = bytes[i] ?? 0;
		unsigned += byte;
		highBytes += byte >> 7;
	}
	const isZero = unsigned === 0;
	const { offset, byteLength } = ustar.chksum;
	for (let i = at + offset; i < at + offset + byteLength; i++) {
		const byte = bytes[i] ?? 0;
		unsigned += 0x20 - byte;
		highBytes -= byte >> 7;
	}
	return { unsigned, signed: unsigned - 256 * highBytes, isZero };
}

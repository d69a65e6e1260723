import type { ByteString } from "../../binary/byte-string.ts";
import { type Field, from0, record } from "../../binary/record.ts";
import { assert } from "../../errors.ts";

/** Blocks of the archive; headers take one, contents are padded to whole ones. */
export const TAR_BLOCK_BYTES = 512;

/**
 * The header block of POSIX.1-1988 (IEEE Std 1003.1, pax, "ustar Interchange Format"). A v7 header has the fields up to
 * `linkname`; `uname` and `gname` are not used here because images go by number.
 */
export const ustarHeader = record("tar header", TAR_BLOCK_BYTES, {
	name: terminated(0, 100),
	mode: numeric(100, 8),
	uid: numeric(108, 8),
	gid: numeric(116, 8),
	size: numeric(124, 12),
	mtime: numeric(136, 12),
	/** Sum of the block's bytes with this field as eight spaces. */
	chksum: numeric(148, 8),
	typeflag: from0.u8(156),
	linkname: terminated(157, 100),
	/** "ustar\0" and "00"; old GNU has "ustar " and " \0"; v7 has neither. */
	magic: from0.text(257, 8, "\0"),
	uname: terminated(265, 32),
	gname: terminated(297, 32),
	devmajor: numeric(329, 8),
	devminor: numeric(337, 8),
	prefix: terminated(345, 155),
});

/** What old GNU tar has in place of the prefix (GNU tar manual, "Basic Tar Format", `struct oldgnu_header`). */
export const gnuHeader = record("GNU tar header", TAR_BLOCK_BYTES, {
	atime: numeric(345, 12),
	ctime: numeric(357, 12),
	/** Four sparse entries, see `sparseEntry`. */
	sparse: from0.bytes(386, 4 * 24),
	/** Not zero: a sparse extension block follows. */
	isextended: from0.u8(482),
	/** Logical length of a sparse file. */
	realsize: numeric(483, 12),
});

/** star's variant of the ustar header: a shorter prefix and a trailer (star(5), "xstar"). */
export const starHeader = record("star header", TAR_BLOCK_BYTES, {
	prefix: terminated(345, 131),
	trailer: from0.text(508, 4, "\0"),
});

/** One stretch of recorded data of an old GNU sparse file (`struct sparse`). */
export const sparseEntry = record("sparse entry", 24, {
	offset: numeric(0, 12),
	numbytes: numeric(12, 12),
});

/** Continuation of an old GNU sparse map (`struct sparse_header`). */
export const sparseExtension = record("sparse extension", TAR_BLOCK_BYTES, {
	sparse: from0.bytes(0, 21 * 24),
	isextended: from0.u8(504),
});

let lastView: DataView | undefined;
let lastBytes: Buffer = Buffer.alloc(0);

/** What a view shows. A reader has one view for millions of headers. */
function bytesOf(view: DataView): Buffer {
	if (view !== lastView) {
		lastView = view;
		lastBytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
	}
	return lastBytes;
}

/** A byte string that ends at the first NUL or at the field's end. */
function terminated(offset: number, byteLength: number): Field<ByteString> {
	return {
		offset,
		byteLength,
		encode(value, view, at) {
			assert(value.length <= byteLength, `"${value}" does not fit a field of ${byteLength} bytes`);
			Buffer.from(view.buffer, view.byteOffset + at, byteLength).write(value, "latin1");
		},
		decode(view, at) {
			let end = at;
			while (end < at + byteLength && view.getUint8(end) !== 0) end++;
			return end === at ? "" : bytesOf(view).toString("latin1", at, end);
		},
	};
}

/**
 * A number in octal digits, or in GNU's base 256 (two's complement, big-endian) where the first bit is set.
 * An empty field is 0. What is neither decodes to NaN, what exceeds 2^53 - 1 in size to an infinity.
 */
function numeric(offset: number, byteLength: number): Field<number> {
	return {
		offset,
		byteLength,
		encode(value, view, at) {
			assert(Number.isSafeInteger(value), `${value} is not a number of a tar header`);
			const octal = value >= 0 && value < 8 ** (byteLength - 1);
			if (octal) {
				const digits = value.toString(8).padStart(byteLength - 1, "0");
				Buffer.from(view.buffer, view.byteOffset + at, byteLength).write(digits, "latin1");
				return;
			}
			let rest = BigInt.asUintN(8 * byteLength, BigInt(value));
			for (let i = byteLength - 1; i >= 0; i--, rest >>= 8n) view.setUint8(at + i, Number(rest & 0xffn));
			view.setUint8(at, view.getUint8(at) | 0x80);
		},
		decode: (view, at) =>
			(view.getUint8(at) & 0x80) === 0 ? decodeOctal(view, at, byteLength) : decodeBase256(view, at, byteLength),
	};
}

const SPACE = 0x20;
const NUL = 0;

function decodeOctal(view: DataView, at: number, byteLength: number): number {
	let position = at;
	let end = at + byteLength;
	while (position < end && isPadding(view.getUint8(position))) position++;
	while (end > position && isPadding(view.getUint8(end - 1))) end--;
	let value = 0;
	for (; position < end; position++) {
		const byte = view.getUint8(position);
		if (byte === NUL) break;
		const digit = byte - 0x30;
		if (digit < 0 || digit > 7) return Number.NaN;
		value = value * 8 + digit;
	}
	return value;
}

function isPadding(byte: number): boolean {
	return byte === SPACE || byte === NUL;
}

function decodeBase256(view: DataView, at: number, byteLength: number): number {
	// The first bit marks the encoding and the second is the sign.
	const first = view.getUint8(at) & 0x7f;
	const negative = (first & 0x40) !== 0;
	let value = BigInt(negative ? first - 0x80 : first);
	for (let i = 1; i < byteLength; i++) value = value * 256n + BigInt(view.getUint8(at + i));
	const result = Number(value);
	if (Number.isSafeInteger(result)) return result;
	return result < 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

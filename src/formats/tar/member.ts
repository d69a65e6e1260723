import type { ByteString } from "../../binary/byte-string.ts";
import { NO_XATTRS } from "../../binary/xattrs.ts";
import type { TarEntry, TarEntryType } from "./entry.ts";
import type { ExtendedHeader } from "./extended-header.ts";
import { gnuHeader, starHeader, ustarHeader } from "./header.ts";
import { type LinuxNumber, linuxDeviceNumber, linuxId, MAJOR_BITS, MINOR_BITS } from "./linux-numbers.ts";

/** A member's header block together with its extended headers. */
export interface Member {
	readonly entry: TarEntry;
	/** Bytes of the archive that follow the header and belong to the member, without padding. */
	readonly recordedBytes: number;
	/** The header is an old GNU sparse one: it has the start of the map. */
	readonly isOldSparse: boolean;
	/** An owner or device number is recorded that Linux does not have. */
	readonly hasChangedNumbers: boolean;
}

/** Reports a fault of the member at `path` (undefined while that is unknown), with its place. */
type MemberFault = (code: string, what: string, expected?: string, path?: ByteString) => never;

const ustar = ustarHeader.fields;
const gnu = gnuHeader.fields;
const star = starHeader.fields;

/** Most owners are below, and need no second look. */
const SMALL = 2 ** 31;
/** "usta", "r", "\0" and "0", "0". */
const MAGIC_START = 0x75_73_74_61;
const MAGIC_FIFTH = 0x72;
const POSIX_END = 0x00_30;
const ZERO = 0x30;
/** "tar\0" */
const STAR_TRAILER = 0x74_61_72_00;

const TYPES: ReadonlyMap<string, TarEntryType> = new Map([
	["\0", "file"],
	["0", "file"],
	["1", "hard-link"],
	["2", "symlink"],
	["3", "character-device"],
	["4", "block-device"],
	["5", "directory"],
	["6", "fifo"],
	// Contiguous file; then GNU's directory with a list of names, and its old sparse file.
	["7", "file"],
	["D", "directory"],
	["S", "file"],
]);

export function typeFlagOf(view: DataView): string {
	return String.fromCharCode(ustar.typeflag.decode(view, ustar.typeflag.offset));
}

/** The member that the header block `view` starts, as its extended headers change it. */
export function decodeMember(
	view: DataView,
	extended: ExtendedHeader,
	place: { readonly index: number; readonly archiveOffset: number },
	fault: MemberFault,
): Member {
	const flag = typeFlagOf(view);
	const path = extended.path ?? pathOf(view, flag);
	const fail = (code: string, what: string, expected?: string): never => fault(code, what, expected, path);
	const number = (name: NumericField): number => decodeNumber(view, name, fail);
	let hasChangedNumbers = false;
	const linux = ({ value, isChanged }: LinuxNumber): number => {
		hasChangedNumbers ||= isChanged;
		return value;
	};
	const id = (name: "uid" | "gid", own: bigint | undefined): number => {
		const value = own === undefined ? ustar[name].decode(view, ustar[name].offset) : -1;
		return value >= 0 && value < SMALL ? value : linux(linuxId(own ?? decodeInt64(view, name, fail)));
	};
	const type = typeOf(flag, path, extended, fail);
	const isLink = type === "hard-link" || type === "symlink";
	const linkTarget = isLink ? (extended.linkTarget ?? ustar.linkname.decode(view, ustar.linkname.offset)) : "";
	if (path.includes("\0") || linkTarget.includes("\0")) fail("TAR_NUL_IN_NAME", "a name with a NUL byte");
	const size = extended.size ?? number("size");
	if (size < 0) fail("TAR_BAD_NUMBER", `size ${size}`, "0 or more");
	const isDevice = type === "character-device" || type === "block-device";
	const device = (name: "devmajor" | "devminor", own: bigint | undefined, bits: number): number =>
		isDevice && (own !== undefined || magicOf(view) !== "v7")
			? linux(linuxDeviceNumber(own ?? decodeInt64(view, name, fail), bits))
			: 0;
	const isFile = type === "file";
	const isOldSparse = flag === "S";
	const realsize = isOldSparse ? gnu.realsize.decode(view, gnu.realsize.offset) : extended.sparse?.realsize;
	if (isFile && realsize !== undefined && !(Number.isSafeInteger(realsize) && realsize >= 0))
		fail("TAR_BAD_SPARSE_MAP", `real size ${realsize}`, "0 to 2^53 - 1");
	const entry: TarEntry = {
		index: place.index,
		type,
		path,
		linkTarget,
		// Some writers put the file type's bits there too.
		mode: ((number("mode") % 0o10000) + 0o10000) % 0o10000,
		uid: id("uid", extended.uid),
		gid: id("gid", extended.gid),
		byteLength: isFile ? (realsize ?? size) : 0,
		mtime: extended.mtime ?? { seconds: number("mtime"), nanoseconds: 0 },
		major: device("devmajor", extended.major, MAJOR_BITS),
		minor: device("devminor", extended.minor, MINOR_BITS),
		xattrs: extended.xattrs ?? NO_XATTRS,
		archiveOffset: place.archiveOffset,
	};
	// Only GNU's list of names follows a directory; for links and nodes the size means nothing (star keeps the target's there).
	return { entry, recordedBytes: isFile || flag === "D" ? size : 0, isOldSparse, hasChangedNumbers };
}

type NumericField = "mode" | "uid" | "gid" | "size" | "mtime" | "devmajor" | "devminor";

/** A field of the header block that has to be a number within 2^53. */
export function decodeNumber(
	view: DataView,
	name: NumericField,
	fail: (code: string, what: string, expected?: string) => never,
): number {
	const field = ustar[name];
	const value = field.decode(view, field.offset);
	if (Number.isSafeInteger(value)) return value;
	return fail("TAR_BAD_NUMBER", `header field ${name} is not a usable number`, "octal or base 256");
}

/** A field of 8 bytes that has to be a number, which base 256 may write in 63 bits. */
function decodeInt64(
	view: DataView,
	name: "uid" | "gid" | "devmajor" | "devminor",
	fail: (code: string, what: string, expected?: string) => never,
): bigint {
	const { offset } = ustar[name];
	if ((view.getUint8(offset) & 0x80) === 0) return BigInt(decodeNumber(view, name, fail));
	return BigInt.asIntN(63, view.getBigUint64(offset));
}

function pathOf(view: DataView, flag: string): ByteString {
	const name = ustar.name.decode(view, ustar.name.offset);
	const prefix = prefixOf(view, flag);
	return prefix === "" ? name : `${prefix}/${name}`;
}

function prefixOf(view: DataView, flag: string): ByteString {
	switch (magicOf(view)) {
		case "ustar": {
			const isStar = view.getUint32(star.trailer.offset) === STAR_TRAILER;
			return isStar ? star.prefix.decode(view, star.prefix.offset) : ustar.prefix.decode(view, ustar.prefix.offset);
		}
		case "gnu":
			// Go before 1.8 wrote a prefix into headers that it marked as GNU's, where the times belong.
			return flag !== "S" && Number.isNaN(gnu.atime.decode(view, gnu.atime.offset))
				? ustar.prefix.decode(view, ustar.prefix.offset)
				: "";
		default:
			return "";
	}
}

/** "ustar" then "\0" and "00" for POSIX, anything else for GNU; compared as numbers because every header is. */
function magicOf(view: DataView): "ustar" | "gnu" | "v7" {
	const { offset } = ustar.magic;
	if (view.getUint32(offset) !== MAGIC_START || view.getUint8(offset + 4) !== MAGIC_FIFTH) return "v7";
	return view.getUint16(offset + 5) === POSIX_END && view.getUint8(offset + 7) === ZERO ? "ustar" : "gnu";
}

function typeOf(
	flag: string,
	path: ByteString,
	extended: ExtendedHeader,
	fail: (code: string, what: string, expected?: string) => never,
): TarEntryType {
	if (flag === "M") fail("TAR_MULTI_VOLUME", "the continuation of a file from another volume", "a single archive");
	const type = TYPES.get(flag) ?? fail("TAR_UNSUPPORTED_TYPE", `type flag "${flag}"`, "a type of POSIX or GNU tar");
	if (extended.fileType === "socket") return "socket";
	return flag === "\0" && path.endsWith("/") ? "directory" : type;
}

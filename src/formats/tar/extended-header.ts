import type { ByteString } from "../../binary/byte-string.ts";
import type { Timestamp } from "../../tree/inode.ts";
import { type PaxRecord, parsePaxInt64, parsePaxInteger, parsePaxTime } from "./pax.ts";
import { parseSparsePairs, type SparseSegment } from "./sparse.ts";
import { decodeBase64, decodeSchilyName, decodeUrlName } from "./xattr-keyword.ts";

/** What extended headers say about one member; an absent field leaves the header block's own value. */
export interface ExtendedHeader {
	path?: ByteString;
	linkTarget?: ByteString;
	/** Bytes recorded in the archive. */
	size?: number;
	/** As recorded, of 64 bits. */
	uid?: bigint;
	gid?: bigint;
	mtime?: Timestamp;
	major?: bigint;
	minor?: bigint;
	/** star's name of the type, for types that the header block cannot say ("socket"). */
	fileType?: ByteString;
	xattrs?: Map<ByteString, Uint8Array>;
	sparse?: SparseHeader;
}

/** A PAX member whose holes were left out (GNU tar manual, "Storing Sparse Files"). */
interface SparseHeader {
	readonly realsize: number;
	/** Undefined for format 1.0, which records the map in front of the data. */
	readonly segments: SparseSegment[] | undefined;
}

/** A fault of an extended header, for the reader to report with its place. */
interface ExtendedHeaderFault {
	readonly code: string;
	readonly what: string;
	readonly expected?: string;
}

const SCHILY_XATTR = "SCHILY.xattr.";
const LIBARCHIVE_XATTR = "LIBARCHIVE.xattr.";
const GNU_SPARSE = "GNU.sparse.";

const INT64_FIELDS = new Map<ByteString, "uid" | "gid" | "major" | "minor">([
	["uid", "uid"],
	["gid", "gid"],
	["SCHILY.devmajor", "major"],
	["SCHILY.devminor", "minor"],
]);

/** Keywords that carry attributes of a file that this reader does not apply. */
const UNAPPLIED = ["SCHILY.acl.", "SCHILY.fflags", "RHT.security.selinux"];

export function isUnappliedKeyword(keyword: ByteString): boolean {
	return UNAPPLIED.some((prefix) => keyword.startsWith(prefix));
}

/**
 * The meaning of records, later ones over earlier ones. An empty value takes the keyword back, except for extended
 * attributes, whose value may be empty. Throws `ExtendedHeaderFault`s through `fail`.
 */
export function interpretPaxRecords(
	records: readonly PaxRecord[],
	fail: (fault: ExtendedHeaderFault) => never,
): ExtendedHeader {
	const header: ExtendedHeader = {};
	let archiveXattrs: Map<ByteString, Uint8Array> | undefined;
	let sparse: SparseKeywords | undefined;
	for (const { keyword, value } of records) {
		if (keyword.startsWith(SCHILY_XATTR)) {
			header.xattrs ??= new Map();
			const name = decodeSchilyName(keyword.slice(SCHILY_XATTR.length));
			header.xattrs.set(xattrName(name, fail), Uint8Array.from(value));
		} else if (keyword.startsWith(LIBARCHIVE_XATTR)) {
			archiveXattrs ??= new Map();
			const name = decodeUrlName(keyword.slice(LIBARCHIVE_XATTR.length));
			const bytes = decodeBase64(text(value)) ?? fail(badValue(keyword, text(value), "base64"));
			archiveXattrs.set(xattrName(name, fail), bytes);
		} else if (keyword.startsWith(GNU_SPARSE)) {
			sparse ??= new SparseKeywords();
			sparse.add(keyword.slice(GNU_SPARSE.length), text(value), fail);
		} else applyKeyword(header, keyword, text(value), fail);
	}
	// libarchive writes both forms; the raw one needs no decoding and so cannot differ from what was meant.
	for (const [name, value] of archiveXattrs ?? []) {
		header.xattrs ??= new Map();
		if (!header.xattrs.has(name)) header.xattrs.set(name, value);
	}
	sparse?.applyTo(header, fail);
	return header;
}

function applyKeyword(
	header: ExtendedHeader,
	keyword: ByteString,
	value: ByteString,
	fail: (fault: ExtendedHeaderFault) => never,
): void {
	const int64Field = INT64_FIELDS.get(keyword);
	if (int64Field !== undefined) {
		if (value === "") delete header[int64Field];
		else header[int64Field] = parsePaxInt64(value) ?? fail(badValue(keyword, value, "a decimal number of 64 bits"));
		return;
	}
	switch (keyword) {
		case "size":
			if (value === "") delete header.size;
			else header.size = integer(keyword, value, fail);
			break;
		case "path":
			if (value === "") delete header.path;
			else header.path = value;
			break;
		case "linkpath":
			if (value === "") delete header.linkTarget;
			else header.linkTarget = value;
			break;
		case "mtime":
			if (value === "") delete header.mtime;
			else header.mtime = parsePaxTime(value) ?? fail(badValue(keyword, value, "decimal seconds"));
			break;
		case "SCHILY.filetype":
			header.fileType = value;
			break;
		default:
	}
}

/** The `GNU.sparse.*` keywords of formats 0.0, 0.1 and 1.0, of which 0.0 repeats two. */
class SparseKeywords {
	#major: number | undefined;
	#minor: number | undefined;
	#realsize: number | undefined;
	#name: ByteString | undefined;
	#blockCount: number | undefined;
	#numbers: number[] = [];
	#hasMap = false;

	add(keyword: ByteString, value: ByteString, fail: (fault: ExtendedHeaderFault) => never): void {
		const number = (): number => integer(`${GNU_SPARSE}${keyword}`, value, fail);
		switch (keyword) {
			case "major":
				this.#major = number();
				break;
			case "minor":
				this.#minor = number();
				break;
			case "size":
			case "realsize":
				this.#realsize = number();
				break;
			case "name":
				this.#name = value;
				break;
			case "numblocks":
				this.#blockCount = number();
				break;
			case "map":
				this.#hasMap = true;
				this.#numbers = value === "" ? [] : value.split(",").map((part) => integer("GNU.sparse.map", part, fail));
				break;
			case "offset":
			case "numbytes":
				if ((this.#numbers.length % 2 === 0) !== (keyword === "offset"))
					fail({ code: "TAR_BAD_SPARSE_MAP", what: `unpaired GNU.sparse.${keyword}` });
				this.#numbers.push(number());
				break;
			default:
		}
	}

	applyTo(header: ExtendedHeader, fail: (fault: ExtendedHeaderFault) => never): void {
		const version = `${this.#major ?? 0}.${this.#minor ?? (this.#hasMap ? 1 : 0)}`;
		if (version !== "0.0" && version !== "0.1" && version !== "1.0")
			fail({ code: "TAR_UNSUPPORTED_SPARSE", what: `sparse format ${version}`, expected: "0.0, 0.1 or 1.0" });
		const isSparse = version === "1.0" || this.#hasMap || this.#blockCount !== undefined || this.#numbers.length > 0;
		if (!isSparse) return;
		if (this.#realsize === undefined || this.#realsize < 0)
			fail({ code: "TAR_BAD_SPARSE_MAP", what: "a sparse file without its real size" });
		const realsize = this.#realsize;
		if (this.#name !== undefined && this.#name !== "") header.path = this.#name;
		if (version === "1.0") {
			header.sparse = { realsize, segments: undefined };
			return;
		}
		const segments = parseSparsePairs(this.#numbers);
		if (segments === undefined || (this.#blockCount !== undefined && this.#blockCount !== segments.length))
			fail({
				code: "TAR_BAD_SPARSE_MAP",
				what: `a sparse map of ${this.#numbers.length} numbers`,
				expected: `${this.#blockCount ?? "some"} pairs`,
			});
		header.sparse = { realsize, segments };
	}
}

function integer(keyword: ByteString, value: ByteString, fail: (fault: ExtendedHeaderFault) => never): number {
	const number = parsePaxInteger(value);
	return Number.isNaN(number) ? fail(badValue(keyword, value, "a decimal number of at most 2^53 - 1")) : number;
}

function xattrName(name: ByteString, fail: (fault: ExtendedHeaderFault) => never): ByteString {
	if (name !== "" && !name.includes("\0")) return name;
	return fail({ code: "TAR_BAD_PAX_RECORD", what: "an extended attribute without a usable name" });
}

function badValue(keyword: ByteString, value: ByteString, expected: string): ExtendedHeaderFault {
	const shown = value.length > 40 ? `${value.slice(0, 40)}…` : value;
	return { code: "TAR_BAD_PAX_RECORD", what: `PAX keyword ${keyword} is "${shown}"`, expected };
}

function text(value: Uint8Array): ByteString {
	return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("latin1");
}

import type { ByteSource } from "../binary/byte-source.ts";
import { record, from0 as tar } from "../binary/record.ts";
import { alignUp } from "../binary/units.ts";
import { corrupt, type Oci2isoError } from "../errors.ts";

/** Where one regular file's bytes are in an archive. */
export interface ArchiveMember {
	readonly position: number;
	readonly byteLength: number;
}

export interface ArchiveIndex {
	/** By path relative to the archive's root; symbolic and hard links are followed inside the archive. */
	find(path: string): ArchiveMember | undefined;
}

const BLOCK_BYTES = 512;
const MAX_MEMBERS = 100_000;
const MAX_EXTENDED_HEADER_BYTES = 1024 * 1024;
const MAX_LINKS = 40;

/** POSIX.1-2024 pax, "ustar Interchange Format"; numbers are octal text, or base 256 where the first bit is set (GNU). */
const header = record("ustar header", BLOCK_BYTES, {
	name: tar.text(0, 100, "\0"),
	size: tar.bytes(124, 12),
	checksum: tar.bytes(148, 8),
	typeflag: tar.text(156, 1, "\0"),
	linkname: tar.text(157, 100, "\0"),
	magic: tar.text(257, 6, "\0"),
	prefix: tar.text(345, 155, "\0"),
});

type Member = ArchiveMember | { readonly linkTo: string };

/**
 * Lists an image archive (the outer one, which container tools write) by its headers alone; bodies are skipped. `checkpoint` runs before each header.
 * Throws `Oci2isoError` ARCHIVE_INVALID or ARCHIVE_TRUNCATED (exit 5).
 */
export async function indexArchive(source: ByteSource, where: string, checkpoint?: () => void): Promise<ArchiveIndex> {
	const members = new Map<string, Member>();
	let pending: ExtendedHeader = {};
	let position = 0;
	for (let count = 0; position < source.byteLength; count++) {
		checkpoint?.();
		if (count >= MAX_MEMBERS) throw invalid("archive has too many members", where, position, `at most ${MAX_MEMBERS}`);
		const block = await readAt(source, position, BLOCK_BYTES, where);
		if (block.every((byte) => byte === 0)) break;
		const fields = header.decode(block);
		if (parseNumber(fields.checksum) !== checksumOf(block))
			throw invalid("no tar header, or a damaged one", where, position, "a tar archive");
		const byteLength = pending.size ?? parseNumber(fields.size);
		const body = position + BLOCK_BYTES;
		if (byteLength === undefined) throw invalid("member has no valid size", where, position);
		const hasBody = !"123456".includes(fields.typeflag) || fields.typeflag === "";
		const end = body + (hasBody ? byteLength : 0);
		if (end > source.byteLength) throw truncated(where, position);
		position = Math.min(body + (hasBody ? alignUp(byteLength, BLOCK_BYTES) : 0), source.byteLength);

		if ("xgLK".includes(fields.typeflag) && fields.typeflag !== "") {
			if (byteLength > MAX_EXTENDED_HEADER_BYTES)
				throw invalid(`extended header of ${byteLength} bytes`, where, body, `at most ${MAX_EXTENDED_HEADER_BYTES}`);
			const bytes = Buffer.from(await readAt(source, body, byteLength, where));
			if (fields.typeflag === "x") pending = { ...pending, ...parsePax(bytes, where, body) };
			else if (fields.typeflag === "L") pending = { ...pending, path: cString(bytes) };
			else if (fields.typeflag === "K") pending = { ...pending, linkPath: cString(bytes) };
			continue;
		}
		const prefixed =
			fields.magic === "ustar" && fields.prefix !== "" ? `${cut(fields.prefix)}/${cut(fields.name)}` : cut(fields.name);
		const path = cleanPath(pending.path ?? prefixed, "");
		const linkPath = pending.linkPath ?? cut(fields.linkname);
		pending = {};
		if (path === undefined) continue;
		if (fields.typeflag === "2" || fields.typeflag === "1") {
			const linkTo = cleanPath(linkPath, fields.typeflag === "2" ? parentOf(path) : "");
			if (linkTo !== undefined) members.set(path, { linkTo });
		} else if (fields.typeflag === "0" || fields.typeflag === "" || fields.typeflag === "7") {
			members.set(path, { position: body, byteLength });
		} else if (fields.typeflag === "S") {
			throw invalid("archive holds a sparse member", where, body, "members stored in full");
		}
	}
	return { find: (path) => follow(members, path) };
}

function follow(members: ReadonlyMap<string, Member>, path: string): ArchiveMember | undefined {
	let at = cleanPath(path, "");
	for (let links = 0; at !== undefined && links <= MAX_LINKS; links++) {
		const member = members.get(at);
		if (member === undefined || "position" in member) return member;
		at = member.linkTo;
	}
	return undefined;
}

interface ExtendedHeader {
	readonly path?: string;
	readonly linkPath?: string;
	readonly size?: number;
}

/** Records `LENGTH KEY=VALUE\n`, where LENGTH is decimal and counts the whole record. */
function parsePax(bytes: Buffer, where: string, offset: number): ExtendedHeader {
	let found: ExtendedHeader = {};
	for (let at = 0; at < bytes.byteLength; ) {
		const match = /^(\d{1,7}) ([^=]+)=/.exec(bytes.toString("latin1", at, at + 64));
		const end = at + Number(match?.[1]);
		const start = at + (match?.[0].length ?? 0);
		if (match === null || end > bytes.byteLength || end <= start || bytes[end - 1] !== 0x0a) {
			// keys beyond 64 bytes are none of those looked for, yet their record must be skipped rightly
			const length = /^(\d{1,7}) /.exec(bytes.toString("latin1", at, at + 9))?.[1];
			const next = at + Number(length);
			if (
				match !== null ||
				length === undefined ||
				next <= at + length.length + 1 ||
				next > bytes.byteLength ||
				bytes[next - 1] !== 0x0a
			)
				throw invalid("PAX header is malformed", where, offset + at);
			at = next;
			continue;
		}
		const value = bytes.toString("latin1", start, end - 1);
		if (match[2] === "path") found = { ...found, path: value };
		else if (match[2] === "linkpath") found = { ...found, linkPath: value };
		else if (match[2] === "size") {
			const size = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
			if (!Number.isSafeInteger(size)) throw invalid("PAX size is no number", where, offset + at);
			found = { ...found, size };
		} else if (match[2]?.startsWith("GNU.sparse.")) {
			throw invalid("archive holds a sparse member", where, offset, "members stored in full");
		}
		at = end;
	}
	return found;
}

/** Relative path without `.` and empty components; `..` is resolved against `base` and undefined where it leaves the archive. */
function cleanPath(path: string, base: string): string | undefined {
	const parts = base === "" || path.startsWith("/") ? [] : base.split("/");
	for (const part of path.split("/")) {
		if (part === "" || part === ".") continue;
		if (part !== "..") parts.push(part);
		else if (parts.pop() === undefined) return undefined;
	}
	return parts.join("/");
}

function parentOf(path: string): string {
	const slash = path.lastIndexOf("/");
	return slash < 0 ? "" : path.slice(0, slash);
}

function cut(text: string): string {
	const nul = text.indexOf("\0");
	return nul < 0 ? text : text.slice(0, nul);
}

function cString(bytes: Buffer): string {
	return cut(bytes.toString("latin1"));
}

function parseNumber(field: Uint8Array): number | undefined {
	const [first = 0] = field;
	if ((first & 0x80) !== 0) {
		let value = first & 0x7f;
		for (const byte of field.subarray(1)) value = value * 256 + byte;
		return first !== 0xff && Number.isSafeInteger(value) ? value : undefined;
	}
	const text = Buffer.from(field).toString("latin1");
	const digits = /^ *([0-7]*)[ \0]*$/.exec(text)?.[1];
	return digits === undefined ? undefined : Number.parseInt(digits || "0", 8);
}

/** The sum of the header's bytes, the checksum field itself taken as spaces. */
function checksumOf(block: Uint8Array): number {
	let sum = 0;
	for (const [at, byte] of block.entries()) sum += at >= 148 && at < 156 ? 0x20 : byte;
	return sum;
}

async function readAt(source: ByteSource, position: number, length: number, where: string): Promise<Uint8Array> {
	if (position + length > source.byteLength) throw truncated(where, position);
	return await source.read(position, length);
}

function truncated(where: string, position: number): Oci2isoError {
	return corrupt("ARCHIVE_TRUNCATED", "archive ends inside a member", `${where}, offset ${position}`);
}

function invalid(what: string, where: string, position: number, expected?: string): Oci2isoError {
	return corrupt("ARCHIVE_INVALID", what, `${where}, offset ${position}`, expected);
}

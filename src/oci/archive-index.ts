import type { ByteSource } from "../binary/byte-source.ts";
import { alignUp } from "../binary/units.ts";
import { corrupt, type Oci2isoError } from "../errors.ts";
import { TAR_BLOCK_BYTES, ustarHeader } from "../formats/tar/header.ts";
import { parsePaxInteger, parsePaxRecords } from "../formats/tar/pax.ts";

/** Where one regular file's bytes are in an archive. */
export interface ArchiveMember {
	readonly position: number;
	readonly byteLength: number;
}

export interface ArchiveIndex {
	/** By path relative to the archive's root; symbolic and hard links are followed inside the archive. */
	find(path: string): ArchiveMember | undefined;
}

const MAX_MEMBERS = 100_000;
const MAX_EXTENDED_HEADER_BYTES = 1024 * 1024;
const MAX_LINKS = 40;

type Member = ArchiveMember | { readonly linkTo: string };

/** What extended headers (PAX `x`, GNU `L` and `K`) say about the member after them. */
interface Extended {
	readonly path?: string;
	readonly linkPath?: string;
	readonly size?: number;
}

/**
 * Lists an image archive (the outer one, which container tools write) by its headers alone; bodies are skipped. `checkpoint` runs before each header.
 * Throws `Oci2isoError` ARCHIVE_INVALID or ARCHIVE_TRUNCATED (exit 5).
 */
export async function indexArchive(source: ByteSource, where: string, checkpoint?: () => void): Promise<ArchiveIndex> {
	const members = new Map<string, Member>();
	let extended: Extended = {};
	let position = 0;
	for (let count = 0; position < source.byteLength; count++) {
		checkpoint?.();
		if (count >= MAX_MEMBERS) throw invalid("archive has too many members", where, position, `at most ${MAX_MEMBERS}`);
		const block = await readAt(source, position, TAR_BLOCK_BYTES, where);
		if (block.every((byte) => byte === 0)) break;
		const { name, size, chksum, typeflag, linkname, magic, prefix } = ustarHeader.decode(block);
		if (chksum !== checksumOf(block))
			throw invalid("no tar header, or a damaged one", where, position, "a tar archive");
		const type = typeflag === 0 ? "0" : String.fromCharCode(typeflag);
		const stored = WITHOUT_BODY.has(type) ? 0 : (extended.size ?? size);
		if (!Number.isSafeInteger(stored) || stored < 0) throw invalid("member has no valid size", where, position);
		const body = position + TAR_BLOCK_BYTES;
		if (body + stored > source.byteLength) throw truncated(where, position);
		position = body + alignUp(stored, TAR_BLOCK_BYTES);

		if (EXTENDED_HEADERS.has(type)) {
			if (stored > MAX_EXTENDED_HEADER_BYTES)
				throw invalid(`extended header of ${stored} bytes`, where, body, `at most ${MAX_EXTENDED_HEADER_BYTES}`);
			extended = { ...extended, ...parseExtended(type, await readAt(source, body, stored, where), where, body) };
			continue;
		}
		const ustarName = magic.startsWith("ustar\0") && prefix !== "" ? `${prefix}/${name}` : name;
		const path = cleanPath(extended.path ?? ustarName, "");
		const link = extended.linkPath ?? linkname;
		extended = {};
		if (path === undefined) continue;
		const linkTo = type === "1" ? cleanPath(link, "") : type === "2" ? cleanPath(link, parentOf(path)) : undefined;
		if (linkTo !== undefined) members.set(path, { linkTo });
		else if (type === "0" || type === "7") members.set(path, { position: body, byteLength: stored });
		else if (type === "S") throw invalid("archive holds a sparse member", where, body, "members stored in full");
	}
	return { find: (path) => follow(members, path) };
}

/** Links, devices, directories and fifos: their size field says nothing about bytes that follow. */
const WITHOUT_BODY = new Set(["1", "2", "3", "4", "5", "6"]);
/** A global PAX header (`g`) says nothing that matters here, and is skipped as one. */
const EXTENDED_HEADERS = new Set(["x", "g", "L", "K"]);

function parseExtended(type: string, bytes: Uint8Array, where: string, offset: number): Extended {
	const text = Buffer.from(bytes).toString("latin1");
	if (type === "L") return { path: untilNul(text) };
	if (type === "K") return { linkPath: untilNul(text) };
	if (type === "g") return {};
	const records = parsePaxRecords(bytes);
	if ("malformedAt" in records) throw invalid("PAX header is malformed", where, offset + records.malformedAt);
	let extended: Extended = {};
	for (const { keyword, value } of records) {
		const decoded = Buffer.from(value).toString("latin1");
		if (keyword === "path") extended = { ...extended, path: decoded };
		else if (keyword === "linkpath") extended = { ...extended, linkPath: decoded };
		else if (keyword === "size") extended = { ...extended, size: parsePaxInteger(decoded) };
		else if (keyword.startsWith("GNU.sparse."))
			throw invalid("archive holds a sparse member", where, offset, "members stored in full");
	}
	return extended;
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

function untilNul(text: string): string {
	const nul = text.indexOf("\0");
	return nul < 0 ? text : text.slice(0, nul);
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

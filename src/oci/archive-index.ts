import type { ByteSource } from "../binary/byte-source.ts";
import { corrupt, Oci2isoError } from "../errors.ts";
import type { TarHandler } from "../formats/tar/entry.ts";
import { TAR_BLOCK_BYTES } from "../formats/tar/header.ts";
import { TarReader } from "../formats/tar/reader.ts";

/** Where one regular file's bytes are in an archive. */
interface ArchiveMember {
	readonly position: number;
	readonly byteLength: number;
}

export interface ArchiveIndex {
	/** By path relative to the archive's root; symbolic and hard links are followed inside the archive. */
	find(path: string): ArchiveMember | undefined;
}

/** Blocks of headers. */
const MAX_BLOCKS = 200_000;
const MAX_LINKS = 40;

type Member = ArchiveMember | { readonly linkTo: string };

/**
 * Lists an image archive (the outer one, which container tools write) by its headers alone; bodies are skipped. `checkpoint` runs before each header.
 * Throws `Oci2isoError` ARCHIVE_INVALID or ARCHIVE_TRUNCATED (exit 5).
 */
export async function indexArchive(source: ByteSource, where: string, checkpoint?: () => void): Promise<ArchiveIndex> {
	const members = new Map<string, Member>();
	const handler: TarHandler = {
		entry({ type, path, linkTarget, byteLength }) {
			const name = cleanPath(path, "");
			if (name === undefined) return;
			const base = type === "hard-link" ? "" : type === "symlink" ? parentOf(name) : undefined;
			const linkTo = base === undefined ? undefined : cleanPath(linkTarget, base);
			if (linkTo !== undefined) members.set(name, { linkTo });
			else if (type === "file") members.set(name, { position: reader.offset, byteLength });
		},
		data() {},
		hole() {
			throw invalid("archive holds a sparse member", `${where}, offset ${reader.offset}`, "members stored in full");
		},
		endEntry() {},
	};
	const reader = new TarReader(handler, { origin: where });
	try {
		for (let blocks = 0; reader.offset < source.byteLength; blocks++) {
			checkpoint?.();
			if (blocks === MAX_BLOCKS) throw invalid("archive has too many members", where, `at most ${MAX_BLOCKS} headers`);
			const left = source.byteLength - reader.offset;
			reader.push(await source.read(reader.offset, Math.min(TAR_BLOCK_BYTES, left)));
			reader.passOver(source.byteLength - reader.offset);
		}
		reader.finish();
	} catch (error) {
		if (!(error instanceof Oci2isoError) || !error.code.startsWith("TAR_")) throw error;
		if (error.code !== "TAR_TRUNCATED") throw invalid(error.what, error.where, error.expected);
		throw corrupt("ARCHIVE_TRUNCATED", "archive ends inside a member", error.where);
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

function invalid(what: string, where: string | undefined, expected?: string): Oci2isoError {
	return corrupt("ARCHIVE_INVALID", what, where, expected);
}

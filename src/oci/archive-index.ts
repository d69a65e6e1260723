import type { ByteSource } from "../binary/byte-source.ts";
import { corrupt, Oci2isoError } from "../errors.ts";
import type { TarEntry, TarHandler } from "../formats/tar/entry.ts";
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

const MAX_MEMBERS = 200_000;
/** Of headers, in a file. */
const MAX_BLOCKS = 200_000;
const MAX_LINKS = 40;

type Member = ArchiveMember | { readonly linkTo: string };

/** Lists an image archive (the outer one, which container tools write) by its headers alone. Throws `Oci2isoError` ARCHIVE_INVALID or ARCHIVE_TRUNCATED (exit 5). */
export class ArchiveIndexer {
	readonly #where: string;
	readonly #members = new Map<string, Member>();
	readonly #reader: TarReader;
	#entries = 0;

	constructor(where: string) {
		this.#where = where;
		const handler: TarHandler = {
			entry: (entry) => this.#add(entry),
			data() {},
			hole: () => {
				const at = `${where}, offset ${this.#reader.offset}`;
				throw invalid("archive holds a sparse member", at, "members stored in full");
			},
			endEntry() {},
		};
		this.#reader = new TarReader(handler, { origin: where });
	}

	get offset(): number {
		return this.#reader.offset;
	}

	/** What follows is no part of the archive. */
	get isAtEnd(): boolean {
		return this.#reader.isAtEnd;
	}

	push(chunk: Uint8Array): void {
		this.#asOurs(() => this.#reader.push(chunk));
	}

	/** Passes over contents, of at most `maxBytes`. */
	passOver(maxBytes: number): void {
		this.#reader.passOver(maxBytes);
	}

	finish(): ArchiveIndex {
		this.#asOurs(() => this.#reader.finish());
		return { find: (path) => follow(this.#members, path) };
	}

	#add({ type, path, linkTarget, byteLength }: TarEntry): void {
		if (++this.#entries > MAX_MEMBERS) throw tooMany(this.#where);
		const name = cleanPath(path, "");
		if (name === undefined) return;
		const base = type === "hard-link" ? "" : type === "symlink" ? parentOf(name) : undefined;
		const linkTo = base === undefined ? undefined : cleanPath(linkTarget, base);
		if (linkTo !== undefined) this.#members.set(name, { linkTo });
		else if (type === "file") this.#members.set(name, { position: this.#reader.offset, byteLength });
	}

	#asOurs(read: () => void): void {
		try {
			read();
		} catch (error) {
			if (!(error instanceof Oci2isoError) || !error.code.startsWith("TAR_")) throw error;
			if (this.#entries === 0 && this.#reader.offset <= TAR_BLOCK_BYTES)
				throw invalid("it is no tar archive", this.#where, TAR);
			if (error.code !== "TAR_TRUNCATED") throw invalid(error.what, error.where, error.expected ?? TAR);
			throw corrupt("ARCHIVE_TRUNCATED", "archive ends inside a member", error.where);
		}
	}
}

/** The same of a file, whose contents are not read. `checkpoint` runs before each header. */
export async function indexArchive(source: ByteSource, where: string, checkpoint?: () => void): Promise<ArchiveIndex> {
	const indexer = new ArchiveIndexer(where);
	for (let blocks = 0; indexer.offset < source.byteLength; blocks++) {
		checkpoint?.();
		if (blocks === MAX_BLOCKS) throw tooMany(where);
		const left = source.byteLength - indexer.offset;
		indexer.push(await source.read(indexer.offset, Math.min(TAR_BLOCK_BYTES, left)));
		indexer.passOver(source.byteLength - indexer.offset);
	}
	return indexer.finish();
}

const TAR = "an image archive, which is a tar archive";

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

function tooMany(where: string): Oci2isoError {
	return invalid("archive has too many members", where, `at most ${MAX_BLOCKS} headers`);
}

function invalid(what: string, where: string | undefined, expected?: string): Oci2isoError {
	return corrupt("ARCHIVE_INVALID", what, where, expected);
}

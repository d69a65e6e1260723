import { createHash } from "node:crypto";
import { type ByteString, byteStringFromText } from "../../src/binary/byte-string.ts";
import type { BlockCompressor } from "../../src/codec/types.ts";
import type { StoredFile } from "../../src/content/stored-data.ts";
import type { RootWriter } from "../../src/rootfs/root-file-system.ts";
import {
	type SquashfsSummary,
	SquashfsWriter,
	type SquashfsWriterOptions,
} from "../../src/rootfs/squashfs/squashfs-writer.ts";
import type {
	DeviceInode,
	DirectoryInode,
	FileInode,
	Inode,
	InodeAttributes,
	IpcInode,
	SymlinkInode,
	Timestamp,
} from "../../src/tree/inode.ts";

/** Bytes, or so many zeros as a hole. */
export type ContentPart = Uint8Array | { readonly hole: number };

/** Trees for tests, with the contents of their files. */
export class TreeBuilder {
	readonly contents = new Map<FileInode, readonly ContentPart[]>();
	#entry = 0;

	directory(children: Readonly<Record<string, Inode>> = {}, attributes: Attributes = {}): DirectoryInode {
		const named = Object.entries(children).map(([name, inode]) => [byteStringFromText(name), inode] as const);
		return { type: "directory", ...withDefaults(0o755, attributes), entries: new Map(named) };
	}

	file(content: string | Uint8Array | readonly ContentPart[], attributes: Attributes = {}): FileInode {
		const parts =
			typeof content === "string" ? [Buffer.from(content)] : content instanceof Uint8Array ? [content] : content;
		const byteLength = parts.reduce((sum, part) => sum + ("hole" in part ? part.hole : part.byteLength), 0);
		const inode: FileInode = {
			type: "file",
			...withDefaults(0o644, attributes),
			byteLength,
			layer: 0,
			entry: this.#entry++,
		};
		this.contents.set(inode, parts);
		return inode;
	}

	symlink(target: ByteString, attributes: Attributes = {}): SymlinkInode {
		return { type: "symlink", ...withDefaults(0o777, attributes), target };
	}

	device(type: DeviceInode["type"], major: number, minor: number, attributes: Attributes = {}): DeviceInode {
		return { type, ...withDefaults(0o600, attributes), major, minor };
	}

	ipc(type: IpcInode["type"], attributes: Attributes = {}): IpcInode {
		return { type, ...withDefaults(0o600, attributes) };
	}
}

export interface Attributes {
	readonly mode?: number;
	readonly uid?: number;
	readonly gid?: number;
	readonly mtime?: number | Timestamp;
	readonly xattrs?: Readonly<Record<string, Uint8Array | string>>;
}

function withDefaults(mode: number, attributes: Attributes): InodeAttributes {
	const { mtime = 1_700_000_000, xattrs = {} } = attributes;
	return {
		mode: attributes.mode ?? mode,
		uid: attributes.uid ?? 0,
		gid: attributes.gid ?? 0,
		mtime: typeof mtime === "number" ? { seconds: mtime, nanoseconds: 0 } : mtime,
		xattrs: new Map(
			Object.entries(xattrs).map(([name, value]) => [
				byteStringFromText(name),
				typeof value === "string" ? Buffer.from(value) : value,
			]),
		),
	};
}

export type ImageOptions = Omit<SquashfsWriterOptions, "sink" | "compressor" | "modificationTimeSeconds">;

export interface WrittenImage {
	readonly summary: SquashfsSummary;
	readonly writer: SquashfsWriter;
	readonly stored: ReadonlyMap<FileInode, StoredFile>;
}

/** Regular files of a tree, each once, in the order of their names. */
export function* filesOf(directory: DirectoryInode, seen: Set<Inode> = new Set()): Generator<FileInode> {
	for (const name of [...directory.entries.keys()].sort()) {
		const inode = directory.entries.get(name);
		if (inode === undefined || seen.has(inode)) continue;
		seen.add(inode);
		if (inode.type === "directory") yield* filesOf(inode, seen);
		else if (inode.type === "file") yield inode;
	}
}

/** Writes the whole image through the writer, as an assembler would. */
export async function writeTree(
	root: DirectoryInode,
	partsOf: (file: FileInode) => Iterable<ContentPart> | AsyncIterable<ContentPart>,
	sink: SquashfsWriterOptions["sink"],
	compressor: BlockCompressor,
	options: ImageOptions,
): Promise<WrittenImage> {
	const writer = new SquashfsWriter({ sink, compressor, modificationTimeSeconds: 1_700_000_000, ...options });
	const stored = await storeContents(writer, root, partsOf);
	const summary = writer.finish(root, placeIn(stored));
	return { summary, writer, stored };
}

/** Gives all contents of a tree to a writer. */
export async function storeContents(
	writer: RootWriter,
	root: DirectoryInode,
	partsOf: (file: FileInode) => Iterable<ContentPart> | AsyncIterable<ContentPart>,
): Promise<Map<FileInode, StoredFile>> {
	const stored = new Map<FileInode, StoredFile>();
	for (const file of filesOf(root)) {
		writer.data.beginFile();
		for await (const part of partsOf(file)) {
			if ("hole" in part) writer.data.appendHole(part.hole);
			else writer.data.append(part);
			await writer.data.settle();
		}
		stored.set(file, writer.data.endFile());
		await writer.data.settle();
	}
	await writer.data.finish();
	return stored;
}

export function placeIn(stored: ReadonlyMap<FileInode, StoredFile>): (file: FileInode) => StoredFile {
	return (file) => {
		const place = stored.get(file);
		if (place === undefined) throw new Error("a file was not stored");
		return place;
	};
}

/** A sink in memory. */
export class MemorySink {
	#bytes = Buffer.alloc(1 << 16);
	#length = 0;

	write(position: number, bytes: Uint8Array): void {
		const end = position + bytes.byteLength;
		if (end > this.#bytes.byteLength) {
			const grown = Buffer.alloc(Math.max(end, 2 * this.#bytes.byteLength));
			grown.set(this.#bytes);
			this.#bytes = grown;
		}
		this.#bytes.set(bytes, position);
		this.#length = Math.max(this.#length, end);
	}

	readNow(position: number, length: number): Buffer {
		return this.#bytes.subarray(position, position + length);
	}

	bytes(byteLength: number = this.#length): Buffer {
		return this.#bytes.subarray(0, byteLength);
	}
}

/** One path of a tree as plain values, for comparing trees. */
export type PathFacts = Readonly<Record<string, unknown>>;

/**
 * Each path's attributes, and for a file a digest of its content. Hard links show as the first path of the same inode.
 * `contentOf` gives a file's bytes. Parts of seconds are compared where that is asked for.
 */
export async function treeFacts<File extends { readonly type: "file"; readonly byteLength: number }>(
	root: AnyDirectory<File>,
	contentOf: (file: File) => Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
	{ nanoseconds = false } = {},
): Promise<Map<string, PathFacts>> {
	const facts = new Map<string, PathFacts>();
	const first = new Map<unknown, string>();
	const visit = async (path: string, inode: AnyInode<File>): Promise<void> => {
		const link = first.get(inode);
		if (link !== undefined) {
			facts.set(path, { link });
			return;
		}
		first.set(inode, path);
		const { type, mode, uid, gid, mtime } = inode;
		const xattrs = [...inode.xattrs].map(([name, value]) => `${name}=${Buffer.from(value).toString("hex")}`).sort();
		const common = { type, mode, uid, gid, seconds: mtime.seconds, ...(nanoseconds && mtime), xattrs };
		switch (inode.type) {
			case "directory":
				facts.set(path, common);
				for (const name of [...inode.entries.keys()].sort()) {
					const child = inode.entries.get(name);
					if (child !== undefined) await visit(`${path}/${name}`, child);
				}
				break;
			case "file":
				facts.set(path, { ...common, byteLength: inode.byteLength, sha256: await sha256OfChunks(contentOf(inode)) });
				break;
			case "symlink":
				facts.set(path, { ...common, target: inode.target });
				break;
			case "block-device":
			case "character-device":
				facts.set(path, { ...common, major: inode.major, minor: inode.minor });
				break;
			default:
				facts.set(path, common);
		}
	};
	await visit("", root);
	return facts;
}

type AnyDirectory<File> = InodeAttributes & {
	readonly type: "directory";
	readonly entries: Map<ByteString, AnyInode<File>>;
};
type AnyInode<File> = (InodeAttributes & File) | AnyDirectory<File> | SymlinkInode | DeviceInode | IpcInode;

/** Of a content, in pieces. */
export async function sha256OfChunks(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<string> {
	const hash = createHash("sha256");
	for await (const chunk of chunks) hash.update(chunk);
	return hash.digest("hex");
}

/** A content with its holes as zeros. */
export function* withZeros(parts: Iterable<ContentPart>): Generator<Uint8Array> {
	for (const part of parts) {
		if (!("hole" in part)) yield part;
		else for (let rest = part.hole; rest > 0; rest -= ZEROS.byteLength) yield ZEROS.subarray(0, rest);
	}
}

const ZEROS = new Uint8Array(1 << 20);

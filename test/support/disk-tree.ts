import {
	closeSync,
	createReadStream,
	lstatSync,
	openSync,
	readdirSync,
	readlinkSync,
	readSync,
	writeSync,
} from "node:fs";
import type { ByteSource } from "../../src/binary/byte-source.ts";
import type { DirectoryInode, FileInode, Inode, InodeAttributes, Timestamp } from "../../src/tree/inode.ts";
import { run } from "./run.ts";

/** A directory of this machine as a tree. */
export interface DiskTree {
	readonly root: DirectoryInode;
	readonly paths: ReadonlyMap<FileInode, Buffer>;
}

/** Everything below `path`, with extended attributes (needs `getfattr`) and hard-link groups. */
export async function diskTree(path: string): Promise<DiskTree> {
	const xattrs = await xattrsBelow(path);
	const paths = new Map<FileInode, Buffer>();
	const byNumber = new Map<bigint, Inode>();
	const read = (at: string): Inode => {
		const place = Buffer.from(at, "latin1");
		const stat = lstatSync(place, { bigint: true });
		const known = byNumber.get(stat.ino);
		if (known !== undefined) return known;
		const attributes: InodeAttributes = {
			mode: Number(stat.mode & 0o7777n),
			uid: Number(stat.uid),
			gid: Number(stat.gid),
			mtime: timestamp(stat.mtimeNs),
			xattrs: xattrs.get(at) ?? new Map(),
		};
		const inode = inodeOf(attributes, Number(stat.mode & 0o170000n), stat.rdev, Number(stat.size), place);
		if (inode.type === "file") paths.set(inode, place);
		if (inode.type !== "directory") byNumber.set(stat.ino, inode);
		else for (const name of readdirSync(place, { encoding: "latin1" })) inode.entries.set(name, read(`${at}/${name}`));
		return inode;
	};
	const root = read(path);
	if (root.type !== "directory") throw new Error(`${path} is not a directory`);
	return { root, paths };
}

export function contentOnDisk({ paths }: DiskTree, file: FileInode): AsyncIterable<Uint8Array> {
	const path = paths.get(file);
	if (path === undefined) throw new Error("the file is not of this tree");
	return createReadStream(path, { highWaterMark: 1 << 20 });
}

function inodeOf(attributes: InodeAttributes, format: number, rdev: bigint, byteLength: number, place: Buffer): Inode {
	const device = {
		...attributes,
		major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xffff_f000n)),
		minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffff_ff00n)),
	};
	switch (format) {
		case 0o040000:
			return { type: "directory", ...attributes, entries: new Map() };
		case 0o100000:
			return { type: "file", ...attributes, byteLength, layer: 0, entry: 0 };
		case 0o120000:
			return { type: "symlink", ...attributes, target: readlinkSync(place, { encoding: "latin1" }) };
		case 0o060000:
			return { type: "block-device", ...device };
		case 0o020000:
			return { type: "character-device", ...device };
		case 0o010000:
			return { type: "fifo", ...attributes };
		default:
			return { type: "socket", ...attributes };
	}
}

function timestamp(nanoseconds: bigint): Timestamp {
	const part = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
	return { seconds: Number((nanoseconds - part) / 1_000_000_000n), nanoseconds: Number(part) };
}

async function xattrsBelow(path: string): Promise<Map<string, Map<string, Uint8Array>>> {
	const text = await run("getfattr", ["-R", "-P", "-h", "-d", "-m", "-", "-e", "hex", "--absolute-names", path]).catch(
		(error: unknown) => {
			// A file system without any attributes.
			if (String(error).includes("Operation not supported")) return "";
			throw error;
		},
	);
	const found = new Map<string, Map<string, Uint8Array>>();
	let current = new Map<string, Uint8Array>();
	for (const line of text.split("\n")) {
		if (line.startsWith("# file: ")) {
			const escaped = Buffer.from(line.slice("# file: ".length), "utf8").toString("latin1");
			current = new Map();
			found.set(unescaped(escaped), current);
		} else if (line !== "") {
			const at = line.lastIndexOf("=0x");
			const name = unescaped(at === -1 ? line.replace(/=$/, "") : line.slice(0, at));
			current.set(name, at === -1 ? new Uint8Array(0) : Buffer.from(line.slice(at + 3), "hex"));
		}
	}
	return found;
}

function unescaped(text: string): string {
	return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** A file for writing an image to and reading it back. */
export class ImageFile implements ByteSource {
	readonly #descriptor: number;
	readonly #holes: boolean;
	#byteLength = 0;

	/** With `holes`, zeros at the end of a write are not written: for images whose every byte is written once. */
	constructor(path: string, holes = false) {
		this.#descriptor = openSync(path, "w+");
		this.#holes = holes;
	}

	get byteLength(): number {
		return this.#byteLength;
	}

	write(position: number, bytes: Uint8Array): void {
		const end = this.#holes ? lengthBeforeZeros(bytes) : bytes.byteLength;
		for (let at = 0; at < end; ) at += writeSync(this.#descriptor, bytes, at, end - at, position + at);
		this.#byteLength = Math.max(this.#byteLength, position + bytes.byteLength);
	}

	read(position: number, length: number): Promise<Uint8Array> {
		return Promise.resolve(this.readNow(position, length));
	}

	readNow(position: number, length: number): Buffer {
		return readAt(this.#descriptor, position, length);
	}

	close(): void {
		closeSync(this.#descriptor);
	}
}

const ZEROS = Buffer.alloc(65_536);

/** To the last stretch of 64 KiB that has anything but zeros. */
function lengthBeforeZeros(bytes: Uint8Array): number {
	let end = bytes.byteLength;
	while (end > 0) {
		const tail = bytes.subarray(Math.max(0, end - ZEROS.byteLength), end);
		if (!ZEROS.subarray(0, tail.byteLength).equals(tail)) break;
		end -= tail.byteLength;
	}
	return end;
}

function readAt(descriptor: number, position: number, length: number): Buffer {
	const bytes = Buffer.alloc(length);
	const count = readSync(descriptor, bytes, 0, length, position);
	if (count !== length) throw new Error(`read ${count} of ${length} bytes at ${position}`);
	return bytes;
}

/** An image made by another tool. */
export function openFile(path: string): ByteSource & { close(): void } {
	const descriptor = openSync(path, "r");
	return {
		byteLength: Number(lstatSync(path).size),
		read: (position, length) => Promise.resolve(readAt(descriptor, position, length)),
		close: () => closeSync(descriptor),
	};
}

import type { ByteQueue } from "../../binary/byte-queue.ts";
import type { ByteString } from "../../binary/byte-string.ts";
import { GiB, MiB } from "../../binary/units.ts";
import { NO_XATTRS } from "../../binary/xattrs.ts";
import { type CpioEntry, CpioFault, CpioReader } from "../../formats/cpio/cpio.ts";
import { ROOT_FILE_SYSTEM_NAMES } from "../../rootfs/root-file-system.ts";
import type { Found } from "../../tree/image-tree.ts";
import type { BodyId, DirectoryInode, Inode, InodeAttributes } from "../../tree/inode.ts";
import { createLookup } from "../../tree/lookup.ts";
import { lookupQuietly } from "../../tree/lookup-quietly.ts";
import { cleanPath, parentLength } from "../../tree/path.ts";
import type { Damage, Decompressed, Emit } from "./segment.ts";

/** Of archives, and directories that only paths name. */
const MAX_ENTRIES = 500_000;
/** Components of all paths, those of links too: as many steps lookups may take. */
const MAX_STEPS = 50_000_000;
const MAX_UNPACKED_BYTES = 2 * GiB;
const MAX_KEPT_FILE_BYTES = 8 * MiB;
const MAX_KEPT_BYTES = 64 * MiB;
const FILE_TYPE = 0o170000;
const TYPES = { directory: 0o040000, file: 0o100000, symlink: 0o120000 } as const;
/** What the checks read of an initramfs: files of these names, in these directories. */
const KEPT_NAMES = new Set([
	...["modules.dep", "modules.builtin", "modules.softdep"],
	...ROOT_FILE_SYSTEM_NAMES.flatMap((name) => ["", ".gz", ".xz", ".zst"].map((ending) => `${name}.ko${ending}`)),
	...["dmsquash-live-root", "dmsquash-live-root.sh", "mount-overlayfs.sh", "initrd-release", "build-parameter.txt"],
]);

/** As `ImageTree.lookup`; a loop of symbolic links leads nowhere. */
export type QuietLookup = (path: ByteString, options?: { readonly followLast?: boolean }) => Found | undefined;

const EPOCH = { seconds: 0, nanoseconds: 0 };

class Stop extends Error {}

/** The root file system that archives are unpacked into. */
export class Unpacked {
	readonly root: DirectoryInode = directory();
	readonly kept = new Map<number, Buffer>();
	entryCount = 0;
	microcodeEntries = 0;
	#stepsLeft = MAX_STEPS;
	#impliedDirectories = 0;
	readonly #tree = { lookup: createLookup(this.root) };
	readonly lookup: QuietLookup = (path, options) => lookupQuietly(this.#tree, path, options);
	readonly #linked = new Map<string, BodyId>();
	#keptBytes = 0;
	#unpackedBytes = 0;
	#current: Inode | undefined;

	/** A run of archives: ends where something else begins. */
	async readPlain(input: ByteQueue): Promise<Decompressed | Damage> {
		const reader = this.#reader();
		try {
			for (;;) {
				const bytes = await input.fill(1);
				const taken = reader.push(bytes);
				input.take(taken);
				if (taken < bytes.byteLength || bytes.byteLength === 0) break;
			}
			reader.finish();
			return {};
		} catch (error) {
			return this.#explain(error);
		}
	}

	/** What a compressed stream holds; zeros behind the last archive in it are nothing. */
	async readCompressed(decompress: (emit: Emit) => Promise<Decompressed | Damage>): Promise<Decompressed | Damage> {
		const reader = this.#reader();
		try {
			const result = await decompress((piece) => {
				this.#unpackedBytes += piece.byteLength;
				if (this.#unpackedBytes > MAX_UNPACKED_BYTES) throw new Stop(`more than ${MAX_UNPACKED_BYTES} bytes unpacked`);
				if (reader.push(piece) < piece.byteLength) throw new Stop("it holds something that is no archive");
			});
			if (!("damage" in result)) reader.finish();
			return result;
		} catch (error) {
			return this.#explain(error);
		}
	}

	#explain(error: unknown): Damage {
		if (error instanceof CpioFault || error instanceof Stop) return { damage: error.message };
		throw error;
	}

	#reader(): CpioReader {
		return new CpioReader({
			entry: (entry) => this.#add(entry),
			content: (entry, bytes) => this.#take(entry, bytes),
		});
	}

	/** Places the entry; says whether its content is wanted. */
	#add(entry: CpioEntry): boolean {
		const index = this.entryCount++;
		if (index + this.#impliedDirectories >= MAX_ENTRIES) throw new Stop(`more than ${MAX_ENTRIES} entries`);
		const path = cleanPath(entry.path);
		if (path === "" || path === "kernel" || path === "kernel/x86" || path.startsWith("kernel/x86/microcode"))
			this.microcodeEntries++;
		if (path === "early_cpio") this.microcodeEntries++;
		if (path === "") return false;
		const inode = this.#inodeOf(entry, index);
		this.#current = inode;
		this.#put(path, inode);
		if (inode.type === "symlink") return entry.byteLength <= 4095;
		const isKept = inode.type === "file" && isKeptPath(path) && entry.byteLength <= MAX_KEPT_FILE_BYTES;
		if (!isKept || this.#keptBytes + entry.byteLength > MAX_KEPT_BYTES) return false;
		this.#keptBytes += entry.byteLength;
		return true;
	}

	#inodeOf(entry: CpioEntry, index: number): Inode {
		const attributes: InodeAttributes = {
			mode: entry.mode & 0o7777,
			uid: 0,
			gid: 0,
			mtime: EPOCH,
			xattrs: NO_XATTRS,
		};
		const type = entry.mode & FILE_TYPE;
		if (type === TYPES.directory) return { ...attributes, type: "directory", entries: new Map() };
		if (type === TYPES.symlink) return { ...attributes, type: "symlink", target: "" };
		if (type !== TYPES.file) return { ...attributes, type: "fifo" };
		// Of several links one holds the content, with GNU cpio the last: they share the first one's body.
		const body = (entry.linkCount > 1 ? this.#linked.get(entry.fileId) : undefined) ?? { layer: 0, entry: index };
		if (entry.linkCount > 1) this.#linked.set(entry.fileId, body);
		return { ...attributes, type: "file", byteLength: entry.byteLength, ...body };
	}

	#put(path: ByteString, inode: Inode): void {
		const parent = this.#directoryAt(path.slice(0, parentLength(path)));
		const name = path.slice(path.lastIndexOf("/") + 1);
		const there = parent?.entries.get(name);
		// A directory that a later archive names again keeps what is in it.
		if (parent === undefined || (there?.type === "directory" && inode.type === "directory")) return;
		parent.entries.set(name, inode);
	}

	/** The directory at a path, made where it is missing; undefined where something else is in the way. */
	#directoryAt(path: ByteString): DirectoryInode | undefined {
		let current = this.root;
		for (let start = 0; start < path.length; ) {
			const slash = path.indexOf("/", start);
			const end = slash < 0 ? path.length : slash;
			let child = current.entries.get(path.slice(start, end));
			this.#countSteps(1);
			if (child?.type === "symlink") {
				this.#countSteps(end);
				child = this.lookup(path.slice(0, end))?.inode;
				if (child === undefined) return undefined;
			}
			if (child === undefined) {
				this.#impliedDirectories++;
				if (this.entryCount + this.#impliedDirectories > MAX_ENTRIES)
					throw new Stop(`more than ${MAX_ENTRIES} entries`);
				child = directory();
				current.entries.set(path.slice(start, end), child);
			}
			if (child.type !== "directory") return undefined;
			current = child;
			start = end + 1;
		}
		return current;
	}

	#countSteps(steps: number): void {
		this.#stepsLeft -= steps;
		if (this.#stepsLeft < 0) throw new Stop(`paths of more than ${MAX_STEPS} components`);
	}

	#take(entry: CpioEntry, bytes: Buffer): void {
		const inode = this.#current;
		if (inode?.type === "file" && (bytes.byteLength > 0 || !this.kept.has(inode.entry)))
			this.kept.set(inode.entry, bytes);
		else if (inode?.type === "symlink") {
			const target = bytes.toString("latin1");
			this.#put(cleanPath(entry.path), { ...inode, target: target.replaceAll("\0", "") });
		}
	}
}

function isKeptPath(path: ByteString): boolean {
	const parent = path.slice(0, parentLength(path));
	const name = path.slice(path.lastIndexOf("/") + 1);
	// Hooks have a number before their name.
	if (KEPT_NAMES.has(name) || name.endsWith("parse-dmsquash-live.sh")) return true;
	if (parent === "dracut" || parent.endsWith("/dracut")) return true;
	return path === "etc/cmdline" || (parent === "etc/cmdline.d" && path.endsWith(".conf"));
}

function directory(): DirectoryInode {
	return {
		type: "directory",
		mode: 0o755,
		uid: 0,
		gid: 0,
		mtime: EPOCH,
		xattrs: NO_XATTRS,
		entries: new Map(),
	};
}

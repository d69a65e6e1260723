import type { ByteString } from "../../binary/byte-string.ts";
import type { Steps } from "../../binary/turns.ts";
import { alignUp, MAX_U32 } from "../../binary/units.ts";
import type { DataSink, ImageBlock, StoredFile } from "../../content/stored-data.ts";
import { assert } from "../../errors.ts";
import type { DirectoryInode, FileInode, Inode, Timestamp } from "../../tree/inode.ts";
import { type InodeNumbering, type NumberedDirectory, pathOf } from "../inode-numbers.ts";
import { beyondLimit, deviceNumber, linkTarget } from "../limits.ts";
import { XattrLossCounter } from "../losses.ts";
import { BLOCK_BYTES, DATA_LAYOUT, ENTRY_TYPE, INODE_SLOT_BYTES } from "./constants.ts";
import { type DirectoryEntry, directoryBytes, withDots, writingDirectory } from "./directory-blocks.ts";
import { type FileContext, type FileData, fileData, packedData } from "./file-data.ts";
import {
	type DataShape,
	encodeInode,
	type InodeFields,
	InodePlaces,
	inlineShape,
	inodeBytes,
	NO_MAP,
} from "./inode-shape.ts";
import { MetadataOutput } from "./metadata-output.ts";
import { encodeXattrs, MAX_XATTR_BODY_BYTES } from "./xattr-body.ts";

/** `S_IFMT` of `stat`. */
const FILE_TYPE = {
	fifo: 0o010000,
	"character-device": 0o020000,
	directory: 0o040000,
	"block-device": 0o060000,
	file: 0o100000,
	symlink: 0o120000,
	socket: 0o140000,
} as const;

interface MetadataOptions {
	readonly root: DirectoryInode;
	readonly numbering: InodeNumbering;
	readonly storedFileOf: (file: FileInode) => StoredFile;
	/** Time of compact inodes. */
	readonly epoch: Timestamp;
	readonly algorithm: number | undefined;
	readonly blockBytes: number;
	/** Every fragment block, in order. */
	readonly fragments: readonly ImageBlock[];
	readonly sink: Pick<DataSink, "write">;
	/** Where the image begins, as places of contents are counted: a multiple of `BLOCK_BYTES`, as the next is. */
	readonly imageStart: number;
	/** Where the metadata goes. */
	readonly start: number;
}

interface WrittenMetadata {
	/** Blocks of the image. */
	readonly metadataBlock: number;
	readonly blocks: number;
	/** 0: none. */
	readonly packedNumber: number;
	readonly ids: number;
	readonly hasChunks: boolean;
	/** Of its bytes. */
	readonly digest: readonly Uint8Array[];
}

/** An inode with what is known of it before it has its place. */
interface Described {
	readonly fields: InodeFields;
	readonly shape: DataShape;
	/** For the layout, where the content's own blocks begin at this one. */
	location(ownBlock: number): number;
	/** What follows the attributes; `write` takes the content's own blocks, if there are any, first. */
	writing(write: (bytes: Uint8Array) => void): Steps<void>;
}

/**
 * Writes everything but contents: a block of zeros where there are holes, blocks of directories and long link targets, then the inodes in the order of
 * their numbers, the packed one last. Two rounds: the first gives every inode its place, which directories name.
 */
export class MetadataWriter {
	readonly xattrLosses = new XattrLossCounter();
	readonly #options: MetadataOptions;
	readonly #directories: ReadonlyMap<DirectoryInode, NumberedDirectory>;
	readonly #context: FileContext;
	readonly #packedStarts: number[] = [];
	/** By inode number. */
	readonly #slots: Float64Array;
	readonly #ids = new Set<number>();
	#packedBytes = 0;
	#hasHoles = false;
	#hasChunks = false;

	constructor(options: MetadataOptions) {
		this.#options = options;
		const { numbering, algorithm, blockBytes, imageStart, start, fragments } = options;
		this.#directories = new Map(numbering.directories.map((directory) => [directory.inode, directory]));
		this.#slots = new Float64Array(numbering.count + 2);
		for (const { rawBytes } of fragments) {
			this.#packedStarts.push(this.#packedBytes);
			this.#packedBytes += rawBytes;
		}
		this.#context = {
			algorithm,
			blockBytes,
			imageStart,
			zeroBlock: (start - imageStart) / BLOCK_BYTES,
			packedStart: (fragment) => Number(this.#packedStarts[fragment]),
		};
	}

	/** In steps. Throws `Oci2isoError` (contract). */
	*writing(): Steps<WrittenMetadata> {
		const { sink, imageStart, start, epoch } = this.#options;
		const firstBlock = (start - imageStart) / BLOCK_BYTES;
		const planned = new InodePlaces();
		for (const inode of this.#inOrder()) {
			const { fields, shape } = yield* this.#describe(...inode, this.xattrLosses);
			this.#slots[fields.inodeNumber] = planned.next(inodeBytes(fields, epoch), shape).slot;
			this.#ids.add(fields.uid).add(fields.gid);
			yield;
		}
		const packed = this.#packed();
		if (packed !== undefined)
			this.#slots[packed.fields.inodeNumber] = planned.next(inodeBytes(packed.fields, epoch), packed.shape).slot;

		const firstOwnBlock = firstBlock + (this.#hasHoles ? 1 : 0);
		const metadataBlock = firstOwnBlock + planned.ownBlocks;
		const blocks = metadataBlock + Math.ceil(planned.byteLength / BLOCK_BYTES);
		checkBlocks(blocks);
		const ownBlocks = new MetadataOutput(sink, start);
		ownBlocks.seek((firstOwnBlock - firstBlock) * BLOCK_BYTES);
		const inodes = new MetadataOutput(sink, imageStart + metadataBlock * BLOCK_BYTES);
		const places = new InodePlaces();
		const put = (described: Described) => writingInode(described, epoch, places, firstOwnBlock, ownBlocks, inodes);
		for (const inode of this.#inOrder()) yield* put(yield* this.#describe(...inode));
		if (packed !== undefined) yield* put(packed);
		inodes.seek((blocks - metadataBlock) * BLOCK_BYTES);
		return {
			metadataBlock,
			blocks,
			packedNumber: packed === undefined ? 0 : Number(this.#slots[packed.fields.inodeNumber]),
			ids: this.#ids.size,
			hasChunks: this.#hasChunks,
			digest: [ownBlocks.finish(), inodes.finish()],
		};
	}

	/** Every inode once, by number. */
	*#inOrder(): Generator<[inode: Inode, path: () => ByteString]> {
		const { root, numbering } = this.#options;
		yield [root, () => "/"];
		let last = numberOf(root);
		for (const directory of numbering.directories)
			for (const name of directory.names) {
				const inode = directory.inode.entries.get(name);
				assert(inode !== undefined, "an entry has an inode");
				if (numberOf(inode) <= last) continue;
				last = numberOf(inode);
				yield [inode, () => pathOf(directory, name)];
			}
	}

	*#describe(inode: Inode, path: () => ByteString, losses?: XattrLossCounter): Steps<Described> {
		const { numbering } = this.#options;
		const inodeNumber = numberOf(inode);
		const xattrs = encodeXattrs(inode.xattrs, (name) => losses?.add(name, path));
		if (xattrs.byteLength > MAX_XATTR_BODY_BYTES)
			throw beyondLimit(
				"XATTRS_TOO_LARGE",
				`the extended attributes take ${xattrs.byteLength} bytes`,
				path(),
				`at most ${MAX_XATTR_BODY_BYTES} bytes`,
			);
		const { uid, gid, mtime } = inode;
		const common = {
			mode: FILE_TYPE[inode.type] | (inode.mode & 0o7777),
			uid,
			gid,
			mtime,
			inodeNumber,
			linkCount: Number(numbering.linkCounts[inodeNumber]),
			xattrs,
		};
		switch (inode.type) {
			case "directory": {
				const directory = this.#directories.get(inode);
				assert(directory !== undefined, "every directory is numbered");
				const byteLength = yield* directoryBytes(directory.names);
				const fields = { ...common, byteLength, linkCount: 2 + directory.subdirectories };
				return inlineContent(fields, (write) => writingDirectory(this.#entriesOf(directory), write));
			}
			case "symlink": {
				const target = linkTarget(inode, path);
				return inlineContent({ ...common, byteLength: target.byteLength }, function* (write) {
					write(target);
					yield;
				});
			}
			case "file": {
				const { byteLength } = inode;
				const stored = this.#options.storedFileOf(inode);
				assert(stored.byteLength === byteLength, `${byteLength} bytes became ${stored.byteLength}`);
				return this.#file({ ...common, byteLength }, fileData(stored, this.#context));
			}
			case "block-device":
			case "character-device": {
				const device = deviceNumber(inode, path);
				return withoutContent({ ...common, byteLength: 0 }, device);
			}
			case "fifo":
			case "socket":
				return withoutContent({ ...common, byteLength: 0 }, 0);
		}
	}

	#file(fields: InodeFields, data: FileData): Described {
		if (data.hasHoles) this.#hasHoles = true;
		if (data.shape.layout === DATA_LAYOUT.chunked) this.#hasChunks = true;
		return { fields, shape: data.shape, location: data.location, writing: data.writingMap };
	}

	#packed(): Described | undefined {
		const { fragments, numbering, epoch } = this.#options;
		if (fragments.length === 0) return undefined;
		const fields = {
			mode: FILE_TYPE.file,
			uid: 0,
			gid: 0,
			mtime: epoch,
			inodeNumber: numbering.count + 1,
			linkCount: 1,
			byteLength: this.#packedBytes,
			xattrs: Buffer.alloc(0),
		};
		return this.#file(fields, packedData(fragments, this.#packedBytes, this.#context));
	}

	*#entriesOf({ inode, names, number, parent }: NumberedDirectory): Generator<DirectoryEntry> {
		const place = (inodeNumber: number): number => Number(this.#slots[inodeNumber]);
		for (const name of withDots(names)) {
			const child = inode.entries.get(name);
			if (child !== undefined) yield { name, inodeNumber: place(numberOf(child)), type: ENTRY_TYPE[child.type] };
			else
				yield {
					name,
					inodeNumber: place(name === "." ? number : (parent?.number ?? number)),
					type: ENTRY_TYPE.directory,
				};
		}
	}
}

/** An inode, its attributes and what follows them. */
function* writingInode(
	{ fields, shape, location, writing }: Described,
	epoch: Timestamp,
	places: InodePlaces,
	firstOwnBlock: number,
	ownBlocks: MetadataOutput,
	inodes: MetadataOutput,
): Steps<void> {
	const { slot, ownBlock } = places.next(inodeBytes(fields, epoch), shape);
	inodes.seek(slot * INODE_SLOT_BYTES);
	inodes.write(encodeInode(fields, epoch, shape.layout, location(firstOwnBlock + ownBlock)));
	inodes.write(fields.xattrs);
	if (shape.mapBytes > 0) inodes.seek(alignUp(slot * INODE_SLOT_BYTES + inodeBytes(fields, epoch), shape.mapAlignment));
	let blocksLeft = shape.ownBlocks;
	yield* writing((bytes) => {
		if (blocksLeft === 0) {
			inodes.write(bytes);
			return;
		}
		blocksLeft--;
		ownBlocks.write(bytes);
		if (bytes.byteLength < BLOCK_BYTES) ownBlocks.write(Buffer.alloc(BLOCK_BYTES - bytes.byteLength));
	});
}

/** Of a directory or a symbolic link. */
function inlineContent(fields: InodeFields, writing: Described["writing"]): Described {
	const inline = inlineShape(fields.byteLength);
	const layout = inline.inlineBytes > 0 ? DATA_LAYOUT.flatInline : DATA_LAYOUT.flat;
	return { fields, shape: { ...NO_MAP, ...inline, layout }, location: (ownBlock) => ownBlock, writing };
}

function withoutContent(fields: InodeFields, location: number): Described {
	return { fields, shape: { ...NO_MAP, layout: DATA_LAYOUT.flat }, location: () => location, *writing() {} };
}

function numberOf({ number = 0 }: Inode): number {
	assert(number > 0, "every inode of the tree has a number");
	return number;
}

function checkBlocks(blocks: number): void {
	if (blocks > MAX_U32)
		throw beyondLimit("EROFS_TOO_LARGE", `the image takes ${blocks} blocks`, undefined, `at most ${MAX_U32} blocks`);
}

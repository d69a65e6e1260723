import { hash } from "node:crypto";
import { DigestMap } from "../binary/digest-map.ts";
import type { Steps } from "../binary/turns.ts";
import { MiB } from "../binary/units.ts";
import type { BlockDecompressor } from "../codec/types.ts";
import { STORED_RAW } from "../content/block-size.ts";
import type { TailSource } from "../content/file-recipe.ts";
import { Recent } from "../content/recent.ts";
import type { BlockFile, StoredBlock, StoredBlocks } from "../content/stored-blocks.ts";
import { damaged, unreadable } from "./failures.ts";
import { originIn } from "./layer-index-store.ts";
import {
	decodingPackHead,
	PACK_HEADER_BYTES,
	type PackEntry,
	type PackHead,
	type PackKind,
	packHeadLength,
	storedBytes,
} from "./pack-format.ts";
import type { BlockSettings } from "./settings.ts";
import { settingsId, settingsText } from "./settings.ts";
import { type OpenFile, readFully, readingFully, reasonOf, type StoreDirectory } from "./store-directory.ts";

/** Of all packs that are open: bounds memory (some 200 bytes each) and open files. */
const MAX_ENTRIES = 2 ** 21;
const MAX_PACKS = 512;
/** Packs are read in the order in which builds need them. */
const READ_AHEAD_BYTES = MiB;
const KEPT_FRAGMENTS = 4;

/** What is wrong with a pack whose block cannot be read. */
export const CUT_SHORT = "a pack is cut short";
export const WRONG_CHECKSUM = "a block's checksum is wrong";

interface Pack extends BlockFile {
	readonly name: string;
	readonly file: OpenFile;
	readonly dataOffset: number;
	readonly dataBytes: number;
	isUsed: boolean;
}

interface Place extends Pick<PackEntry, "offset" | "storedSize" | "rawBytes" | "checksum" | "kind"> {
	readonly pack: Pack;
}

/** The blocks of every pack with the same settings. Who reads one checks it. */
export class BlockStore implements StoredBlocks {
	readonly #directory: StoreDirectory;
	readonly #settings: BlockSettings;
	readonly #decompressor: BlockDecompressor;
	readonly #packs: Pack[] = [];
	readonly #places = {
		block: new DigestMap<Place>(),
		fragment: new DigestMap<Place>(),
		content: new DigestMap<Place>(),
	};
	readonly #fragments = new Recent<Place, Uint8Array>(KEPT_FRAGMENTS);
	/** The stretch of a pack that was read last. */
	readonly #window = Buffer.allocUnsafe(READ_AHEAD_BYTES);
	#windowPack: Pack | undefined;
	#windowStart = 0;
	#windowBytes = 0;

	private constructor(directory: StoreDirectory, settings: BlockSettings, decompressor: BlockDecompressor) {
		this.#directory = directory;
		this.#settings = settings;
		this.#decompressor = decompressor;
	}

	/**
	 * Loads the tables, those of packs made here first, and of these the ones used last, in steps; damaged packs are removed.
	 * `origins`: the shared caches whose packs may be used.
	 */
	static *opening(
		directory: StoreDirectory,
		settings: BlockSettings,
		decompressor: BlockDecompressor,
		origins: readonly string[] = [],
	): Steps<BlockStore> {
		const store = new BlockStore(directory, settings, decompressor);
		let isOpen = false;
		try {
			const ours = `.${settingsId(settings)}.`;
			const packs = (yield* directory.listing()).filter(({ kind, name }) => kind === "pack" && name.includes(ours));
			for (const origin of [undefined, ...origins])
				for (const { name } of packs) {
					if (store.#packs.length === MAX_PACKS || store.#placeCount >= MAX_ENTRIES) break;
					if (originIn(name) === origin) yield* store.#loading(name);
				}
			isOpen = true;
			return store;
		} finally {
			if (!isOpen) store.close();
		}
	}

	get #placeCount(): number {
		const { block, fragment, content } = this.#places;
		return block.size + fragment.size + content.size;
	}

	/** Takes in packs that came after the store was opened, in steps. */
	*adding(names: Iterable<string>): Steps<void> {
		for (const name of names) yield* this.#loading(name);
	}

	hasBlock(key: Uint8Array): boolean {
		return this.#places.block.has(key);
	}

	/** Throws CACHE_DAMAGED, and forgets the pack, as `read` of the block does. */
	block(key: Uint8Array, rawBytes: number): StoredBlock {
		return this.#stored("block", key, rawBytes);
	}

	hasFragment(key: Uint8Array): boolean {
		return this.#places.fragment.has(key);
	}

	fragment(key: Uint8Array, rawBytes: number): StoredBlock {
		return this.#stored("fragment", key, rawBytes);
	}

	tail({ fragment, offset }: TailSource, byteLength: number, tailHash: Uint8Array): Uint8Array {
		const place = this.#placeOf("fragment", fragment);
		let content = this.#fragments.get(place);
		if (content === undefined) {
			const bytes = this.#read(place);
			content = isCompressed(place) ? this.#decompress(place.pack, bytes) : Uint8Array.from(bytes);
			this.#fragments.set(place, content);
		}
		const tail = content.subarray(offset, offset + byteLength);
		if (!hash("sha256", tail, "buffer").equals(tailHash)) throw place.pack.damaged("a tail is not what its index says");
		return tail;
	}

	/** A whole file, by the SHA-256 of its content. */
	hasContent(key: Uint8Array): boolean {
		return this.#places.content.has(key);
	}

	/** Owned by the caller. */
	content(key: Uint8Array, rawBytes: number): Uint8Array {
		const place = this.#placeOf("content", key, rawBytes);
		const bytes = Buffer.allocUnsafeSlow(storedBytes(place));
		return checked(place, isReadable(place.pack, place.offset, bytes) ? bytes : undefined);
	}

	/** Names of the packs that something was read from. */
	get usedPacks(): string[] {
		return this.#packs.filter(({ isUsed }) => isUsed).map(({ name }) => name);
	}

	close(): void {
		for (const { file } of this.#packs.splice(0)) file.close();
		for (const places of Object.values(this.#places)) places.clear();
	}

	*#loading(name: string): Steps<void> {
		const file = this.#directory.openFile("pack", name);
		if (file === undefined) return;
		let head: PackHead | undefined;
		let isOfUse = false;
		try {
			head = yield* readingPackHead(file);
			if (head === undefined) this.#directory.remove("pack", name);
			isOfUse = head?.description.settings === settingsText(this.#settings);
		} catch (error) {
			this.#directory.refuse(file.path, reasonOf(error));
		} finally {
			if (!isOfUse) file.close();
		}
		if (head === undefined || !isOfUse) return;
		const pack = {
			name,
			file,
			descriptor: file.descriptor,
			dataOffset: head.dataOffset,
			dataBytes: head.dataBytes,
			isUsed: false,
			damaged: (what: string): Error => {
				this.#directory.remove("pack", name);
				return damaged(what, file.path);
			},
			unreadable: (reason: string): Error => {
				this.#directory.refuse(file.path, reason);
				return unreadable(reason, file.path);
			},
		};
		this.#packs.push(pack);
		for (const entry of head.entries) {
			const { kind, offset, storedSize, rawBytes, checksum } = entry;
			const places = this.#places[kind];
			if (!places.has(entry.key)) places.set(entry.key, { kind, pack, offset, storedSize, rawBytes, checksum });
			yield;
		}
	}

	#stored(kind: PackKind, key: Uint8Array, rawBytes: number): StoredBlock {
		const place = this.#placeOf(kind, key, rawBytes);
		const { pack, offset, checksum } = place;
		return {
			compressed: isCompressed(place),
			byteLength: storedBytes(place),
			read: () => this.#read(place),
			place: { file: pack, offset: pack.dataOffset + offset, checksum },
		};
	}

	/** What is about to be read. */
	#placeOf(kind: PackKind, key: Uint8Array, rawBytes?: number): Place {
		const place = this.#places[kind].get(key);
		if (place === undefined) throw damaged("a block is gone", this.#directory.path);
		place.pack.isUsed = true;
		if (rawBytes !== undefined && place.rawBytes !== rawBytes) throw place.pack.damaged("a block has another length");
		return place;
	}

	/** The stored bytes, valid until the next call. */
	#read(place: Place): Buffer {
		return checked(place, this.#bytes(place));
	}

	#bytes({ pack, offset, kind, storedSize }: Place): Buffer | undefined {
		const length = storedBytes({ kind, storedSize });
		if (length > this.#window.byteLength) {
			const bytes = Buffer.allocUnsafe(length);
			return isReadable(pack, offset, bytes) ? bytes : undefined;
		}
		const isInside =
			pack === this.#windowPack &&
			offset >= this.#windowStart &&
			offset + length <= this.#windowStart + this.#windowBytes;
		if (!isInside) {
			this.#windowPack = pack;
			this.#windowStart = offset;
			this.#windowBytes = Math.min(this.#window.byteLength, pack.dataBytes - offset);
			// nothing is in it until it is read
			this.#windowPack = undefined;
			if (!isReadable(pack, offset, this.#window.subarray(0, this.#windowBytes))) return undefined;
			this.#windowPack = pack;
		}
		return this.#window.subarray(offset - this.#windowStart, offset - this.#windowStart + length);
	}

	#decompress(pack: Pack, bytes: Uint8Array): Uint8Array {
		try {
			return this.#decompressor.decompress(bytes, this.#settings.blockBytes);
		} catch {
			throw pack.damaged("a block does not decode");
		}
	}
}

/** The stored bytes of a place; undefined where the file is shorter. */
function checked({ pack, checksum }: Place, bytes: Buffer | undefined): Buffer {
	if (bytes === undefined) throw pack.damaged(CUT_SHORT);
	if (!hash("sha256", bytes, "buffer").equals(checksum)) throw pack.damaged(WRONG_CHECKSUM);
	return bytes;
}

function isCompressed({ kind, storedSize }: Place): boolean {
	return kind !== "content" && (storedSize & STORED_RAW) === 0;
}

/** False where the file is shorter. */
function isReadable({ file, dataOffset, unreadable: refuse }: Pack, offset: number, into: Buffer): boolean {
	try {
		return readFully(file, dataOffset + offset, into);
	} catch (error) {
		throw refuse(reasonOf(error));
	}
}

/** Undefined where the file is no whole pack. In steps. */
export function* readingPackHead(file: OpenFile): Steps<PackHead | undefined> {
	const start = Buffer.alloc(PACK_HEADER_BYTES);
	if (!readFully(file, 0, start)) return undefined;
	const length = packHeadLength(start);
	if (length === undefined || length > file.byteLength) return undefined;
	const head = Buffer.allocUnsafe(length);
	return (yield* readingFully(file, 0, head)) ? yield* decodingPackHead(head, file.byteLength) : undefined;
}

import { type ByteString, byteStringOf, displayName } from "../../binary/byte-string.ts";
import { MiB } from "../../binary/units.ts";
import { NO_XATTRS, type Xattrs } from "../../binary/xattrs.ts";
import { Recent } from "../../content/recent.ts";
import { corrupt } from "../../errors.ts";
import type { Stretch } from "../root-file-system.ts";
import { XATTR_PREFIXES, XATTR_UNIT_BYTES } from "./constants.ts";
import { XATTR_ENTRY, XATTR_HEADER } from "./records.ts";
import type { Volume } from "./volume.ts";

const LONG_PREFIX = 0x80;
/** Linux lists no more names than this for one inode. */
const MAX_NAMES_BYTES = 65_536;
/** Of all that are read: a small image can repeat one large value many times. */
const MAX_TOTAL_BYTES = 256 * MiB;
/** What remembering a shared one takes. */
const SHARED_BYTES = 64;
/** Neighbours mostly have the same attributes. */
const SETS_KEPT = 256;
const MAX_KEY_BYTES = 512;

interface Xattr {
	readonly name: ByteString;
	readonly value: Uint8Array;
	/** On disk, with padding. */
	readonly byteLength: number;
}

/** How long the attributes of an inode are, header and all. */
export function xattrBytes(units: number): number {
	return units === 0 ? 0 : XATTR_HEADER.byteLength + (units - 1) * XATTR_UNIT_BYTES;
}

/** Reads extended attributes: those beside an inode, and those that several share. */
export class XattrReader {
	readonly #volume: Volume;
	readonly #readPrefixes: () => Promise<readonly ByteString[]>;
	#prefixes: readonly ByteString[] | undefined;
	/** By the bytes behind the inode. */
	readonly #sets = new Recent<ByteString, Xattrs>(SETS_KEPT);
	/** By number. */
	readonly #shared = new Map<number, Xattr>();
	#totalBytes = 0;

	/** `readPrefixes`: those that the image has for itself. */
	constructor(volume: Volume, readPrefixes: () => Promise<readonly ByteString[]>) {
		this.#volume = volume;
		this.#readPrefixes = readPrefixes;
	}

	/** Where the shared ones are that were read. */
	sharedStretches(): Stretch[] {
		return [...this.#shared].map(([number, { byteLength }]) => {
			const start = this.#sharedPosition(number);
			return { start, end: start + byteLength };
		});
	}

	/** Those at `position`, by full name. Throws `Oci2isoError` CORRUPT_METADATA or UNEXPECTED_END. */
	async read(position: number, units: number, where: string): Promise<Xattrs> {
		if (units === 0) return NO_XATTRS;
		const body = await this.#volume.metadata.read(position, xattrBytes(units));
		const key = body.byteLength <= MAX_KEY_BYTES ? byteStringOf(body) : undefined;
		const known = key === undefined ? undefined : this.#sets.get(key);
		if (known !== undefined) return known;
		const { sharedCount } = XATTR_HEADER.decode(body);
		const sharedEnd = XATTR_HEADER.byteLength + sharedCount * XATTR_UNIT_BYTES;
		if (units === 1 || sharedEnd > body.byteLength)
			throw corrupt("CORRUPT_METADATA", "extended attributes go beyond their end", where);
		const pairs = new Map<ByteString, Uint8Array>();
		let namesBytes = 0;
		const add = ({ name, value }: Xattr): void => {
			namesBytes += name.length + 1;
			if (namesBytes > MAX_NAMES_BYTES || pairs.has(name))
				throw corrupt("CORRUPT_METADATA", `the attribute ${displayName(name)} repeats, or there are too many`, where);
			pairs.set(name, value);
		};
		for (let at = sharedEnd; at < body.byteLength; ) {
			const entry = await this.#entry(body.subarray(at), where);
			add(entry);
			at += entry.byteLength;
		}
		const view = this.#volume.metadata.view(body);
		for (let at = XATTR_HEADER.byteLength; at < sharedEnd; at += XATTR_UNIT_BYTES)
			add(await this.#sharedEntry(view.getUint32(at, true), where));
		if (key !== undefined) this.#sets.set(key, pairs);
		return pairs;
	}

	async #sharedEntry(number: number, where: string): Promise<Xattr> {
		const known = this.#shared.get(number);
		if (known !== undefined) return known;
		const { metadata } = this.#volume;
		const at = this.#sharedPosition(number);
		const head = XATTR_ENTRY.decode(await metadata.read(at, XATTR_ENTRY.byteLength));
		const entry = await this.#entry(await metadata.read(at, entryBytes(head)), where);
		this.#count(SHARED_BYTES, where);
		this.#shared.set(number, entry);
		return entry;
	}

	#sharedPosition(number: number): number {
		const { superblock, blockBytes } = this.#volume;
		return superblock.sharedXattrBlock * blockBytes + number * XATTR_UNIT_BYTES;
	}

	/** The one that `bytes` begin with. */
	async #entry(bytes: Uint8Array, where: string): Promise<Xattr> {
		const head = bytes.byteLength < XATTR_ENTRY.byteLength ? undefined : XATTR_ENTRY.decode(bytes);
		if (head === undefined || entryBytes(head) > bytes.byteLength)
			throw corrupt("CORRUPT_METADATA", "an extended attribute goes beyond its end", where);
		const { nameBytes, prefix, valueBytes } = head;
		const valueAt = XATTR_ENTRY.byteLength + nameBytes;
		this.#count(nameBytes + valueBytes, where);
		const name = (await this.#prefix(prefix, where)) + byteStringOf(bytes.subarray(XATTR_ENTRY.byteLength, valueAt));
		return { name, value: bytes.slice(valueAt, valueAt + valueBytes), byteLength: entryBytes(head) };
	}

	#count(byteLength: number, where: string): void {
		this.#totalBytes += byteLength;
		if (this.#totalBytes > MAX_TOTAL_BYTES)
			throw corrupt("CORRUPT_METADATA", "there are too many extended attributes", where, `${MAX_TOTAL_BYTES} bytes`);
	}

	async #prefix(index: number, where: string): Promise<ByteString> {
		let prefix: ByteString | undefined = XATTR_PREFIXES[index as keyof typeof XATTR_PREFIXES];
		if ((index & LONG_PREFIX) !== 0) {
			this.#prefixes ??= await this.#readPrefixes();
			prefix = this.#prefixes[index & ~LONG_PREFIX];
		}
		if (prefix === undefined) throw corrupt("CORRUPT_METADATA", `an attribute's name has the prefix ${index}`, where);
		return prefix;
	}
}

function entryBytes({ nameBytes, valueBytes }: { readonly nameBytes: number; readonly valueBytes: number }): number {
	return Math.ceil((XATTR_ENTRY.byteLength + nameBytes + valueBytes) / XATTR_UNIT_BYTES) * XATTR_UNIT_BYTES;
}

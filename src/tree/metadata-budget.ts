import type { ByteString } from "../binary/byte-string.ts";
import { GiB, MiB } from "../binary/units.ts";
import { NO_XATTRS } from "../binary/xattrs.ts";
import { Oci2isoError } from "../errors.ts";
import type { Timestamp } from "./inode.ts";
import { xattrsCostBytes } from "./metadata-cost.ts";

export interface MetadataLimits {
	/** Most entries of all layers together, whiteouts and directories that no entry names included; default 4 000 000. */
	readonly maxInodes?: number | undefined;
	/** Most memory for names, attributes and inodes, by an estimate from above; default 2 GiB. */
	readonly maxMetadataBytes?: number | undefined;
}

/** Four times a system of a million files; a settled tree of so many takes about 2 GiB. */
const DEFAULT_MAX_INODES = 4_000_000;
const DEFAULT_MAX_METADATA_BYTES = 2 * GiB;

/** Bounds what the entries of layers take in memory, and lets equal attributes be held once. */
export class MetadataBudget {
	readonly #maxInodes: number;
	readonly #maxMetadataBytes: number;
	readonly #xattrs = new Map<string, ReadonlyMap<ByteString, Uint8Array>>();
	#entryCount = 0;
	#metadataBytes = 0;
	#lastMtime: Timestamp = { seconds: 0, nanoseconds: 0 };

	constructor({ maxInodes, maxMetadataBytes }: MetadataLimits) {
		this.#maxInodes = maxInodes ?? DEFAULT_MAX_INODES;
		this.#maxMetadataBytes = maxMetadataBytes ?? DEFAULT_MAX_METADATA_BYTES;
	}

	get entriesLeft(): number {
		return this.#maxInodes - this.#entryCount;
	}

	get bytesLeft(): number {
		return this.#maxMetadataBytes - this.#metadataBytes;
	}

	/** Throws `Oci2isoError` TOO_MANY_ENTRIES (exit 5). */
	countEntries(entries: number, origin: string): void {
		this.#entryCount += entries;
		if (this.entriesLeft < 0)
			throw new Oci2isoError({
				code: "TOO_MANY_ENTRIES",
				kind: "corrupt",
				what: "the layers have too many entries",
				where: origin,
				expected: `at most ${this.#maxInodes} of all layers together`,
				remedy: "for an image that you trust, say --max-inodes N",
			});
	}

	/** Throws `Oci2isoError` TREE_TOO_LARGE (exit 5). */
	countMetadata(bytes: number, origin: string): void {
		this.#metadataBytes += bytes;
		if (this.bytesLeft < 0)
			throw new Oci2isoError({
				code: "TREE_TOO_LARGE",
				kind: "corrupt",
				what: "names and attributes of the image's files do not fit into memory",
				where: origin,
				expected: `at most ${Math.floor(this.#maxMetadataBytes / MiB)} MiB`,
				remedy: "for an image that you trust, set NODE_OPTIONS=--max-old-space-size=MIB to more",
			});
	}

	/** Neighbours in an archive often have the same time. */
	shareMtime(mtime: Timestamp): Timestamp {
		const last = this.#lastMtime;
		if (last.seconds === mtime.seconds && last.nanoseconds === mtime.nanoseconds) return last;
		this.#lastMtime = mtime;
		return mtime;
	}

	/** Files with equal attributes (one SELinux label on thousands of them) share one map. Throws as `countMetadata`. */
	shareXattrs(xattrs: ReadonlyMap<ByteString, Uint8Array>, origin: string): ReadonlyMap<ByteString, Uint8Array> {
		if (xattrs.size === 0) return NO_XATTRS;
		const key = [...xattrs]
			.map(([name, value]) => `${name}\0${value.byteLength}\0${Buffer.from(value).toString("latin1")}`)
			.join("");
		const shared = this.#xattrs.get(key);
		if (shared !== undefined) return shared;
		this.countMetadata(xattrsCostBytes(xattrs), origin);
		this.#xattrs.set(key, xattrs);
		return xattrs;
	}
}

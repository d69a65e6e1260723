import { createHash, type Hash } from "node:crypto";
import { DIGEST_BYTES } from "../binary/digest-numbers.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { FileInode } from "../tree/inode.ts";

export const UNIT_BYTES = 65_536;
const ZEROS = Buffer.alloc(UNIT_BYTES);
const NO_DIGEST = ZEROS.subarray(0, DIGEST_BYTES);
/** Units of digests that are finished: most files are small, and making one for each takes longer than hashing it. */
const spare: Buffer[] = [];

/**
 * The digest of a content from those of its units of 64 KiB, in order: equal contents have equal ones however they are cut and wherever they have holes, a
 * hole costs nothing whatever its length, and units can be digested on their own. A content of one unit has the SHA-256 of its bytes and its length; of more,
 * the SHA-256 of number and SHA-256 of each unit that is not all zero, and the length; numbers are 8 bytes little endian.
 */
export class UnitDigests {
	readonly #byteLength: number;
	#hash: Hash | undefined;
	#whole: Buffer | undefined;

	/** Of the content, holes included. */
	constructor(byteLength: number) {
		this.#byteLength = byteLength;
	}

	/** The length is digested with the only unit. */
	get isWhole(): boolean {
		return this.#byteLength <= UNIT_BYTES;
	}

	/** `digest` is copied; zeros say that the unit is all zero. */
	add(unit: number, digest: Uint8Array): void {
		if (NO_DIGEST.equals(digest)) return;
		if (this.isWhole) this.#whole = Buffer.from(digest);
		else this.#open().update(numberBytes(unit)).update(digest);
	}

	finish(): Buffer {
		return this.#whole ?? this.#open().update(numberBytes(this.#byteLength)).digest();
	}

	#open(): Hash {
		this.#hash ??= createHash("sha256");
		return this.#hash;
	}
}

/** The digest that `UnitDigests` describes, made here. */
export class ContentDigest {
	readonly #units: UnitDigests;
	#unit = 0;
	#partial: Buffer | undefined;
	#filled = 0;

	/** Of what will be given to it, holes included. */
	constructor(byteLength: number) {
		this.#units = new UnitDigests(byteLength);
	}

	update(bytes: Uint8Array): void {
		for (let at = 0; at < bytes.byteLength; ) {
			if (this.#filled === 0 && bytes.byteLength - at >= UNIT_BYTES) {
				this.#take(bytes.subarray(at, at + UNIT_BYTES));
				at += UNIT_BYTES;
				continue;
			}
			const part = bytes.subarray(at, at + UNIT_BYTES - this.#filled);
			this.#open().set(part, this.#filled);
			this.#advance(part.byteLength);
			at += part.byteLength;
		}
	}

	hole(byteLength: number): void {
		let rest = byteLength;
		if (this.#filled > 0) {
			const part = Math.min(rest, UNIT_BYTES - this.#filled);
			this.#partial?.fill(0, this.#filled, this.#filled + part);
			this.#advance(part);
			rest -= part;
		}
		this.#unit += Math.floor(rest / UNIT_BYTES);
		rest %= UNIT_BYTES;
		if (rest === 0) return;
		this.#open().fill(0, 0, rest);
		this.#filled = rest;
	}

	/** 32 bytes. */
	finish(): Buffer {
		if (this.#filled > 0 && this.#partial !== undefined) this.#take(this.#partial.subarray(0, this.#filled));
		if (this.#partial !== undefined) spare.push(this.#partial);
		this.#partial = undefined;
		return this.#units.finish();
	}

	#open(): Buffer {
		this.#partial ??= spare.pop() ?? Buffer.allocUnsafeSlow(UNIT_BYTES);
		return this.#partial;
	}

	#advance(byteLength: number): void {
		this.#filled += byteLength;
		if (this.#filled < UNIT_BYTES || this.#partial === undefined) return;
		this.#filled = 0;
		this.#take(this.#partial);
	}

	#take(unit: Uint8Array): void {
		const number = this.#unit++;
		if (Buffer.compare(ZEROS.subarray(0, unit.byteLength), unit) === 0) return;
		const hash = createHash("sha256").update(unit);
		if (this.#units.isWhole) hash.update(numberBytes(unit.byteLength));
		this.#units.add(number, hash.digest());
	}
}

function numberBytes(value: number): Buffer {
	const bytes = Buffer.alloc(8);
	bytes.writeBigUInt64LE(BigInt(value));
	return bytes;
}

/** Of a file of a tree, as text. Rejects as reading it does. */
export async function digestOfStream(tree: Pick<ImageTree, "stream">, file: FileInode): Promise<string> {
	const digest = new ContentDigest(file.byteLength);
	for await (const chunk of tree.stream(file)) digest.update(chunk);
	return digest.finish().toString("hex");
}

import { createHash } from "node:crypto";

const UNIT_BYTES = 65_536;
const ZEROS = Buffer.alloc(UNIT_BYTES);
/** Units of digests that are finished: most files are small, and making one for each takes longer than hashing it. */
const spare: Buffer[] = [];

/**
 * SHA-256 over a file's units of 64 KiB that are not all zero, each with its position, and the length: equal contents have equal
 * digests however they are cut and wherever they have holes, and a hole costs nothing whatever its length.
 */
export class ContentDigest {
	readonly #hash = createHash("sha256");
	#unit = 0;
	#partial: Buffer | undefined;
	#filled = 0;

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

	/** 64 hexadecimal digits. */
	finish(): string {
		const length = this.#unit * UNIT_BYTES + this.#filled;
		if (this.#filled > 0 && this.#partial !== undefined) this.#take(this.#partial.subarray(0, this.#filled));
		if (this.#partial !== undefined) spare.push(this.#partial);
		this.#partial = undefined;
		return this.#hash.update(`length ${length}`).digest("hex");
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
		if (Buffer.compare(ZEROS.subarray(0, unit.byteLength), unit) !== 0)
			this.#hash.update(`unit ${this.#unit} ${unit.byteLength}\n`).update(unit);
		this.#unit++;
	}
}

import type { ByteWriter } from "../binary/byte-writer.ts";
import { BrokenIndex } from "./failures.ts";

const MAX_VARINT_BYTES = 8;

/** A number from 0 to 2^53 - 1, seven bits a byte, the lowest first; the high bit says that more follow. */
export function writeVarint(out: ByteWriter, value: number): void {
	let rest = value;
	while (rest >= 0x80) {
		out.u8((rest % 0x80) | 0x80);
		rest = Math.floor(rest / 0x80);
	}
	out.u8(rest);
}

/** A number from -(2^52) to 2^52: the sign is the lowest bit. */
export function writeSignedVarint(out: ByteWriter, value: number): void {
	writeVarint(out, value < 0 ? -2 * value - 1 : 2 * value);
}

/** Reads what a `ByteWriter` wrote. Throws `BrokenIndex` at the end of the bytes and at numbers that are none. */
export class ByteCursor {
	readonly #bytes: Buffer;
	#at: number;

	constructor(bytes: Buffer, at = 0) {
		this.#bytes = bytes;
		this.#at = at;
	}

	get position(): number {
		return this.#at;
	}

	get left(): number {
		return this.#bytes.byteLength - this.#at;
	}

	u8(): number {
		const value = this.#bytes[this.#at];
		if (value === undefined) throw new BrokenIndex("the bytes end");
		this.#at++;
		return value;
	}

	varint(): number {
		const first = this.u8();
		if (first < 0x80) return first;
		this.#at--;
		let value = 0;
		let unit = 1;
		for (let i = 0; i < MAX_VARINT_BYTES; i++) {
			const byte = this.u8();
			value += (byte & 0x7f) * unit;
			if (byte < 0x80) {
				if (!Number.isSafeInteger(value)) break;
				return value;
			}
			unit *= 0x80;
		}
		throw new BrokenIndex("a number is too large");
	}

	/** Steps over numbers, and looks at none. */
	skipVarints(count: number): void {
		for (let left = count; left > 0; left--) {
			let length = 1;
			while (this.u8() >= 0x80) if (++length > MAX_VARINT_BYTES) throw new BrokenIndex("a number is too large");
		}
	}

	skip(length: number): void {
		if (length > this.left) throw new BrokenIndex("the bytes end");
		this.#at += length;
	}

	signedVarint(): number {
		const value = this.varint();
		return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
	}

	/** A view. */
	bytes(length: number): Buffer {
		if (length > this.left) throw new BrokenIndex("the bytes end");
		const bytes = this.#bytes.subarray(this.#at, this.#at + length);
		this.#at += length;
		return bytes;
	}

	latin1(length: number): string {
		const start = this.#at;
		this.skip(length);
		return this.#bytes.toString("latin1", start, start + length);
	}
}

/** Append cursor over one growing buffer, for records of variable length. */
export class ByteWriter {
	#buffer: Buffer;
	#length = 0;

	constructor(initialCapacityBytes = 1024) {
		this.#buffer = Buffer.allocUnsafe(initialCapacityBytes);
	}

	get length(): number {
		return this.#length;
	}

	u8(value: number): this {
		this.#reserve(1).writeUInt8(value, this.#length - 1);
		return this;
	}

	u16le(value: number): this {
		this.#reserve(2).writeUInt16LE(value, this.#length - 2);
		return this;
	}

	u32le(value: number): this {
		this.#reserve(4).writeUInt32LE(value, this.#length - 4);
		return this;
	}

	/** `value` is 0 to 2^53 - 1. */
	safe64le(value: number): this {
		this.#reserve(8).writeBigUInt64LE(BigInt(value), this.#length - 8);
		return this;
	}

	u64le(value: bigint): this {
		this.#reserve(8).writeBigUInt64LE(value, this.#length - 8);
		return this;
	}

	bytes(value: Uint8Array): this {
		this.#reserve(value.byteLength).set(value, this.#length - value.byteLength);
		return this;
	}

	/** One byte per character. */
	latin1(value: string): this {
		this.#reserve(value.length).write(value, this.#length - value.length, "latin1");
		return this;
	}

	zeros(byteCount: number): this {
		this.#reserve(byteCount).fill(0, this.#length - byteCount, this.#length);
		return this;
	}

	/** Zeros up to the next multiple of `unit`. */
	align(unit: number): this {
		return this.zeros((unit - (this.#length % unit)) % unit);
	}

	/** A view of what was written; valid until the next append. */
	view(start = 0, end = this.#length): Buffer {
		return this.#buffer.subarray(start, end);
	}

	#reserve(byteCount: number): Buffer {
		const needed = this.#length + byteCount;
		if (needed > this.#buffer.byteLength) {
			const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.byteLength * 2));
			this.#buffer.copy(grown, 0, 0, this.#length);
			this.#buffer = grown;
		}
		this.#length = needed;
		return this.#buffer;
	}
}

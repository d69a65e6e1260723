const [LOW_POLYNOMIAL, HIGH_POLYNOMIAL] = [0, 0xd8000000];
/** Bytes that are taken at once. */
const STRIDE = 8;

/** For each of the bytes that are taken at once, by its distance from the last, the remainders of its values. */
const tables = ((): readonly [low: Uint32Array, high: Uint32Array] => {
	const [lows, highs] = [new Uint32Array(256 * STRIDE), new Uint32Array(256 * STRIDE)];
	for (let value = 0; value < 256; value++) {
		let [low, high] = [value, 0];
		for (let bit = 0; bit < 8; bit++) {
			const carry = low & 1;
			low = ((low >>> 1) | (high << 31)) >>> 0;
			high >>>= 1;
			if (carry === 0) continue;
			low ^= LOW_POLYNOMIAL;
			high ^= HIGH_POLYNOMIAL;
		}
		lows[value] = low;
		highs[value] = high;
	}
	for (let at = 256; at < lows.length; at++) {
		const [low, high] = [lows[at - 256] ?? 0, highs[at - 256] ?? 0];
		const first = low & 0xff;
		lows[at] = ((low >>> 8) | (high << 24)) ^ (lows[first] ?? 0);
		highs[at] = (high >>> 8) ^ (highs[first] ?? 0);
	}
	return [lows, highs];
})();

/** CRC-64 with ISO 3309's polynomial, as tar-split has it of files. */
export class Crc64 {
	#low = ~0;
	#high = ~0;

	update(bytes: Uint8Array): void {
		const [lows, highs] = tables;
		let [low, high] = [this.#low, this.#high];
		const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
		const end = bytes.byteLength - (bytes.byteLength % STRIDE);
		const look = (table: Uint32Array, a: number, b: number): number =>
			(table[0x700 | (a & 0xff)] as number) ^
			(table[0x600 | ((a >>> 8) & 0xff)] as number) ^
			(table[0x500 | ((a >>> 16) & 0xff)] as number) ^
			(table[0x400 | (a >>> 24)] as number) ^
			(table[0x300 | (b & 0xff)] as number) ^
			(table[0x200 | ((b >>> 8) & 0xff)] as number) ^
			(table[0x100 | ((b >>> 16) & 0xff)] as number) ^
			(table[b >>> 24] as number);
		for (let at = 0; at < end; at += STRIDE) {
			const a = low ^ words.getUint32(at, true);
			const b = high ^ words.getUint32(at + 4, true);
			low = look(lows, a, b);
			high = look(highs, a, b);
		}
		for (let i = end; i < bytes.byteLength; i++) {
			const at = (low ^ words.getUint8(i)) & 0xff;
			low = ((low >>> 8) | (high << 24)) ^ (lows[at] ?? 0);
			high = (high >>> 8) ^ (highs[at] ?? 0);
		}
		this.#low = low;
		this.#high = high;
	}

	/** 8 bytes, the most significant first. */
	finish(): Buffer {
		const bytes = Buffer.alloc(8);
		bytes.writeUInt32BE(~this.#high >>> 0, 0);
		bytes.writeUInt32BE(~this.#low >>> 0, 4);
		return bytes;
	}
}

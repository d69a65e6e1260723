const [LOW_POLYNOMIAL, HIGH_POLYNOMIAL] = [0, 0xd8000000];

const tables = ((): readonly [low: Uint32Array, high: Uint32Array] => {
	const [lows, highs] = [new Uint32Array(256), new Uint32Array(256)];
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
	return [lows, highs];
})();

/** CRC-64 with ISO 3309's polynomial, as tar-split has it of files. */
export class Crc64 {
	#low = ~0;
	#high = ~0;

	update(bytes: Uint8Array): void {
		const [lows, highs] = tables;
		let [low, high] = [this.#low, this.#high];
		for (const byte of bytes) {
			const at = (low ^ byte) & 0xff;
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

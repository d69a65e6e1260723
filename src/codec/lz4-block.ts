/**
 * Decodes one raw LZ4 block (lz4_Block_format.md) into `output`; returns the length, or undefined where the bytes are not a block
 * that fits.
 */
export function decodeLz4Block(block: Uint8Array, output: Uint8Array): number | undefined {
	let from = 0;
	let to = 0;
	/** A 4-bit length that 255-bytes continue; NaN where the block ends before it does. */
	const extended = (nibble: number): number => {
		let length = nibble;
		if (nibble !== 15) return length;
		for (;;) {
			const more = block[from++];
			if (more === undefined) return Number.NaN;
			length += more;
			if (more !== 255) return length;
		}
	};
	while (from < block.byteLength) {
		const token = block[from++] ?? 0;
		const literals = extended(token >> 4);
		if (!(from + literals <= block.byteLength && to + literals <= output.byteLength)) return undefined;
		output.set(block.subarray(from, from + literals), to);
		from += literals;
		to += literals;
		if (from === block.byteLength) return to; // the last sequence is literals only

		const distance = (block[from] ?? 0) | ((block[from + 1] ?? 0) << 8);
		from += 2;
		if (from > block.byteLength) return undefined;
		const match = extended(token & 15) + 4;
		if (distance === 0 || distance > to || !(to + match <= output.byteLength)) return undefined;
		for (const end = to + match; to < end; to++) output[to] = output[to - distance] ?? 0;
	}
	return undefined;
}

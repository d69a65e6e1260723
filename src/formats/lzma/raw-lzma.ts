import { LzmaDecoder, LzmaFault } from "./lzma-decoder.ts";

/** lc 3, lp 0, pb 2: with what grub-mkimage compresses. */
const PROPERTIES = (2 * 5 + 0) * 9 + 3;

/** Decodes a raw LZMA stream (lc 3, lp 0, pb 2) to exactly `byteLength` bytes; undefined where it is damaged. */
export function decodeLzma(input: Uint8Array, byteLength: number): Uint8Array | undefined {
	if (input[0] !== 0) return undefined;
	const decoder = new LzmaDecoder(new Uint8Array(byteLength));
	decoder.setProperties(PROPERTIES);
	decoder.resetState();
	try {
		const end = decoder.decode(input, 0, input.byteLength, byteLength);
		return end <= input.byteLength ? decoder.window : undefined;
	} catch (error) {
		if (error instanceof LzmaFault) return undefined;
		throw error;
	}
}

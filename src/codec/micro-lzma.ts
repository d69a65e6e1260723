import { LzmaDecoder, LzmaFault } from "../formats/lzma/lzma-decoder.ts";

/**
 * Decodes MicroLZMA (xz, lzma/container.h): LZMA whose first byte, always 0, is the inverted properties instead, and whose length is known. Fills `output`, and
 * leaves what would come behind it; undefined where it is damaged.
 */
export function decodeMicroLzma(input: Uint8Array, output: Uint8Array): number | undefined {
	const decoder = new LzmaDecoder(output);
	try {
		decoder.setProperties(~Number(input[0]) & 0xff);
		decoder.resetState();
		const end = decoder.decode(input, 0, input.byteLength, output.byteLength);
		return end <= input.byteLength ? output.byteLength : undefined;
	} catch (error) {
		if (error instanceof LzmaFault) return undefined;
		throw error;
	}
}

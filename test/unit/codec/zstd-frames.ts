/** zstd frames of raw and run-length blocks, written by hand (RFC 8878). */
export type Block = { readonly raw: Uint8Array } | { readonly byte: number; readonly times: number };

export interface FrameOptions {
	/** Content-size field with the single-segment flag; otherwise a window descriptor of 128 KiB. */
	readonly singleSegment?: boolean;
	readonly windowDescriptor?: number;
	/** Four bytes after the last block. */
	readonly checksum?: Uint8Array;
}

export function zstdFrame(blocks: readonly Block[], options: FrameOptions = {}): Buffer {
	const size = contentOf(blocks).byteLength;
	const checksumFlag = options.checksum === undefined ? 0 : 4;
	const header = options.singleSegment
		? Buffer.from([0xa0 | checksumFlag, size & 255, (size >> 8) & 255, (size >> 16) & 255, size >>> 24])
		: Buffer.from([checksumFlag, options.windowDescriptor ?? 7 << 3]);
	const body = blocks.map((block, index) => {
		const last = index === blocks.length - 1 ? 1 : 0;
		const [type, length] = "raw" in block ? [0, block.raw.byteLength] : [1, block.times];
		const word = last | (type << 1) | (length << 3);
		const content = "raw" in block ? block.raw : Buffer.from([block.byte]);
		return Buffer.concat([Buffer.from([word & 255, (word >> 8) & 255, word >> 16]), content]);
	});
	return Buffer.concat([Buffer.from("28b52ffd", "hex"), header, ...body, options.checksum ?? Buffer.alloc(0)]);
}

export function contentOf(blocks: readonly Block[]): Buffer {
	return Buffer.concat(blocks.map((block) => ("raw" in block ? block.raw : Buffer.alloc(block.times, block.byte))));
}

const MAX_BLOCK_BYTES = 128 * 1024;

/**
 * A valid zstd frame of raw and run-length blocks (RFC 8878 3.1.1), made without an encoder: every decoder reads it, and runs of one byte still shrink.
 * The frame states a 128 KiB window and no content size.
 */
export function zstdStored(bytes: Uint8Array): Buffer {
	// frame header descriptor 0: no single segment, checksum or dictionary; window descriptor 0x38: 2^(10+7)
	const pieces: Uint8Array[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38])];
	let at = 0;
	do {
		const block = bytes.subarray(at, at + MAX_BLOCK_BYTES);
		at += block.byteLength;
		const run = block.byteLength > 1 && block.every((byte) => byte === block[0]);
		pieces.push(blockHeader(block.byteLength, run, at >= bytes.byteLength), run ? block.subarray(0, 1) : block);
	} while (at < bytes.byteLength);
	return Buffer.concat(pieces);
}

/** A frame that decoders pass over (RFC 8878 3.1.2); `kind` is 0 to 15. */
export function zstdSkippable(content: Uint8Array, kind = 0): Buffer {
	const header = Buffer.from([0x50 + kind, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
	header.writeUInt32LE(content.byteLength, 4);
	return Buffer.concat([header, content]);
}

function blockHeader(byteLength: number, run: boolean, last: boolean): Buffer {
	const header = Buffer.alloc(3);
	header.writeUIntLE(byteLength * 8 + (run ? 2 : 0) + (last ? 1 : 0), 0, 3);
	return header;
}

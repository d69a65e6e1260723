/** Parts of an initramfs without an encoder: each format's way to hold bytes as they are. */

const MAX_LZMA2_BYTES = 65_536;
/** Less than a legacy frame's blocks may hold, so that small contents have several. */
const LZ4_BLOCK_BYTES = 5000;

/** Raw LZMA2 data: uncompressed chunks and the end marker. */
export function lzma2Stored(bytes: Uint8Array): Buffer {
	const pieces: Uint8Array[] = [];
	for (let at = 0; at < bytes.byteLength; at += MAX_LZMA2_BYTES) {
		const chunk = bytes.subarray(at, at + MAX_LZMA2_BYTES);
		const header = Buffer.from([at === 0 ? 1 : 2, 0, 0]);
		header.writeUInt16BE(chunk.byteLength - 1, 1);
		pieces.push(header, chunk);
	}
	return Buffer.concat([...pieces, Buffer.from([0])]);
}

/** A legacy lz4 frame of literals. */
export function lz4Stored(bytes: Uint8Array): Buffer {
	const pieces: Uint8Array[] = [Buffer.from("02214c18", "hex")];
	for (let at = 0; at < bytes.byteLength; at += LZ4_BLOCK_BYTES) {
		const literals = bytes.subarray(at, at + LZ4_BLOCK_BYTES);
		const more = literals.byteLength - 15;
		const lengths =
			more < 0 ? [literals.byteLength << 4] : [0xf0, ...Array<number>(Math.floor(more / 255)).fill(255), more % 255];
		const size = Buffer.alloc(4);
		size.writeUInt32LE(lengths.length + literals.byteLength);
		pieces.push(size, Buffer.from(lengths), literals);
	}
	return Buffer.concat(pieces);
}

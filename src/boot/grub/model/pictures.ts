const PNG_SIGNATURE = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
const PNG_HEADER_BYTES = 29;
const MAX_SEGMENTS = 10_000;

/** Why GRUB's readers do not show a picture, by its name and its first bytes; undefined where they do, or where the name is none of a picture that is looked into. */
export function pictureFault(name: string, head: Buffer): string | undefined {
	if (/\.png$/i.test(name)) return pngFault(head);
	return /\.jpe?g$/i.test(name) ? jpegFault(head) : undefined;
}

/** GRUB 2.12, grub-core/video/readers/png.c, `grub_png_decode_image_header`: neither grey, which earlier ones took, nor interlaced. */
function pngFault(head: Buffer): string | undefined {
	if (head.byteLength < PNG_HEADER_BYTES || !head.subarray(0, 8).equals(PNG_SIGNATURE)) return "it is no PNG";
	if (head.toString("latin1", 12, 16) !== "IHDR") return "it does not begin with its header";
	const [depth, colour, , , interlace] = head.subarray(24, PNG_HEADER_BYTES);
	if (head.readUInt32BE(16) === 0 || head.readUInt32BE(20) === 0) return "it has no pixels";
	if (colour === 0 || colour === 4) return "it is in shades of grey";
	if (interlace !== 0) return "it is interlaced";
	const depths = colour === 3 ? [4, 8] : [8, 16];
	return depth !== undefined && depths.includes(depth)
		? undefined
		: `it has ${depth} bits for each ${colour === 3 ? "colour of its palette" : "part of a colour"}`;
}

/** GRUB 2.12, grub-core/video/readers/jpeg.c: baseline coding of three components numbered from 1 to 3, two tables of each kind. */
function jpegFault(head: Buffer): string | undefined {
	if (head.byteLength < 2 || head.readUInt16BE(0) !== 0xffd8) return "it is no JPEG";
	let at = 2;
	let hasFrame = false;
	for (let count = 0; count < MAX_SEGMENTS && at + 4 <= head.byteLength; count++) {
		if (head[at] !== 0xff) return "it has no marker where one should be";
		const marker = head.readUInt8(at + 1);
		const length = head.readUInt16BE(at + 2);
		const segment = head.subarray(at + 4, at + 2 + length);
		if (marker === 0xda) return hasFrame && segment[0] === 3 ? undefined : "its components are in scans of their own";
		const fault = segmentFault(marker, segment);
		if (fault !== undefined) return fault;
		hasFrame ||= marker === 0xc0;
		at += 2 + Math.max(length, 2);
	}
	return "its headers do not end";
}

function segmentFault(marker: number, segment: Buffer): string | undefined {
	switch (marker) {
		case 0xc0:
			return frameFault(segment);
		case 0xc2:
			return "it is progressive";
		case 0xc4: {
			for (let at = 0; at + 17 <= segment.byteLength; ) {
				if ((segment.readUInt8(at) & 0xf) > 1) return "it has more than two Huffman tables of a kind";
				at += segment.subarray(at + 1, at + 17).reduce((sum, each) => sum + each, 17);
			}
			return undefined;
		}
		case 0xdb: {
			for (let at = 0; at + 65 <= segment.byteLength; at += 65) {
				const id = segment.readUInt8(at);
				if (id >= 0x10) return "its quantization tables have 16 bits";
				if (id > 1) return "it has more than two quantization tables";
			}
			return undefined;
		}
		case 0xc8:
		case 0xcc:
			return undefined;
		default:
			return marker > 0xc0 && marker < 0xd0 ? "it is not in baseline coding" : undefined;
	}
}

function frameFault(frame: Buffer): string | undefined {
	if (frame.byteLength < 6) return "its frame header is cut off";
	const count = frame.readUInt8(5);
	if (frame.readUInt8(0) !== 8) return `it has ${frame.readUInt8(0)} bits for each part of a colour`;
	if (count !== 3) return count === 1 ? "it is in shades of grey" : `it has ${count} components`;
	if (frame.byteLength < 15) return "its frame header is cut off";
	if (frame.readUInt16BE(1) === 0 || frame.readUInt16BE(3) === 0) return "it has no pixels";
	for (let at = 6; at < 15; at += 3) {
		const id = frame.readUInt8(at);
		const sampling = frame.readUInt8(at + 1);
		if (id < 1 || id > 3) return "its components are not numbered from 1 to 3";
		const isFit = id === 1 ? sampling >> 4 <= 2 && (sampling & 0xf) <= 2 : sampling === 0x11;
		if (!isFit) return "its colours are sampled in an odd way";
	}
	return undefined;
}

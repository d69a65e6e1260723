import { describe, expect, it } from "vitest";
import { pictureFault } from "../../../../../src/boot/grub/model/pictures.ts";

function png(depth: number, colour: number, { interlace = 0, width = 9 } = {}): Buffer {
	const header = Buffer.alloc(33);
	header.write("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", "latin1");
	header.writeUInt32BE(width, 16);
	header.writeUInt32BE(7, 20);
	header.set([depth, colour, 0, 0, interlace], 24);
	return header;
}

const segment = (marker: number, ...body: number[]): number[] => [0xff, marker, 0, body.length + 2, ...body];
const jpeg = (...segments: number[][]): Buffer => Buffer.from([0xff, 0xd8, ...segments.flat()]);
const components = [1, 2, 3].flatMap((id) => [id, id === 1 ? 0x22 : 0x11, id === 1 ? 0 : 1]);
const frame = (marker = 0xc0, parts = components, precision = 8) =>
	segment(marker, precision, 0, 9, 0, 7, parts.length / 3, ...parts);
const table = (id: number) => segment(0xdb, id, ...Array<number>(64).fill(1));
const huffman = (id: number) => segment(0xc4, id, 1, ...Array<number>(15).fill(0), 5);
const comment = segment(0xfe, ...Buffer.from("a picture"));
const restarts = segment(0xdd, 0, 4);
const scan = segment(0xda, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0);

describe("a picture that GRUB shows", () => {
	it.each<[string, Buffer]>([
		["a.png", png(8, 2)],
		["a.PNG", png(16, 6)],
		["a.png", png(8, 3)],
		["a.png", png(4, 3)],
		["a.jpg", jpeg(comment, table(0), table(1), frame(), huffman(0), huffman(0x11), restarts, scan)],
		["a.jpeg", jpeg(frame(), scan)],
		["a.tga", Buffer.alloc(3)],
	])("%s", (name, head) => {
		expect(pictureFault(name, head)).toBeUndefined();
	});
});

describe("a picture that GRUB does not show", () => {
	it.each<[string, Buffer, RegExp]>([
		["a.png", png(8, 2, { interlace: 1 }), /interlaced/],
		["a.png", png(8, 0), /grey/],
		["a.png", png(16, 4), /grey/],
		["a.png", png(16, 3), /16 bits for each colour of its palette/],
		["a.png", png(2, 3), /2 bits/],
		["a.png", png(4, 2), /4 bits for each part/],
		["a.png", png(8, 2, { width: 0 }), /no pixels/],
		["a.png", Buffer.alloc(0), /no PNG/],
		["a.png", jpeg(frame(), scan), /no PNG/],
		["a.jpg", Buffer.alloc(0), /no JPEG/],
		["a.jpg", png(8, 2), /no JPEG/],
		["a.jpg", jpeg(frame(0xc2), scan), /progressive/],
		["a.jpg", jpeg(frame(0xc1), scan), /not in baseline/],
		["a.jpg", jpeg(frame(0xc9), scan), /not in baseline/],
		["a.jpg", jpeg(frame(0xc0, components, 12), scan), /12 bits/],
		["a.jpg", jpeg(frame(0xc0, components.slice(0, 3)), scan), /grey/],
		["a.jpg", jpeg(frame(0xc0, [...components, 4, 0x11, 1]), scan), /4 components/],
		["a.jpg", jpeg(frame(0xc0, [82, 0x11, 0, 71, 0x11, 0, 66, 0x11, 0]), scan), /not numbered/],
		["a.jpg", jpeg(frame(0xc0, [1, 0x41, 0, 2, 0x11, 1, 3, 0x11, 1]), scan), /odd way/],
		["a.jpg", jpeg(frame(0xc0, [1, 0x22, 0, 2, 0x21, 1, 3, 0x21, 1]), scan), /odd way/],
		["a.jpg", jpeg(table(2), frame(), scan), /more than two quantization/],
		["a.jpg", jpeg(table(0x10), frame(), scan), /16 bits/],
		["a.jpg", jpeg(huffman(2), frame(), scan), /more than two Huffman/],
		["a.jpg", jpeg(frame(), segment(0xda, 1, 1, 0, 0, 63, 0)), /scans of their own/],
		["a.jpg", jpeg(frame()), /do not end/],
		["a.jpg", jpeg(frame(), [0, 1, 2, 3, 4]), /no marker/],
	])("%s: %#", (name, head, why) => {
		expect(pictureFault(name, head)).toMatch(why);
	});
});

import type { GrubFileReader } from "../../../../../../src/boot/grub/made/core-image/build-core.ts";

export interface Section {
	readonly type: number;
	readonly flags: number;
	readonly address: number;
	readonly content?: Uint8Array;
	/** When there is no content: of uninitialized data. */
	readonly byteLength?: number;
}

export const PROGBITS = 1;
export const NOBITS = 8;
export const CODE_FLAGS = 6;
export const DATA_FLAGS = 3;

/** An ELF file as linkers make kernel.img, without the parts that nobody reads. */
export function kernelElf(sections: readonly Section[]): Buffer {
	const HEADER = 52;
	const bodies = sections.map(({ content }) => content ?? new Uint8Array());
	const offsets = bodies.map((_, i) => HEADER + bodies.slice(0, i).reduce((sum, body) => sum + body.byteLength, 0));
	const header = Buffer.alloc(HEADER);
	header.write("\x7fELF\x01\x01\x01", "latin1");
	header.writeUInt16LE(2, 16);
	header.writeUInt16LE(3, 18);
	header.writeUInt32LE(1, 20);
	header.writeUInt32LE(HEADER + bodies.reduce((sum, body) => sum + body.byteLength, 0), 32);
	header.writeUInt16LE(40, 46);
	header.writeUInt16LE(sections.length, 48);
	const table = sections.map(({ type, flags, address, content, byteLength }, i) => {
		const entry = Buffer.alloc(40);
		entry.writeUInt32LE(type, 4);
		entry.writeUInt32LE(flags, 8);
		entry.writeUInt32LE(address, 12);
		entry.writeUInt32LE(offsets[i] ?? 0, 16);
		entry.writeUInt32LE(content?.byteLength ?? byteLength ?? 0, 20);
		return entry;
	});
	return Buffer.concat([header, ...bodies, ...table]);
}

export const CODE = Buffer.from("code, code, code");
export const DATA = Buffer.from("data");
export const KERNEL = kernelElf([
	{ type: 0, flags: 0, address: 0 },
	{ type: PROGBITS, flags: CODE_FLAGS, address: 0x9000, content: CODE },
	{ type: PROGBITS, flags: DATA_FLAGS, address: 0x9020, content: DATA },
	{ type: NOBITS, flags: DATA_FLAGS, address: 0x9040, byteLength: 0x1000 },
	{ type: PROGBITS, flags: 0, address: 0, content: Buffer.from(".comment") },
]);

function diskBootImage(): Buffer {
	const image = Buffer.alloc(512, 0xd0);
	image.writeBigUInt64LE(2n, 500);
	image.writeUInt16LE(0, 508);
	image.writeUInt16LE(0x820, 510);
	return image;
}

export type GrubDirectory = Readonly<Record<string, Uint8Array>>;

/** The least that a core image can be made of. */
export const DIRECTORY: GrubDirectory = {
	"moddep.lst": Buffer.from("disk:\nreader: disk shared\nshared:\nunused: reader\n"),
	"kernel.img": KERNEL,
	"lzma_decompress.img": Buffer.alloc(100, 0xdc),
	"cdboot.img": Buffer.alloc(2048, 0xcd),
	"diskboot.img": diskBootImage(),
	"disk.mod": Buffer.from("the disk"),
	"reader.mod": Buffer.from("the reader"),
	"shared.mod": Buffer.from("what is shared"),
};

export function readerOf(directory: GrubDirectory): GrubFileReader {
	return async (name, maxBytes) => {
		const file = directory[name];
		if (file !== undefined && file.byteLength > maxBytes) throw new Error(`${name} is beyond ${maxBytes} bytes`);
		return file;
	};
}

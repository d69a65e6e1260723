import { aligned, moduleOf, u32 } from "./raw-lzma.ts";

const SECTION_ALIGNMENT = 512;
const HEADERS_BYTES = 1024;
const HEADERS_START = 0x80;

/** A PE32+ EFI application, for x86-64 unless another machine is named, with these sections; long names go to a string table, as GNU's linker does it. */
export function makeProgram(sections: Readonly<Record<string, Uint8Array>>, head?: Buffer, peMachine = 0x8664): Buffer {
	const headers = Buffer.alloc(HEADERS_BYTES);
	headers.set(head ?? Buffer.alloc(0));
	headers.write("MZ", 0, "latin1");
	const start = head === undefined ? HEADERS_START : 0x300;
	headers.writeUInt32LE(start, 60);
	headers.write("PE\0\0", start, "latin1");
	headers.writeUInt16LE(peMachine, start + 4);
	const names = Object.keys(sections);
	headers.writeUInt16LE(names.length, start + 6);
	headers.writeUInt16LE(112 + 40, start + 20);
	headers.writeUInt16LE(0x20b, start + 24);
	headers.writeUInt32LE(HEADERS_BYTES, start + 84);
	headers.writeUInt16LE(10, start + 92);
	headers.writeUInt32LE(5, start + 132);
	const bodies: Buffer[] = [];
	let offset = HEADERS_BYTES;
	let strings = "";
	for (const [i, name] of names.entries()) {
		const content = sections[name] ?? new Uint8Array();
		const body = aligned(Buffer.from(content), SECTION_ALIGNMENT);
		const at = start + 24 + 152 + 40 * i;
		const long = name.length > 8;
		headers.write(long ? `/${4 + strings.length}` : name, at, "latin1");
		if (long) strings += `${name}\0`;
		headers.writeUInt32LE(content.byteLength, at + 8);
		headers.writeUInt32LE(body.byteLength, at + 16);
		headers.writeUInt32LE(offset, at + 20);
		offset += body.byteLength;
		bodies.push(body);
	}
	headers.writeUInt32LE(strings === "" ? 0 : offset, start + 12);
	const table = strings === "" ? [] : [u32(4 + strings.length), Buffer.from(strings, "latin1")];
	return aligned(Buffer.concat([headers, ...bodies, ...table]), 8);
}

/** shim: the certificate that it trusts, its SBAT and the revocations that it brings. */
export function shimProgram(certificate: Uint8Array, starts = "grubx64.efi"): Buffer {
	const sizes = Buffer.concat([u32(certificate.byteLength), u32(0), u32(16), u32(16 + certificate.byteLength)]);
	return makeProgram({
		".text": Buffer.concat([Buffer.alloc(600, "shim"), Buffer.from(`\\\\${starts}\0`.padEnd(50, "\0"), "utf16le")]),
		".vendor_cert": Buffer.concat([sizes, certificate]),
		".sbatlevel": Buffer.from(
			"\0\0\0\0\x08\0\0\0\x29\0\0\0sbat,1,2024010900\nshim,4\ngrub,3\n\0sbat,1,2025051000\nshim,4\ngrub,5\n\0",
		),
		".sbat": Buffer.from("sbat,1,SBAT Version,sbat,1,https://example.org\nshim,4,shim,shim,1,https://example.org\n"),
	});
}

export function grubProgram(generation = 4): Buffer {
	const modules = Buffer.concat([moduleOf(0, Buffer.alloc(40, "elf")), moduleOf(3, Buffer.from("/EFI/BOOT\0"))]);
	const info = Buffer.alloc(24);
	info.write("mimg", 0, "latin1");
	info.writeUInt32LE(24, 8);
	info.writeUInt32LE(24 + modules.byteLength, 16);
	return makeProgram({
		".text": Buffer.alloc(900, "grub mimg"),
		mods: Buffer.concat([info, modules]),
		".sbat": Buffer.from(
			`sbat,1,SBAT Version,sbat,1,https://example.org\ngrub,${generation},GRUB,grub,2,https://example.org\n`,
		),
	});
}

/** A kernel: boot protocol 2.15 with a 64-bit entry, and an EFI program. */
export function kernelProgram(): Buffer {
	const head = Buffer.alloc(0x300);
	head.writeUInt16LE(0xaa55, 0x1fe);
	head.write("HdrS", 0x202, "latin1");
	head.writeUInt16LE(0x020f, 0x206);
	head.writeUInt16LE(1, 0x236);
	return makeProgram({ ".text": Buffer.alloc(3000, "linux") }, head);
}

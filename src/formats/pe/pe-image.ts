import { createHash } from "node:crypto";
import { decodePeLayout, type PeLayout, readCertificateTable } from "./pe-layout.ts";
import { layoutFaults, type SignedProgram } from "./signed-program.ts";

const SYMBOL_BYTES = 18;
const MAX_NAME_BYTES = 256;

interface PeSection {
	/** Long names (`/4`) resolved through the COFF string table. */
	readonly name: string;
	readonly virtualAddress: number;
	/** What is recorded of it in the file, without the padding behind its virtual size. */
	readonly bytes: Uint8Array;
}

/** An EFI program or library: a PE32+ image. */
export interface PeImage extends SignedProgram {
	/** As in the COFF header; `machineName` says it in words. */
	readonly machine: number;
	/** 10: EFI application. */
	readonly subsystem: number;
	/** Bit 8: the program bears memory that is either writable or executable. */
	readonly dllCharacteristics: number;
	readonly sections: readonly PeSection[];
}

/** Decodes a PE32+ image, or says in words why it is none. Sections and signatures that leave the file make it none. */
export function decodePe(program: Uint8Array): PeImage | string {
	const file = Buffer.from(program.buffer, program.byteOffset, program.byteLength);
	try {
		const layout = decodePeLayout(file, file.byteLength);
		return typeof layout === "string" ? layout : imageOf(file, layout);
	} catch (error) {
		if (error instanceof RangeError) return "its headers go beyond its end";
		throw error;
	}
}

function imageOf(file: Buffer, layout: PeLayout): PeImage {
	const { certificates } = layout;
	const strings = stringTable(file, layout.symbolTableOffset, layout.symbolCount);
	const table = file.subarray(certificates.start, certificates.end);
	const attributes = readCertificateTable(table);
	return {
		machine: layout.machine,
		subsystem: layout.subsystem,
		dllCharacteristics: layout.dllCharacteristics,
		sections: layout.sections.map(({ name, virtualAddress, virtualBytes, fileOffset, fileBytes }) => ({
			name: longName(name, strings),
			virtualAddress,
			bytes: file.subarray(
				fileOffset,
				fileOffset + (virtualBytes === 0 ? fileBytes : Math.min(virtualBytes, fileBytes)),
			),
		})),
		signatures: attributes.signatures,
		faults: layoutFaults(layout, file.byteLength, attributes.isWhole),
		digest(algorithm) {
			const hash = createHash(algorithm);
			for (const { start, end } of layout.digested) hash.update(file.subarray(start, end));
			return hash.update(Buffer.alloc(layout.digestedZeros)).digest();
		},
	};
}

/** The COFF string table follows the symbols; its length field counts itself. */
function stringTable(file: Buffer, symbolTableOffset: number, symbolCount: number): Buffer {
	const at = symbolTableOffset + symbolCount * SYMBOL_BYTES;
	if (symbolTableOffset === 0 || at + 4 > file.byteLength) return Buffer.alloc(0);
	return file.subarray(at, Math.min(file.byteLength, at + file.readUInt32LE(at)));
}

function longName(name: string, strings: Buffer): string {
	const offset = /^\/(\d+)$/.exec(name)?.[1];
	if (offset === undefined) return name;
	const at = Number(offset);
	if (at >= strings.byteLength) return name;
	const end = strings.subarray(0, at + MAX_NAME_BYTES).indexOf(0, at);
	return strings.toString("latin1", at, end < 0 ? Math.min(strings.byteLength, at + MAX_NAME_BYTES) : end);
}

/** The content of the first section of that name. */
export function sectionBytes(image: PeImage, name: string): Uint8Array | undefined {
	return image.sections.find((section) => section.name === name)?.bytes;
}

import { createHash } from "node:crypto";
import { from0, record } from "../binary/record.ts";
import { alignUp } from "../binary/units.ts";

/** Microsoft PE format, "MS-DOS Stub": where the PE headers are. */
const dosHeader = record("MS-DOS header", 64, {
	magic: from0.text(0, 2),
	peOffset: from0.u32le(60),
});

/** Microsoft PE format, "Signature" and "COFF File Header". */
const coffHeader = record("COFF file header", 24, {
	signature: from0.bytes(0, 4),
	machine: from0.u16le(4),
	sectionCount: from0.u16le(6),
	symbolTableOffset: from0.u32le(12),
	symbolCount: from0.u32le(16),
	optionalHeaderBytes: from0.u16le(20),
	characteristics: from0.u16le(22),
});

/** Microsoft PE format, "Optional Header" up to the data directories, in the form for 64-bit programs (PE32+). */
const optionalHeader = record("PE32+ optional header", 112, {
	magic: from0.u16le(0),
	headerBytes: from0.u32le(60),
	checksum: from0.u32le(64),
	subsystem: from0.u16le(68),
	dllCharacteristics: from0.u16le(70),
	dataDirectoryCount: from0.u32le(108),
});

const dataDirectory = record("data directory", 8, { offset: from0.u32le(0), byteLength: from0.u32le(4) });

/** Microsoft PE format, "Section Table". */
const sectionHeader = record("section header", 40, {
	name: from0.text(0, 8, "\0"),
	virtualBytes: from0.u32le(8),
	virtualAddress: from0.u32le(12),
	fileBytes: from0.u32le(16),
	fileOffset: from0.u32le(20),
});

/** Microsoft PE format, "The Attribute Certificate Table": what precedes each certificate. */
const certificateHeader = record("WIN_CERTIFICATE", 8, {
	byteLength: from0.u32le(0),
	revision: from0.u16le(4),
	type: from0.u16le(6),
});

const PE_SIGNATURE = "PE\0\0";
const PE32_PLUS = 0x20b;
const CERTIFICATE_DIRECTORY = 4;
const PKCS_SIGNED_DATA = 2;
const SYMBOL_BYTES = 18;
const MAX_SECTIONS = 256;
const MAX_SIGNATURES = 16;
const MAX_NAME_BYTES = 256;

export const PE_MACHINES: Readonly<Record<number, string>> = {
	332: "i386",
	34404: "x86_64",
	43620: "aarch64",
	20580: "riscv64",
	25188: "loongarch64",
};

export interface PeSection {
	/** Long names (`/4`) resolved through the COFF string table. */
	readonly name: string;
	readonly virtualAddress: number;
	/** What is recorded of it in the file, without the padding behind its virtual size. */
	readonly bytes: Uint8Array;
}

/** An EFI program or library: a PE32+ image. */
export interface PeImage {
	/** `x86_64`, or `0x...` for a machine without a name here. */
	readonly machine: string;
	/** 10: EFI application. */
	readonly subsystem: number;
	/** Bit 8: the program bears memory that is either writable or executable. */
	readonly dllCharacteristics: number;
	readonly sections: readonly PeSection[];
	/** PKCS #7 `SignedData` of each signature, DER, in the file's order. */
	readonly signatures: readonly Uint8Array[];
	/** What is wrong with it although it can be read, in words: layouts whose digest or signatures firmware does not accept. */
	readonly faults: readonly string[];
	/**
	 * Authenticode's digest of the program ("Calculating the PE Image Hash"): headers, sections in the file's order and what follows them,
	 * without checksum, certificate directory entry and certificate table. Where the layout is at fault, all of the program in one piece.
	 */
	digest(algorithm: "sha1" | "sha256" | "sha384" | "sha512"): Buffer;
}

/** Decodes a PE32+ image, or says in words why it is none. Sections and signatures that leave the file make it none. */
export function decodePe(program: Uint8Array): PeImage | string {
	try {
		return decode(Buffer.from(program.buffer, program.byteOffset, program.byteLength));
	} catch (error) {
		if (error instanceof RangeError) return "its headers go beyond its end";
		throw error;
	}
}

function decode(file: Buffer): PeImage | string {
	if (file.byteLength < dosHeader.byteLength || dosHeader.decode(file).magic !== "MZ")
		return "it does not start with MZ";
	const start = dosHeader.decode(file).peOffset;
	const coff = coffHeader.decode(file, start);
	if (Buffer.from(coff.signature).toString("latin1") !== PE_SIGNATURE) return "it has no PE signature";
	const optionalAt = start + coffHeader.byteLength;
	const optional = optionalHeader.decode(file, optionalAt);
	if (optional.magic !== PE32_PLUS) return "it is not a 64-bit PE image";
	if (coff.sectionCount > MAX_SECTIONS) return `it has ${coff.sectionCount} sections`;
	const directoriesAt = optionalAt + optionalHeader.byteLength;
	const certificateEntryAt = directoriesAt + CERTIFICATE_DIRECTORY * dataDirectory.byteLength;
	const hasCertificateEntry = optional.dataDirectoryCount > CERTIFICATE_DIRECTORY;
	const certificates = hasCertificateEntry
		? dataDirectory.decode(file, certificateEntryAt)
		: { offset: 0, byteLength: 0 };
	if (certificates.offset + certificates.byteLength > file.byteLength)
		return "its certificate table goes beyond its end";

	const strings = stringTable(file, coff.symbolTableOffset, coff.symbolCount);
	const headers = Array.from({ length: coff.sectionCount }, (_, index) =>
		sectionHeader.decode(file, optionalAt + coff.optionalHeaderBytes + index * sectionHeader.byteLength),
	);
	for (const { fileOffset, fileBytes } of headers)
		if (fileBytes > 0 && fileOffset + fileBytes > file.byteLength) return "a section goes beyond its end";
	const attributes = readCertificateTable(
		file.subarray(certificates.offset, certificates.offset + certificates.byteLength),
	);
	const headersEnd = hasCertificateEntry ? certificateEntryAt + dataDirectory.byteLength : directoriesAt;
	const hashedBytes = headers.reduce((sum, { fileBytes }) => sum + fileBytes, optional.headerBytes);
	const layoutFault =
		optional.headerBytes < headersEnd || optional.headerBytes > file.byteLength
			? `its headers have ${optional.headerBytes} bytes`
			: hashedBytes > file.byteLength
				? "its sections lie over each other"
				: undefined;
	const faults = layoutFault === undefined ? [] : [layoutFault];
	if (certificates.byteLength > 0 && certificates.offset + certificates.byteLength !== file.byteLength)
		faults.push("its certificate table does not end the file");
	if (!attributes.isWhole) faults.push("its certificate table is malformed");
	return {
		machine: PE_MACHINES[coff.machine] ?? `0x${coff.machine.toString(16)}`,
		subsystem: optional.subsystem,
		dllCharacteristics: optional.dllCharacteristics,
		sections: headers.map(({ name, virtualAddress, virtualBytes, fileOffset, fileBytes }) => ({
			name: longName(name, strings),
			virtualAddress,
			bytes: file.subarray(
				fileOffset,
				fileOffset + (virtualBytes === 0 ? fileBytes : Math.min(virtualBytes, fileBytes)),
			),
		})),
		signatures: attributes.signatures,
		faults,
		digest(algorithm) {
			const checksumAt = optionalAt + optionalHeader.fields.checksum.offset;
			const end = certificates.byteLength === 0 ? file.byteLength : certificates.offset;
			const hash = createHash(algorithm).update(file.subarray(0, checksumAt));
			const isSound = layoutFault === undefined;
			const headerBytes = isSound ? optional.headerBytes : headersEnd;
			hash.update(file.subarray(checksumAt + 4, hasCertificateEntry ? certificateEntryAt : headerBytes));
			if (hasCertificateEntry) hash.update(file.subarray(headersEnd, headerBytes));
			let hashed = headerBytes;
			const recorded = isSound ? headers.filter(({ fileBytes }) => fileBytes > 0) : [];
			for (const { fileOffset, fileBytes } of recorded.sort((a, b) => a.fileOffset - b.fileOffset)) {
				hashed += fileBytes;
				hash.update(file.subarray(fileOffset, fileOffset + fileBytes));
			}
			if (hashed < end) hash.update(file.subarray(hashed, end));
			// A program is padded to 8 bytes before it is signed.
			if (certificates.byteLength === 0) hash.update(Buffer.alloc(alignUp(end, 8) - end));
			return hash.digest();
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

/** `isWhole`: every certificate is inside the table. */
function readCertificateTable(table: Buffer): { signatures: Uint8Array[]; isWhole: boolean } {
	const signatures: Uint8Array[] = [];
	let at = 0;
	while (at + certificateHeader.byteLength <= table.byteLength && signatures.length < MAX_SIGNATURES) {
		const { byteLength, type } = certificateHeader.decode(table, at);
		if (byteLength <= certificateHeader.byteLength || at + byteLength > table.byteLength)
			return { signatures, isWhole: false };
		if (type === PKCS_SIGNED_DATA) signatures.push(table.subarray(at + certificateHeader.byteLength, at + byteLength));
		at += alignUp(byteLength, 8);
	}
	return { signatures, isWhole: true };
}

/** The content of the first section of that name. */
export function sectionBytes(image: PeImage, name: string): Uint8Array | undefined {
	return image.sections.find((section) => section.name === name)?.bytes;
}

/** The text of a section that holds a string padded with NULs (`.uname`, `.osrel`, `.cmdline` of a unified kernel image). */
export function sectionText(image: PeImage, name: string): string | undefined {
	const bytes = sectionBytes(image, name);
	return bytes === undefined ? undefined : Buffer.from(bytes).toString("utf8").replace(/\0+$/, "");
}

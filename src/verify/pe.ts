import { createHash } from "node:crypto";
import { from0, record } from "../binary/record.ts";
import { corrupt, type Oci2isoError } from "../errors.ts";

/** Microsoft PE format, "COFF File Header" and "Optional Header" (PE32+), from "PE\0\0" on. */
const peHeader = record("PE header", 176, {
	signature: from0.bytes(0, 4),
	machine: from0.u16le(4),
	sectionCount: from0.u16le(6),
	symbolTableOffset: from0.u32le(12),
	symbolCount: from0.u32le(16),
	optionalHeaderBytes: from0.u16le(20),
	optionalMagic: from0.u16le(24),
	headersBytes: from0.u32le(84),
	checksum: from0.u32le(88),
	subsystem: from0.u16le(92),
	dataDirectoryCount: from0.u32le(132),
	/** Data directory 4. A file offset, not an address. */
	certificateTableOffset: from0.u32le(168),
	certificateTableBytes: from0.u32le(172),
});

/** "Section Table". */
const sectionHeader = record("PE section header", 40, {
	name: from0.text(0, 8, "\0"),
	virtualBytes: from0.u32le(8),
	rawBytes: from0.u32le(16),
	rawOffset: from0.u32le(20),
});

/** "The Attribute Certificate Table". */
const certificateHeader = record("attribute certificate", 8, {
	byteLength: from0.u32le(0),
	revision: from0.u16le(4),
	type: from0.u16le(6),
});

const PKCS_SIGNED_DATA = 2;
const SYMBOL_BYTES = 18;
const MAX_SECTION_NAME_BYTES = 64;
const PE32_PLUS = 0x20b;
const CERTIFICATE_DIRECTORY = 4;
const EFI_APPLICATION = 10;
export const MACHINE_X86_64 = 0x8664;

export interface PeSection {
	readonly name: string;
	readonly offset: number;
	/** What is in the file, without padding beyond the virtual size. */
	readonly bytes: Uint8Array;
	/** In the file, padding included. */
	readonly rawBytes: number;
}

/** An EFI program. */
export interface PeImage {
	readonly machine: number;
	readonly sections: readonly PeSection[];
	/** PKCS #7 signatures, DER. */
	readonly signatures: readonly Uint8Array[];
	/** The Authenticode digest: all but checksum, certificate directory entry and certificate table. */
	digest(algorithm: "sha1" | "sha256" | "sha384" | "sha512"): Buffer;
}

/** Reads a PE32+ EFI application. Throws `Oci2isoError` BAD_PE. */
export function readPe(program: Uint8Array, where: string): PeImage {
	const bytes = Buffer.from(program.buffer, program.byteOffset, program.byteLength);
	const bad = (what: string, expected: string): Oci2isoError => corrupt("BAD_PE", what, where, expected);
	if (bytes.byteLength < 64 || bytes.toString("latin1", 0, 2) !== "MZ") throw bad("it is no EFI program", "MZ");
	const start = bytes.readUInt32LE(60);
	if (start > bytes.byteLength - peHeader.byteLength) throw bad("the PE header is beyond the end", "one inside");
	const header = peHeader.decode(bytes, start);
	if (Buffer.from(header.signature).toString("latin1") !== "PE\0\0" || header.optionalMagic !== PE32_PLUS)
		throw bad("it is no 64-bit EFI program", "PE32+");
	if (header.subsystem !== EFI_APPLICATION) throw bad(`it has subsystem ${header.subsystem}`, "10, an EFI application");
	const sections: PeSection[] = [];
	const table = start + 24 + header.optionalHeaderBytes;
	if (table + 40 * header.sectionCount > bytes.byteLength)
		throw bad("the section table is beyond the end", "it inside");
	const strings = header.symbolTableOffset + SYMBOL_BYTES * header.symbolCount;
	for (let i = 0; i < header.sectionCount; i++) {
		const { name, rawOffset, rawBytes, virtualBytes } = sectionHeader.decode(bytes, table + 40 * i);
		if (rawOffset + rawBytes > bytes.byteLength) throw bad(`section ${name} ends beyond the file`, "it inside");
		const used = Math.min(rawBytes, virtualBytes);
		sections.push({
			name: longName(bytes, strings, name),
			offset: rawOffset,
			bytes: bytes.subarray(rawOffset, rawOffset + used),
			rawBytes,
		});
	}
	const hasTable = header.dataDirectoryCount > CERTIFICATE_DIRECTORY;
	const tableBytes = hasTable ? header.certificateTableBytes : 0;
	if (tableBytes > 0 && header.certificateTableOffset + tableBytes !== bytes.byteLength)
		throw bad("the certificate table does not end the file", `an end at ${bytes.byteLength}`);
	return {
		machine: header.machine,
		sections,
		signatures: tableBytes === 0 ? [] : signaturesIn(bytes.subarray(header.certificateTableOffset), bad),
		digest(algorithm) {
			const hash = createHash(algorithm);
			const { headersBytes } = header;
			if (headersBytes < start + peHeader.byteLength || headersBytes > bytes.byteLength)
				throw bad(`the headers have ${headersBytes} bytes`, "room for them");
			hash.update(bytes.subarray(0, start + 88));
			hash.update(bytes.subarray(start + 92, start + 168));
			hash.update(bytes.subarray(start + 176, headersBytes));
			let hashed = headersBytes;
			for (const { offset, rawBytes } of sections.filter((each) => each.rawBytes > 0).sort(byOffset)) {
				hashed += rawBytes;
				if (hashed > bytes.byteLength) throw bad("its sections lie over each other", "sections of their own");
				hash.update(bytes.subarray(offset, offset + rawBytes));
			}
			const end = bytes.byteLength - tableBytes;
			if (hashed < end) hash.update(bytes.subarray(hashed, end));
			return hash.digest();
		},
	};
}

/** `/26` stands for the name at that offset of the string table behind the symbols. */
function longName(bytes: Buffer, strings: number, name: string): string {
	if (!/^\/\d+$/.test(name)) return name;
	const start = strings + Number(name.slice(1));
	return bytes.toString("latin1", start, start + MAX_SECTION_NAME_BYTES).replace(/\0[\s\S]*$/, "");
}

function byOffset(a: PeSection, b: PeSection): number {
	return a.offset - b.offset;
}

function signaturesIn(table: Buffer, bad: (what: string, expected: string) => Oci2isoError): Uint8Array[] {
	const found: Uint8Array[] = [];
	for (let at = 0; at + 8 <= table.byteLength; ) {
		const { byteLength, type } = certificateHeader.decode(table, at);
		if (byteLength < 8 || at + byteLength > table.byteLength)
			throw bad(`an attribute certificate has ${byteLength} bytes`, `8 to ${table.byteLength - at}`);
		if (type === PKCS_SIGNED_DATA) found.push(table.subarray(at + 8, at + byteLength));
		at += Math.ceil(byteLength / 8) * 8;
	}
	return found;
}

import { from0, record } from "../../binary/record.ts";
import { alignUp } from "../../binary/units.ts";

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

/** Magic number of PE32+. */
const PE32_PLUS = 0x20b;
/** Number of the data directory that says where the attribute certificates (signatures) are. */
const CERTIFICATE_DIRECTORY = 4;
const PE_SIGNATURE = "PE\0\0";
const PKCS_SIGNED_DATA = 2;
const MAX_SECTIONS = 256;
const MAX_SIGNATURES = 16;

const MACHINES: Readonly<Record<number, string>> = {
	332: "i386",
	34404: "x86_64",
	43620: "aarch64",
	20580: "riscv64",
	25188: "loongarch64",
};

/** `x86_64`, or `0x...` for a machine without a name here. */
export function machineName(machine: number): string {
	return MACHINES[machine] ?? `0x${machine.toString(16)}`;
}

/** Why a program does not start on a machine, in words; undefined where it does. A text is why it is none. */
export function foreignProgram(program: { readonly machine: number } | string, machine: number): string | undefined {
	if (typeof program === "string") return program;
	return program.machine === machine ? undefined : `it is a program for ${machineName(program.machine)}`;
}

/** From `start` up to `end`, in bytes of the file. */
interface ByteRange {
	readonly start: number;
	readonly end: number;
}

/** What the headers of a PE32+ image say, without a look at what they lead to. */
export interface PeLayout {
	readonly machine: number;
	readonly subsystem: number;
	readonly dllCharacteristics: number;
	/** Names as recorded: long ones are places in the string table. */
	readonly sections: readonly ReturnType<typeof sectionHeader.decode>[];
	readonly symbolTableOffset: number;
	readonly symbolCount: number;
	/** Inside the file; empty where the program is not signed. */
	readonly certificates: ByteRange;
	/** Why firmware does not accept where the parts are, in words. */
	readonly fault: string | undefined;
	/** What Authenticode digests, in its order ("Calculating the PE Image Hash"), and how many zeros behind it. */
	readonly digested: readonly ByteRange[];
	readonly digestedZeros: number;
}

/**
 * Decodes the headers of a file of `fileBytes` bytes, of which `head` is the start, or says in words why it is no PE32+ image. Throws `RangeError` where
 * headers lie behind `head`.
 */
export function decodePeLayout(head: Buffer, fileBytes: number): PeLayout | string {
	if (fileBytes < dosHeader.byteLength || dosHeader.decode(head).magic !== "MZ") return "it does not start with MZ";
	const start = dosHeader.decode(head).peOffset;
	const coff = coffHeader.decode(head, start);
	if (Buffer.from(coff.signature).toString("latin1") !== PE_SIGNATURE) return "it has no PE signature";
	const optionalAt = start + coffHeader.byteLength;
	const optional = optionalHeader.decode(head, optionalAt);
	if (optional.magic !== PE32_PLUS) return "it is not a 64-bit PE image";
	if (coff.sectionCount > MAX_SECTIONS) return `it has ${coff.sectionCount} sections`;
	const directoriesAt = optionalAt + optionalHeader.byteLength;
	const certificateEntryAt = directoriesAt + CERTIFICATE_DIRECTORY * dataDirectory.byteLength;
	const hasCertificateEntry = optional.dataDirectoryCount > CERTIFICATE_DIRECTORY;
	const table = hasCertificateEntry ? dataDirectory.decode(head, certificateEntryAt) : { offset: 0, byteLength: 0 };
	if (table.offset + table.byteLength > fileBytes) return "its certificate table goes beyond its end";

	const sections = Array.from({ length: coff.sectionCount }, (_, index) =>
		sectionHeader.decode(head, optionalAt + coff.optionalHeaderBytes + index * sectionHeader.byteLength),
	);
	for (const section of sections)
		if (section.fileBytes > 0 && section.fileOffset + section.fileBytes > fileBytes)
			return "a section goes beyond its end";
	const headersEnd = hasCertificateEntry ? certificateEntryAt + dataDirectory.byteLength : directoriesAt;
	const hashedBytes = sections.reduce((sum, section) => sum + section.fileBytes, optional.headerBytes);
	const fault =
		optional.headerBytes < headersEnd || optional.headerBytes > fileBytes
			? `its headers have ${optional.headerBytes} bytes`
			: hashedBytes > fileBytes
				? "its sections lie over each other"
				: undefined;

	const isSound = fault === undefined;
	const checksumAt = optionalAt + optionalHeader.fields.checksum.offset;
	const headerBytes = isSound ? optional.headerBytes : headersEnd;
	const recorded = isSound ? sections.filter((section) => section.fileBytes > 0) : [];
	const isSigned = table.byteLength > 0;
	const end = isSigned ? table.offset : fileBytes;
	return {
		machine: coff.machine,
		subsystem: optional.subsystem,
		dllCharacteristics: optional.dllCharacteristics,
		sections,
		symbolTableOffset: coff.symbolTableOffset,
		symbolCount: coff.symbolCount,
		certificates: { start: table.offset, end: table.offset + table.byteLength },
		fault,
		digested: [
			{ start: 0, end: checksumAt },
			{ start: checksumAt + 4, end: hasCertificateEntry ? certificateEntryAt : headerBytes },
			...(hasCertificateEntry ? [{ start: headersEnd, end: headerBytes }] : []),
			...recorded
				.sort((a, b) => a.fileOffset - b.fileOffset)
				.map((section) => ({ start: section.fileOffset, end: section.fileOffset + section.fileBytes })),
			{ start: isSound ? hashedBytes : headerBytes, end },
		].filter((range) => range.start < range.end),
		// A program is padded to 8 bytes before it is signed.
		digestedZeros: isSigned ? 0 : alignUp(end, 8) - end,
	};
}

/** As `decodePeLayout`; undefined where headers lie behind `head`. */
export function decodePeHead(head: Uint8Array, fileBytes: number): PeLayout | string | undefined {
	try {
		return decodePeLayout(Buffer.from(head.buffer, head.byteOffset, head.byteLength), fileBytes);
	} catch (error) {
		if (error instanceof RangeError) return undefined;
		throw error;
	}
}

/** `isWhole`: the table is certificates, each padded to 8 bytes, and nothing else. */
export function readCertificateTable(table: Buffer): { signatures: Uint8Array[]; isWhole: boolean } {
	const signatures: Uint8Array[] = [];
	let at = 0;
	while (at + certificateHeader.byteLength <= table.byteLength && signatures.length < MAX_SIGNATURES) {
		const { byteLength, type } = certificateHeader.decode(table, at);
		if (byteLength <= certificateHeader.byteLength || at + byteLength > table.byteLength)
			return { signatures, isWhole: false };
		if (type === PKCS_SIGNED_DATA) signatures.push(table.subarray(at + certificateHeader.byteLength, at + byteLength));
		at += alignUp(byteLength, 8);
	}
	return { signatures, isWhole: at === table.byteLength };
}

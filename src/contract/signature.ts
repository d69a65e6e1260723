import { CERTIFICATE_DIRECTORY, PE32_PLUS } from "../binary/pe-numbers.ts";
import { from0, record } from "../binary/record.ts";

/** The parts of the PE/COFF headers that matter (Microsoft PE format, "COFF File Header" and "Optional Header"); from "PE\0\0" on. */
const peHeader = record("PE header", 176, {
	signature: from0.bytes(0, 4),
	machine: from0.u16le(4),
	/** 0x20b: PE32+. */
	optionalMagic: from0.u16le(24),
	dataDirectoryCount: from0.u32le(132),
	/** File offset, not an address, of the attribute certificate table. */
	certificateTableOffset: from0.u32le(168),
	certificateTableBytes: from0.u32le(172),
});

export const DOS_HEADER_BYTES = 64;
const MACHINE_X86_64 = 0x8664;

/**
 * Whether an EFI program of `byteLength` bytes for x86_64 carries a signature (whose is not checked); undefined where it is none.
 * `head` is the program's beginning up to the end of its PE header at least, or all of it.
 */
export function isSignedPe(head: Uint8Array, byteLength = head.byteLength): boolean | undefined {
	const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
	const start = peHeaderStart(bytes);
	if (start === undefined || start > bytes.byteLength - peHeader.byteLength) return undefined;
	const header = peHeader.decode(bytes, start);
	const isPe = Buffer.from(header.signature).toString("latin1") === "PE\0\0";
	if (!isPe || header.machine !== MACHINE_X86_64 || header.optionalMagic !== PE32_PLUS) return undefined;
	const end = header.certificateTableOffset + header.certificateTableBytes;
	return (
		header.dataDirectoryCount > CERTIFICATE_DIRECTORY &&
		header.certificateTableOffset > 0 &&
		header.certificateTableBytes > 0 &&
		end <= byteLength
	);
}

/** How much of a program `isSignedPe` needs, going by its first 64 bytes; 0 where it is none. */
export function signatureHeadBytes(head: Uint8Array): number {
	const start = peHeaderStart(Buffer.from(head.buffer, head.byteOffset, head.byteLength));
	return start === undefined ? 0 : start + peHeader.byteLength;
}

function peHeaderStart(bytes: Buffer): number | undefined {
	return bytes.byteLength < DOS_HEADER_BYTES || bytes.toString("latin1", 0, 2) !== "MZ"
		? undefined
		: bytes.readUInt32LE(60);
}

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

const MACHINE_X86_64 = 0x8664;
const PE32_PLUS = 0x20b;
const CERTIFICATE_DIRECTORY = 4;

/** Whether an EFI program for x86_64 carries a signature (whose is not checked); undefined where it is none. */
export function isSignedPe(program: Uint8Array): boolean | undefined {
	const bytes = Buffer.from(program.buffer, program.byteOffset, program.byteLength);
	if (bytes.byteLength < 64 || bytes.toString("latin1", 0, 2) !== "MZ") return undefined;
	const start = bytes.readUInt32LE(60);
	if (start > bytes.byteLength - peHeader.byteLength) return undefined;
	const header = peHeader.decode(bytes, start);
	const isPe = Buffer.from(header.signature).toString("latin1") === "PE\0\0";
	if (!isPe || header.machine !== MACHINE_X86_64 || header.optionalMagic !== PE32_PLUS) return undefined;
	const end = header.certificateTableOffset + header.certificateTableBytes;
	return (
		header.dataDirectoryCount > CERTIFICATE_DIRECTORY &&
		header.certificateTableOffset > 0 &&
		header.certificateTableBytes > 0 &&
		end <= bytes.byteLength
	);
}

import { corrupt, type Oci2isoError } from "../errors.ts";
import { decodePe, type PeImage } from "../formats/pe/pe-image.ts";

const EFI_APPLICATION = 10;

/** Reads a PE32+ EFI application that firmware can digest. Throws `Oci2isoError` BAD_PE. */
export function readEfiProgram(bytes: Uint8Array, where: string): PeImage {
	const program = decodePe(bytes);
	const bad = (what: string, expected: string): Oci2isoError => corrupt("BAD_PE", what, where, expected);
	if (typeof program === "string") throw bad(`it is no 64-bit EFI program: ${program}`, "PE32+");
	if (program.subsystem !== EFI_APPLICATION)
		throw bad(`it has subsystem ${program.subsystem}`, "10, an EFI application");
	const [fault] = program.faults;
	if (fault !== undefined) throw bad(fault, "a program that firmware can digest");
	return program;
}

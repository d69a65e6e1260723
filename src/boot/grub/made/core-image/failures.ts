import { Oci2isoError } from "../../../../errors.ts";
import { PC_BIOS } from "../../../machines.ts";

/** A file of GRUB's module directory is not what it must be (exit 3): the image is at fault. */
export function badGrubFile(code: string, name: string, what: string, expected?: string): Oci2isoError {
	const remedy = "install GRUB's files for BIOS again (Fedora: grub2-pc-modules; Debian: grub-pc-bin)";
	return new Oci2isoError({ code, kind: "contract", what, where: `${PC_BIOS.name}/${name}`, expected, remedy });
}

/** What was asked for does not fit where BIOS boot puts it (exit 7). */
export function coreTooBig(what: string, expected: string): Oci2isoError {
	return new Oci2isoError({ code: "GRUB_CORE_TOO_BIG", kind: "tool", what, where: "GRUB's BIOS core image", expected });
}

import { Oci2isoError } from "../errors.ts";

/** What is looked at, in the order of the report. */
export const CHECKS = {
	volume: "ISO 9660: descriptors, path tables, directories, Rock Ridge, Joliet",
	"second-volume": "the second descriptor set, for a partition",
	extents: "extents: inside the image, none over another",
	"el-torito": "El Torito boot record and catalog",
	"boot-image": "BIOS boot image: boot information table, GRUB's place",
	mbr: "master boot record",
	gpt: "GPT, primary and backup",
	esp: "EFI system partition: FAT",
	squashfs: "squashfs superblock and tables",
	"squashfs-blocks": "squashfs data: every block within the kernel's limits",
	"media-checksum": "media checksum and fragment sums",
	"bios-cd": "boot walk: BIOS, CD",
	"bios-usb": "boot walk: BIOS, USB",
	"uefi-cd": "boot walk: UEFI, CD",
	"uefi-usb": "boot walk: UEFI, USB",
	"secure-boot": "signatures for Secure Boot",
	fidelity: "fidelity to the image",
	medium: "every byte beside the squashfs: the image's, made by rule, or zero",
} as const;

export type CheckName = keyof typeof CHECKS;

/** A `fault` fails the verification; a `note` says what was not checked or is merely odd. */
export interface Finding {
	readonly severity: "fault" | "note";
	readonly what: string;
	/** A path, block or offset. */
	readonly where?: string | undefined;
	readonly expected?: string | undefined;
}

/** Findings of one check that are kept; the rest is counted. */
const MAX_FINDINGS = 100;

/** Collects what one check finds. */
export class Findings {
	readonly list: Finding[] = [];
	/** What was looked at, for people: `3 partitions`. */
	detail = "";
	/** Why the check could not come to an end, although nothing is wrong. */
	undecided: string | undefined;
	#faults = 0;
	#omitted = 0;

	get faults(): number {
		return this.#faults;
	}

	/** Faults and notes beyond those in `list`. */
	get omitted(): number {
		return this.#omitted;
	}

	fault(what: string, where?: string, expected?: string): void {
		this.#faults++;
		this.#add({ severity: "fault", what, where, expected });
	}

	note(what: string, where?: string): void {
		this.#add({ severity: "note", what, where });
	}

	/** A fault unless `actual` is `wanted`. */
	equal<Value extends string | number | bigint | boolean>(
		name: string,
		actual: Value,
		wanted: Value,
		where?: string,
	): void {
		if (actual !== wanted) this.fault(`${name} is ${actual}`, where, `${wanted}`);
	}

	/** Takes over what a reader throws about bytes that are not what their format says; anything else is thrown on. */
	caught(error: unknown): void {
		if (!(error instanceof Oci2isoError) || error.kind !== "corrupt") throw error;
		this.fault(error.what, error.where, error.expected);
	}

	#add(finding: Finding): void {
		if (this.list.length < MAX_FINDINGS) this.list.push(finding);
		else this.#omitted++;
	}
}

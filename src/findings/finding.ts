import type { Problem } from "../errors.ts";

/** The ways a firmware starts the ISO. `secure-boot` is UEFI that enforces signatures. */
export type BootPath = "bios" | "uefi" | "secure-boot";

/** Whether each way of starting the ISO is expected to reach the image's init; there is no `bios` for machines without one. */
export type BootPaths = Readonly<Partial<Record<"bios", Verdict>> & Record<Exclude<BootPath, "bios">, Verdict>>;
type Verdict = "expected to boot" | "will not boot";

export const ALL_PATHS: readonly BootPath[] = ["bios", "uefi", "secure-boot"];
export const UEFI_PATHS: readonly BootPath[] = ["uefi", "secure-boot"];

/**
 * `ok`: it was checked and is right. `note`: a choice, a default, an oddity or what was not checked. `warning`: it boots, but not everywhere (`blocks`)
 * or not as meant. `blocker`: the ISO cannot be built, or does not boot with BIOS or with UEFI. `fault`: a medium is not what it says it is.
 */
type Severity = "ok" | "note" | "warning" | "blocker" | "fault";

/** One thing to tell the user, whoever looked: the contract, `inspect`, a build or `verify`. */
export interface Finding extends Problem {
	readonly severity: Severity;
	/** What was seen: a path in the image or in the initramfs, a setting, a signer. */
	readonly evidence?: string | undefined;
	/** Boot paths that end because of it; empty where none does, or where a medium was verified. */
	readonly blocks: readonly BootPath[];
	/** The line of a Containerfile that would fix it. */
	readonly containerfile?: ContainerfileLines | undefined;
}

export interface ContainerfileLines {
	/** For images with dnf: Fedora, CentOS Stream, RHEL. */
	readonly fedora: string;
	/** For images with apt: Debian, Ubuntu. */
	readonly debian: string;
}

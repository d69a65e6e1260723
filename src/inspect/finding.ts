/** The ways a firmware starts the ISO. `secure-boot` is UEFI that enforces signatures. */
export type BootPath = "bios" | "uefi" | "secure-boot";

/** Whether each way of starting the ISO is expected to reach the image's init. */
export type BootPaths = Readonly<Record<BootPath, "expected to boot" | "will not boot">>;

export const ALL_PATHS: readonly BootPath[] = ["bios", "uefi", "secure-boot"];
export const UEFI_PATHS: readonly BootPath[] = ["uefi", "secure-boot"];

export type Severity = "ok" | "warning" | "blocker";

/** One thing that was checked. */
export interface Finding {
	/** Stable, upper-case, `SNAKE_CASE`. */
	readonly code: string;
	/**
	 * `blocker`: the ISO cannot be built, or does not boot with BIOS or with UEFI. `warning`: it boots, but not everywhere (`blocks`) or
	 * not as meant.
	 */
	readonly severity: Severity;
	/** One sentence fragment, without a final full stop. */
	readonly what: string;
	/** What was seen: a path in the image or in the initramfs, a setting, a signer. */
	readonly evidence?: string | undefined;
	/** Boot paths that end because of it; empty where none does. */
	readonly blocks: readonly BootPath[];
	/** What to do about it, in words. */
	readonly remedy?: string | undefined;
	/** The line of a Containerfile that would fix it. */
	readonly containerfile?: ContainerfileLines | undefined;
}

export interface ContainerfileLines {
	/** For images with dnf: Fedora, CentOS Stream, RHEL. */
	readonly fedora: string;
	/** For images with apt: Debian, Ubuntu. */
	readonly debian: string;
}

/** Collects findings in the order of the checks. */
export class FindingList {
	readonly all: Finding[] = [];

	ok(code: string, what: string, evidence?: string): undefined {
		this.all.push({ code, severity: "ok", what, evidence, blocks: [] });
	}

	warn(code: string, what: string, details: FindingDetails = {}): undefined {
		this.all.push({ code, severity: "warning", what, blocks: [], ...details });
	}

	/** What ends at least one boot path: a blocker where BIOS or plain UEFI is among them. */
	block(code: string, what: string, blocks: readonly BootPath[], details: FindingDetails = {}): undefined {
		const severity = blocks.some((path) => path !== "secure-boot") ? "blocker" : "warning";
		this.all.push({ code, severity, what, blocks, ...details });
	}
}

export type FindingDetails = Pick<Finding, "evidence" | "remedy" | "containerfile">;

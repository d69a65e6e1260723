import type { MenuFix } from "./menu-fix.ts";

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
	readonly #menuFixes = new Map<Finding, readonly MenuFix[]>();

	ok(code: string, what: string, evidence?: string): undefined {
		this.all.push({ code, severity: "ok", what, evidence, blocks: [] });
	}

	warn(code: string, what: string, details: FindingDetails = {}): undefined {
		this.#add({ code, severity: "warning", what, blocks: [] }, details);
	}

	/** What ends at least one boot path: a blocker where BIOS or plain UEFI is among them. */
	block(code: string, what: string, blocks: readonly BootPath[], details: FindingDetails = {}): undefined {
		const severity = blocks.some((path) => path !== "secure-boot") ? "blocker" : "warning";
		this.#add({ code, severity, what, blocks }, details);
	}

	/** Gives every finding of the menu the line that `lineFor` makes of all their fixes. */
	fixMenu(lineFor: (fixes: readonly MenuFix[]) => ContainerfileLines | undefined): void {
		if (this.#menuFixes.size === 0) return;
		const containerfile = lineFor([...this.#menuFixes.values()].flat());
		for (const [index, finding] of this.all.entries())
			if (this.#menuFixes.has(finding)) this.all[index] = { ...finding, containerfile };
	}

	#add(finding: Finding, { menuFixes, ...details }: FindingDetails): void {
		const full = { ...finding, ...details };
		this.all.push(full);
		if (menuFixes !== undefined) this.#menuFixes.set(full, menuFixes);
	}
}

export interface FindingDetails extends Pick<Finding, "evidence" | "remedy" | "containerfile"> {
	/** What would make the menu right; `containerfile` comes of all of them together. */
	readonly menuFixes?: readonly MenuFix[] | undefined;
}

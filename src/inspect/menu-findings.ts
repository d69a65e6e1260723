import type { BootPath, ContainerfileLines, Finding } from "../findings/finding.ts";
import { type FindingDetails, Findings } from "../findings/findings.ts";
import type { MenuFix } from "./menu-fix.ts";

export interface MenuFindingDetails extends FindingDetails {
	/** What would make the menu right; `containerfile` comes of all of them together. */
	readonly menuFixes?: readonly MenuFix[] | undefined;
}

/** Findings of which some are mended by one line that writes the menu anew. */
export class MenuFindings extends Findings {
	readonly #fixes = new Map<Finding, readonly MenuFix[]>();

	override warn(code: string, what: string, { menuFixes, ...details }: MenuFindingDetails = {}): undefined {
		super.warn(code, what, details);
		this.#mendedBy(menuFixes);
	}

	override block(
		code: string,
		what: string,
		blocks: readonly BootPath[],
		{ menuFixes, ...details }: MenuFindingDetails = {},
	): undefined {
		super.block(code, what, blocks, details);
		this.#mendedBy(menuFixes);
	}

	/** Gives every finding of the menu the line that `lineFor` makes of all their fixes. */
	fixMenu(lineFor: (fixes: readonly MenuFix[]) => ContainerfileLines | undefined): void {
		if (this.#fixes.size === 0) return;
		const containerfile = lineFor([...this.#fixes.values()].flat());
		for (const [index, finding] of this.list.entries())
			if (this.#fixes.has(finding)) this.list[index] = { ...finding, containerfile };
	}

	#mendedBy(fixes: readonly MenuFix[] | undefined): void {
		const last = this.list.at(-1);
		if (fixes !== undefined && last !== undefined) this.#fixes.set(last, fixes);
	}
}

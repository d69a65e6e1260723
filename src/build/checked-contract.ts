import type { BranchFilter, CodecName } from "../codec/types.ts";
import type { Contract, ContractOptions } from "../contract/contract.ts";
import { contractOf, type LoaderParts, readContractParts, requireMet } from "../contract/read-contract.ts";
import { Oci2isoError, type Problem } from "../errors.ts";
import type { BootPaths, Finding } from "../findings/finding.ts";
import type { LinuxReader } from "../inspect/boot-parts.ts";
import { bootPathsOf, type CheckedAlso, checkAlso, checkBoot } from "../inspect/check-boot.ts";
import type { RootFileSystem } from "../rootfs/root-file-system.ts";
import type { ImageTree } from "../tree/image-tree.ts";

export interface BootCheckReport {
	readonly bootPaths: BootPaths;
	/** It would not boot as it was asked to, and was built because that was asked for too (`force`). */
	readonly isForced: boolean;
	/** Warnings and blockers. */
	readonly findings: readonly Finding[];
}

/** A check with all that it saw. */
export interface BootCheck extends BootCheckReport {
	/** What was found to be right. */
	readonly passed: readonly Finding[];
}

interface CheckOptions extends Omit<ContractOptions, "liveSupportOf"> {
	/** Of the root file system. */
	readonly format: RootFileSystem;
	readonly codec: CodecName;
	/** Its branch filter as it was asked for. */
	readonly bcj?: BranchFilter | undefined;
	/** What only UEFI Secure Boot would refuse is refused too. */
	readonly requireSecureBoot: boolean;
	/** Go on whatever the checks say. */
	readonly force: boolean;
	/** Of the tree. */
	readonly linux: LinuxReader;
}

/**
 * The contract, as `readContract`. Where it is not met, `problems` of CONTRACT_NOT_MET has what would keep the ISO from booting too.
 */
export async function readBuildContract(
	tree: ImageTree,
	options: CheckOptions,
	loaders?: LoaderParts,
): Promise<Contract> {
	const parts = await readContractParts(tree, { ...options, liveSupportOf: options.linux.liveSupportOf }, loaders);
	const { problems } = parts.findings;
	if (problems.length > 0) {
		const { findings } = await checkBoot(tree, parts, options);
		requireMet([...problems, ...blockersOf(findings.list, options)]);
	}
	return contractOf(parts);
}

/**
 * Checks, as `inspect` does, that the ISO would boot, and each further system from it. Throws `Oci2isoError` IMAGE_WOULD_NOT_BOOT unless `force` (exit 3), with everything that
 * is in the way in `problems`.
 */
export async function checkContract(
	tree: ImageTree,
	contract: Contract,
	options: CheckOptions,
	also: readonly CheckedAlso[] = [],
): Promise<BootCheck> {
	const { findings, parts } = await checkBoot(tree, { ...contract, boot: contract, isMenuKnown: true }, options);
	for (const system of also) await checkAlso(parts, system, findings);
	const problems = blockersOf(findings.list, options);
	if (problems.length > 0 && !options.force) throw wouldNotBoot(problems);
	return {
		bootPaths: bootPathsOf(findings.list, true, contract),
		isForced: problems.length > 0,
		findings: findings.list.filter(({ severity }) => severity !== "ok"),
		passed: findings.list.filter(({ severity }) => severity === "ok"),
	};
}

/** As one line for people. */
export function describeCheck({ severity, code, what, evidence, remedy }: Finding): string {
	const seen = evidence === undefined ? "" : ` (${evidence})`;
	const fault = severity === "blocker" ? "the ISO will not boot: " : "";
	return `${fault}${code}: ${what}${seen}${remedy === undefined ? "" : `; ${remedy}`}`;
}

export function blockersOf(
	findings: readonly Finding[],
	{ requireSecureBoot }: Pick<CheckOptions, "requireSecureBoot"> = { requireSecureBoot: false },
): Problem[] {
	return findings
		.filter(({ severity, blocks }) => severity === "blocker" || (requireSecureBoot && blocks.includes("secure-boot")))
		.map(({ code, what, evidence, remedy }) => ({ code, what, where: evidence, remedy }));
}

/** IMAGE_WOULD_NOT_BOOT (exit 3). */
export function wouldNotBoot(problems: readonly Problem[]): Oci2isoError {
	const count = problems.length;
	return new Oci2isoError({
		code: "IMAGE_WOULD_NOT_BOOT",
		kind: "contract",
		what: `the ISO would not boot for ${count === 1 ? "one reason" : `${count} reasons`}`,
		remedy:
			"see `oci2iso inspect` with the same options for the lines that fix the image, or pass --force to build it all the same",
		problems,
	});
}

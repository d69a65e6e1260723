import type { CodecName } from "../codec/types.ts";
import type { Contract, ContractOptions } from "../contract/contract.ts";
import { readContract } from "../contract/read-contract.ts";
import { Oci2isoError, type Problem } from "../errors.ts";
import { bootPathsOf, checkBoot, findParts, partsOf } from "../inspect/check-boot.ts";
import type { Finding } from "../inspect/finding.ts";
import type { BootCheckReport } from "../report/build-report.ts";
import type { ImageTree } from "../tree/image-tree.ts";

export interface CheckOptions extends ContractOptions {
	/** Compressor of the squashfs. */
	readonly codec: CodecName;
	/** What only UEFI Secure Boot would refuse is refused too. */
	readonly requireSecureBoot: boolean;
	/** Go on whatever the checks say. */
	readonly force: boolean;
}

/**
 * The contract, as `readContract`. Where it is not met, `problems` of CONTRACT_NOT_MET has what would keep the ISO from booting too.
 */
export async function readBuildContract(tree: ImageTree, options: CheckOptions): Promise<Contract> {
	try {
		return await readContract(tree, options);
	} catch (error) {
		if (!(error instanceof Oci2isoError) || error.code !== "CONTRACT_NOT_MET") throw error;
		const { findings } = await checkBoot(tree, await findParts(tree, options), options.codec);
		const { code, kind, what } = error;
		throw new Oci2isoError({ code, kind, what, problems: [...error.problems, ...blockersOf(findings.all, options)] });
	}
}

/**
 * Checks, as `inspect` does, that the ISO would boot. Throws `Oci2isoError` IMAGE_WOULD_NOT_BOOT unless `force` (exit 3), with everything that
 * is in the way in `problems`.
 */
export async function checkContract(
	tree: ImageTree,
	contract: Contract,
	options: CheckOptions,
): Promise<BootCheckReport> {
	const { findings } = await checkBoot(tree, partsOf(contract), options.codec);
	const problems = blockersOf(findings.all, options);
	if (problems.length > 0 && !options.force) throw wouldNotBoot(problems);
	return {
		bootPaths: bootPathsOf(findings.all, true),
		isForced: problems.length > 0,
		findings: findings.all.filter(({ severity }) => severity !== "ok"),
	};
}

/** As one line for people. */
export function describeCheck({ severity, code, what, evidence, remedy }: Finding): string {
	const seen = evidence === undefined ? "" : ` (${evidence})`;
	const fault = severity === "blocker" ? "the ISO will not boot: " : "";
	return `${fault}${code}: ${what}${seen}${remedy === undefined ? "" : `; ${remedy}`}`;
}

function blockersOf(findings: readonly Finding[], { requireSecureBoot }: CheckOptions): Problem[] {
	return findings
		.filter(({ severity, blocks }) => severity === "blocker" || (requireSecureBoot && blocks.includes("secure-boot")))
		.map(({ code, what, evidence, remedy }) => ({ code, what, where: evidence, remedy }));
}

function wouldNotBoot(problems: readonly Problem[]): Oci2isoError {
	const count = problems.length;
	return new Oci2isoError({
		code: "IMAGE_WOULD_NOT_BOOT",
		kind: "contract",
		what: `the ISO would not boot for ${count === 1 ? "one reason" : `${count} reasons`}`,
		remedy: "see `oci2iso inspect` for the lines that fix the image, or pass --force to build it all the same",
		problems,
	});
}

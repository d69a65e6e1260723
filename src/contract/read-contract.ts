import type { Problem } from "../errors.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import { CONTRACT_VERSION, type Contract, type ContractOptions } from "./contract.ts";
import { chooseEfi } from "./efi.ts";
import { Findings } from "./findings.ts";
import { chooseUnicodeFont, findGrubModules } from "./grub-files.ts";
import { readIsoYaml } from "./iso-yaml.ts";
import { chooseKernel } from "./kernel.ts";
import { chooseLabel } from "./label.ts";
import { chooseKernelArgs, chooseMenu } from "./menu.ts";
import { readOsRelease } from "./os-release.ts";

/**
 * Reads the Container-native ISO contract v0.1.0 out of an image.
 * Throws `Oci2isoError` CONTRACT_NOT_MET (exit 3) with every violation in `problems`.
 */
export async function readContract(tree: ImageTree, options: ContractOptions): Promise<Contract> {
	const findings = new Findings();
	const fault = architectureFault(options.architecture);
	if (fault !== undefined) findings.problem(fault);
	const osRelease = await readOsRelease(tree, findings);
	const isoYaml = await readIsoYaml(tree, findings);
	const label = chooseLabel(
		{ option: options.label, isoYaml: isoYaml?.label, isoYamlPosition: isoYaml?.positionOf(["label"]), osRelease },
		findings,
	);
	const kernelArgs = chooseKernelArgs(isoYaml, label, findings);
	const grub2 = chooseMenu(isoYaml, label, kernelArgs, osRelease, findings);
	const kernel = await chooseKernel(tree, options.kernel, findings);
	const boot = await chooseEfi(tree, options.vendor, osRelease, findings, options.architecture);
	const unicodeFont = chooseUnicodeFont(tree, findings);
	const grubModules = findGrubModules(tree, findings);
	findings.throwProblems();
	if (kernel === undefined || boot === undefined || unicodeFont === undefined || grubModules === undefined)
		throw new Error("internal invariant broken: a part is missing without a problem");
	return {
		version: CONTRACT_VERSION,
		architecture: "x86_64",
		label,
		osRelease,
		kernel,
		vendor: boot.vendor,
		efi: boot.efi,
		unicodeFont,
		grubModules,
		kernelArgs,
		grub2,
		choices: findings.choices,
	};
}

/** Why an image for this architecture cannot be converted; undefined where it can. */
export function architectureFault(architecture: string): Problem | undefined {
	if (architecture === "amd64") return undefined;
	return {
		code: "ARCHITECTURE_UNSUPPORTED",
		what: `the image is for ${JSON.stringify(architecture)}`,
		where: "image configuration",
		expected: "amd64 (x86_64), the one architecture that contract v0.1.0 describes",
		remedy: "pass --platform linux/amd64 where the image has several",
	};
}

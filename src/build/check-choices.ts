import { MACHINES, machineOfImage } from "../boot/machines.ts";
import { chooseBootLoader } from "../contract/efi.ts";
import { chooseKernels, MODULE_DIRECTORIES } from "../contract/kernel.ts";
import { readOsRelease } from "../contract/os-release.ts";
import { requireMet } from "../contract/read-contract.ts";
import { findUnifiedKernels } from "../contract/unified-kernels.ts";
import { Findings } from "../findings/findings.ts";
import { isOfFormat } from "../inspect/checks/live-system.ts";
import { isExpectedPath } from "../inspect/expected-paths.ts";
import { inspectTree } from "../inspect/inspect-image.ts";
import { askImage } from "../layers/ask-image.ts";
import type { OciImage } from "../oci/open-image.ts";
import { parseReference } from "../oci/reference.ts";
import { bootOptionsOf } from "../options/image-options.ts";
import { DEFAULT_ROOT_FILE_SYSTEM, rootFileSystemNamed } from "../rootfs/root-file-systems.ts";
import { blockersOf, wouldNotBoot } from "./checked-contract.ts";
import type { Work } from "./options.ts";
import type { BuildPlan } from "./plan.ts";

/**
 * Whether what starts the ISO mounts another root file system than the usual one, before anything is compressed: throws `Oci2isoError` IMAGE_WOULD_NOT_BOOT
 * (exit 3) with the reasons. Layers are read as for `inspect`, and from a registry none.
 */
export async function checkFormat(
	image: OciImage,
	plan: BuildPlan,
	{ force, signal }: Pick<Work, "force" | "signal">,
): Promise<void> {
	const format = rootFileSystemNamed(plan.rootfs.format);
	if (format === DEFAULT_ROOT_FILE_SYSTEM || force || parseReference(image.reference).transport === "docker") return;
	const { architecture } = image.platform;
	const asked = { ...bootOptionsOf(plan), architecture, format, codec: plan.rootfs.comp };
	const { answer } = await askImage(image.layers, (tree) => inspectTree(tree, asked), {
		limits: image.treeLimits,
		isExpected: isExpectedPath,
		signal,
	});
	const problems = blockersOf(answer.findings.filter(({ code }) => isOfFormat(code, format)));
	if (problems.length > 0) throw wouldNotBoot(problems);
}

/**
 * Looks for the kernel and the vendor that were asked for before anything is compressed: throws `Oci2isoError` CONTRACT_NOT_MET (exit 3) where the image has them not.
 * Layers are read for it, as far down as it takes, but from a registry none are: they would be fetched twice.
 */
export async function checkChoices(
	image: OciImage,
	{ kernel, vendor, bootloader }: BuildPlan,
	signal: AbortSignal | undefined,
): Promise<void> {
	if (kernel === undefined && vendor === undefined) return;
	if (parseReference(image.reference).transport === "docker") return;
	const { architecture } = image.platform;
	const { answer } = await askImage(
		image.layers,
		async (tree) => {
			const findings = new Findings();
			if (kernel !== undefined) {
				const machine = machineOfImage(architecture) ?? MACHINES[0];
				const unified = await findUnifiedKernels(tree, machine, MODULE_DIRECTORIES, new Findings());
				await chooseKernels(tree, kernel, unified, findings);
			}
			if (vendor !== undefined)
				await chooseBootLoader(
					tree,
					{ vendor, architecture, bootloader },
					await readOsRelease(tree, new Findings()),
					findings,
				);
			return findings;
		},
		{ limits: image.treeLimits, isExpected: isExpectedPath, signal },
	);
	if (answer.problems.some(({ remedy }) => /a --(kernel|vendor) that/.test(remedy ?? ""))) requireMet(answer.problems);
}

import { MiB } from "../binary/units.ts";
import { grubWords } from "../boot/grub/menu-words.ts";
import { followRoot } from "../boot/live-root/follow-root.ts";
import { MACHINES, machineOfImage } from "../boot/machines.ts";
import { ISO_YAML_PATHS, type IsoYaml, MAX_ISO_YAML_BYTES, parseIsoYaml, readIsoYaml } from "../contract/iso-yaml.ts";
import { chooseLabel } from "../contract/label.ts";
import { chooseKernelArgs, chooseMenu } from "../contract/menu.ts";
import { notMet } from "../contract/read-contract.ts";
import { variablesIn } from "../contract/template.ts";
import { type Oci2isoError, type Problem, throwIfAborted } from "../errors.ts";
import { Findings } from "../findings/findings.ts";
import { mediumOf } from "../inspect/checks/live-system.ts";
import { defaultEntryOf } from "../inspect/checks/menu.ts";
import { askImage } from "../layers/ask-image.ts";
import { keptContent, readLayer } from "../layers/read-layer.ts";
import type { Layer } from "../oci/layer.ts";
import type { OciImage } from "../oci/open-image.ts";
import { parseReference } from "../oci/reference.ts";
import { cleanPath } from "../tree/path.ts";
import { wouldNotBoot } from "./checked-contract.ts";

/** Of layers, as stored: iso.yaml is in one of the last. */
const MAX_NEAR_BYTES = 8 * MiB;
/** What os-release fills in. */
const OF_SYSTEM: readonly string[] = ["product", "version"];
const NO_OS_RELEASE = { id: undefined, idLike: [], name: undefined, versionId: undefined };

/**
 * Looks at iso.yaml and the label before anything is compressed, where the upper layers have them: throws `Oci2isoError` CONTRACT_NOT_MET (exit 3) where iso.yaml or its label
 * cannot be used, and unless `force` IMAGE_WOULD_NOT_BOOT (exit 3) where the entry that starts by itself looks for a medium of another label. From a registry no layer is read
 * for it: it would be fetched twice. The checks at the end see the rest.
 */
export async function checkIsoYaml(
	image: OciImage,
	{ label, force }: { readonly label: string | undefined; readonly force: boolean },
	signal: AbortSignal | undefined,
): Promise<void> {
	if (parseReference(image.reference).transport === "docker") return;
	const machineName = (machineOfImage(image.platform.architecture) ?? MACHINES[0]).name;
	const errorOf = (isoYaml: IsoYaml | undefined, findings: Findings): Oci2isoError | undefined => {
		const otherLabel = isoYaml && labelLookedFor(isoYaml, label, machineName, findings);
		if (findings.problems.length > 0) return notMet(findings.problems);
		return otherLabel === undefined || force ? undefined : wouldNotBoot([otherLabel]);
	};
	const findings = new Findings();
	const near = await nearIsoYaml(image.layers, signal);
	if (near === undefined || errorOf(parseIsoYaml(near.text, near.path, findings), findings) === undefined) return;
	// it may not be the one that counts
	const { answer } = await askImage(
		image.layers,
		async (tree) => {
			const ofImage = new Findings();
			return errorOf(await readIsoYaml(tree, ofImage), ofImage);
		},
		{ limits: image.treeLimits, isExpected: isIsoYaml, signal },
	);
	if (answer !== undefined) throw answer;
}

/** Where the default entry does not find the medium by its label, whatever the initramfs is. */
function labelLookedFor(
	isoYaml: IsoYaml,
	option: string | undefined,
	machineName: string,
	findings: Findings,
): Problem | undefined {
	// a default label is of os-release, which is far down
	if (((option ?? isoYaml.label) || "") === "") return undefined;
	const isoYamlPosition = isoYaml.positionOf(["label"]);
	const sources = { option, isoYaml: isoYaml.label, isoYamlPosition, osRelease: NO_OS_RELEASE, machineName };
	const label = chooseLabel(sources, findings);
	const kernelArgs = chooseKernelArgs(isoYaml, label, false, new Findings());
	const menu = chooseMenu(isoYaml, label, kernelArgs, NO_OS_RELEASE, new Findings());
	const words = grubWords(defaultEntryOf({ menu })?.linux ?? "");
	const given = (isoYaml.entries ?? []).map(({ linux }) => linux).join("\n");
	// an installer's initramfs takes its root from these in place of root=
	if (words.some((word) => word.startsWith("inst.")) || variablesIn(given).some((name) => OF_SYSTEM.includes(name)))
		return undefined;
	const medium = mediumOf({ label, volumeUuid: undefined, hasLiveBoot: false });
	const fault = followRoot(words, undefined, medium).problems.find(({ code }) => code === "MENU_LABEL");
	if (fault === undefined) return undefined;
	const { code, what, evidence: where } = fault;
	const remedy = `write $isolabel for the label in iso.yaml${option === undefined ? "" : ", or pass the --label that it looks for"}`;
	return { code, what: `the menu entry that starts by itself ${what}`, where, remedy };
}

/** The uppermost, in layers that are quickly read; undefined too where they cannot be read, which the build says. */
async function nearIsoYaml(
	layers: readonly Layer[],
	signal: AbortSignal | undefined,
): Promise<{ readonly path: string; readonly text: string } | undefined> {
	let bytes = 0;
	for (const layer of layers.toReversed()) {
		bytes += layer.compressedBytes;
		if (bytes > MAX_NEAR_BYTES) return undefined;
		let found: { path: string; text: string } | undefined;
		try {
			await readLayer(
				layer,
				({ path, type, byteLength }) =>
					type === "file" && byteLength <= MAX_ISO_YAML_BYTES && isIsoYaml(cleanPath(path))
						? keptContent(byteLength, (content) => {
								found = { path: `/${cleanPath(path)}`, text: content.toString("utf8") };
							})
						: undefined,
				{ signal },
			);
		} catch {
			throwIfAborted(signal);
			return undefined;
		}
		if (found !== undefined) return found;
	}
	return undefined;
}

function isIsoYaml(path: string): boolean {
	return ISO_YAML_PATHS.includes(`/${path}`);
}

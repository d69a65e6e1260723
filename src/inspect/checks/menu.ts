import type { MenuEntry } from "../../contract/contract.ts";
import type { BootParts } from "../boot-parts.ts";
import { LINES, shellSafe } from "../containerfile.ts";
import { ALL_PATHS, type FindingDetails, type FindingList } from "../finding.ts";
import { argumentValue, grubWords, udevLabel } from "../menu-words.ts";
import { liveSupportOf, rootRequestOf } from "./live-system.ts";

const KERNEL_PATH = "/images/pxeboot/vmlinuz";
const INITRD_PATH = "/images/pxeboot/initrd.img";

/** The arguments of the entry that starts by itself. */
export function defaultEntryArgs({ menu }: Pick<BootParts, "menu">): string[] {
	const entry = menu.entries[menu.defaultEntry ?? 0] ?? menu.entries[0];
	return entry === undefined ? [] : grubWords(entry.linux).slice(1);
}

/** Every entry starts the kernel and initramfs that the ISO has and names its medium; what ends the default entry ends the boot. */
export function checkMenu(parts: BootParts, findings: FindingList): undefined {
	const { entries, defaultEntry = 0 } = parts.menu;
	const own = parts.initramfs === undefined ? [] : liveSupportOf(parts.initramfs).ownArguments;
	const startsItself = entries[defaultEntry] === undefined ? 0 : defaultEntry;
	if (startsItself !== defaultEntry)
		findings.warn("MENU_DEFAULT_BEYOND", `the default entry ${defaultEntry} is beyond the last: GRUB takes the first`, {
			remedy: `set grub2.default to 0-${entries.length - 1}`,
		});
	const before = findings.all.length;
	for (const [index, entry] of entries.entries()) {
		const fault = (code: string, what: string, details: FindingDetails): undefined => {
			const text = `menu entry ${JSON.stringify(entry.name)} ${what}`;
			if (index === startsItself) findings.block(code, text, ALL_PATHS, details);
			else findings.warn(code, text, details);
		};
		checkPaths(entry, fault);
		checkRoot(entry, parts.label, own, fault);
	}
	if (findings.all.length === before)
		findings.ok(
			"MENU",
			`${entries.length} menu ${entries.length === 1 ? "entry finds" : "entries find"} the medium ${JSON.stringify(parts.label)}`,
		);
}

type Fault = (code: string, what: string, details: FindingDetails) => undefined;

/** GRUB's paths on the ISO; `($root)` is what they start from anyway. */
function checkPaths(entry: MenuEntry, fault: Fault): undefined {
	const plain = (word: string): string => word.replace(/^\(\$?\{?\w+\}?\)/, "").replace(/\/+/g, "/");
	const [kernel = ""] = grubWords(entry.linux);
	const initrds = grubWords(entry.initrd);
	if (plain(kernel) !== KERNEL_PATH)
		fault("MENU_KERNEL_PATH", `starts ${kernel === "" ? "no kernel" : kernel}`, {
			evidence: `the ISO has its kernel at ${KERNEL_PATH}`,
			remedy: `write linux: ${KERNEL_PATH} ...`,
			containerfile: LINES.editIsoYaml(`s|linux: *[^ ]*|linux: ${KERNEL_PATH}|`),
		});
	if (initrds.length !== 1 || plain(initrds[0] ?? "") !== INITRD_PATH)
		fault("MENU_INITRD_PATH", `loads ${initrds.length === 0 ? "no initramfs" : initrds.join(" ")}`, {
			evidence: `the ISO has its initramfs at ${INITRD_PATH}`,
			remedy: `write initrd: ${INITRD_PATH}`,
			containerfile: LINES.editIsoYaml(`s|initrd: .*|initrd: ${INITRD_PATH}|`),
		});
}

function checkRoot(entry: MenuEntry, label: string, own: readonly string[], fault: Fault): undefined {
	const args = [...own, ...grubWords(entry.linux).slice(1)];
	const request = rootRequestOf(args);
	if (request === "other")
		return fault("MENU_NO_ROOT", "does not say where the root file system is", {
			evidence: `root=${argumentValue(args, "root") ?? "(none)"}`,
			remedy: "use root=live:CDLABEL=$isolabel rd.live.image, or $root",
			containerfile: LINES.editIsoYaml("s|linux: *[^ ]*|& root=live:CDLABEL=$isolabel rd.live.image|"),
		});
	const named =
		request === "anaconda"
			? /^hd:LABEL=([^:]*)/.exec(argumentValue(args, "inst.stage2") ?? argumentValue(args, "inst.repo") ?? "")?.[1]
			: /^(?:live:)?(?:CD)?LABEL=(.*)$/.exec(argumentValue(args, "root") ?? "")?.[1];
	if (named === undefined) return;
	const wanted = udevLabel(label);
	const looksFor = named.replaceAll("/", "\\x2f").replaceAll(" ", "\\x20");
	if (looksFor === wanted) return;
	fault("MENU_LABEL", `looks for a medium labelled ${JSON.stringify(named)}, which this one is not`, {
		evidence: `the label is ${JSON.stringify(label)}${explain(named, label)}`,
		remedy: /\s/.test(label) ? "use a label without spaces" : "write $isolabel for the label in iso.yaml",
		containerfile: LINES.editIsoYaml(
			/\s/.test(label) ? `s|^label:.*|label: ${shellSafe(label)}|` : "s|LABEL=[^ :]*|LABEL=$isolabel|",
		),
	});
}

function explain(named: string, label: string): string {
	if (label.startsWith(`${named} `)) return "; a kernel argument ends at a space";
	return named.toLowerCase() === label.toLowerCase() ? "; case matters" : "";
}

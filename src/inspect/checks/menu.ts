import { entryNames } from "../../boot/entry-names.ts";
import { grubWords } from "../../boot/grub/menu-words.ts";
import { followRoot } from "../../boot/live-root/follow-root.ts";
import type { RootProblem } from "../../boot/live-root/followed-root.ts";
import { type LiveSupport, startsWithLiveBoot } from "../../boot/live-root/live-support.ts";
import type { MenuEntry } from "../../contract/contract.ts";
import { INITRD_PATH, KERNEL_PATH } from "../../contract/menu.ts";
import { ALL_PATHS } from "../../findings/finding.ts";
import type { BootParts } from "../boot-parts.ts";
import { LINES } from "../containerfile.ts";
import type { MenuFindingDetails, MenuFindings } from "../menu-findings.ts";
import type { MenuFix } from "../menu-fix.ts";
import { mediumOf } from "./live-system.ts";

/** Where the ISO has what an entry starts. */
interface EntryPaths {
	readonly kernel: string;
	readonly initrd: string;
}

/** What an entry that somebody chooses is there for. */
const ASKED_FOR: ReadonlySet<RootProblem["code"]> = new Set(["MENU_BREAK", "MENU_OTHER_START"]);

/** The entry that starts by itself. */
export function defaultEntryOf({ menu }: Pick<BootParts, "menu">): MenuEntry | undefined {
	return menu.entries[menu.defaultEntry ?? 0] ?? menu.entries[0];
}

/** Every entry starts the kernel and initramfs that the ISO has and leads to its root; what ends the default entry ends the boot. */
export function checkMenu(
	parts: BootParts,
	findings: MenuFindings,
	paths: EntryPaths = { kernel: KERNEL_PATH, initrd: INITRD_PATH },
): undefined {
	const { entries, defaultEntry = 0 } = parts.menu;
	const support = parts.initramfs?.support;
	const medium = mediumOf(parts);
	const startsItself = entries[defaultEntry] === undefined ? 0 : defaultEntry;
	if (startsItself !== defaultEntry)
		findings.warn("MENU_DEFAULT_BEYOND", `the default entry ${defaultEntry} is beyond the last: the first is taken`, {
			remedy: `set grub2.default to 0-${entries.length - 1}`,
			menuFixes: [{}],
		});
	const faults = new MenuFaults();
	const notes = new Set<string>();
	for (const [index, entry] of entries.entries()) {
		const fault: Fault = (code, what, details, stops = true) =>
			faults.add(code, what, details, index, index === startsItself && stops);
		checkPaths(entry, paths, fault);
		const { request, problems, notes: own } = followRoot(grubWords(entry.linux), support, medium);
		for (const note of own) notes.add(note);
		// What casper looks for is said of the initramfs.
		if (request === "casper") continue;
		for (const problem of problems.filter(({ code }) => index === startsItself || !ASKED_FOR.has(code)))
			fault(problem.code, problem.what, detailsOf(problem, support, parts.label), problem.stops);
	}
	faults.report(entries, findings);
	if (faults.isEmpty)
		findings.ok(
			"MENU",
			`${entries.length} menu ${entries.length === 1 ? "entry finds" : "entries find"} the medium ${JSON.stringify(parts.label)}`,
		);
	for (const note of notes) findings.ok("ARGUMENT_DEPRECATED", note);
}

type Fault = (code: string, what: string, details: MenuFindingDetails, stops?: boolean) => undefined;

interface MenuFault {
	readonly code: string;
	readonly what: string;
	readonly details: MenuFindingDetails;
	readonly entries: Set<number>;
	/** The entry that starts by itself, where the fault ends its boot. */
	ends: number | undefined;
}

/** Of one menu; further ones are counted. */
const MAX_FAULTS = 20;

/** Faults of entries, each once however many entries have it. */
class MenuFaults {
	readonly #all = new Map<string, MenuFault>();

	get isEmpty(): boolean {
		return this.#all.size === 0;
	}

	add(code: string, what: string, details: MenuFindingDetails, entry: number, ends: boolean): undefined {
		const key = JSON.stringify([code, what, details.evidence]);
		const fault = this.#all.get(key) ?? { code, what, details, entries: new Set<number>(), ends: undefined };
		fault.entries.add(entry);
		if (ends) fault.ends = entry;
		this.#all.set(key, fault);
	}

	/** What ends the boot first, with the entry that it ends. */
	report(entries: readonly MenuEntry[], findings: MenuFindings): void {
		const all = [...this.#all.values()].sort((a, b) => Number(a.ends === undefined) - Number(b.ends === undefined));
		const fixOf = ({ details, entries }: MenuFault): MenuFix[] =>
			details.menuFixes?.map((fix) => ({ ...fix, entries })) ?? [];
		for (const fault of all.slice(0, MAX_FAULTS)) {
			const first = fault.ends === undefined ? [] : [fault.ends];
			const names = [...new Set([...first, ...fault.entries])].map((index) => entries[index]?.name ?? "");
			const text = `${entryNames(names)} ${fault.what}`;
			const details = { ...fault.details, menuFixes: fixOf(fault) };
			if (fault.ends === undefined) findings.warn(fault.code, text, details);
			else findings.block(fault.code, text, ALL_PATHS, details);
		}
		const rest = all.slice(MAX_FAULTS);
		if (rest.length === 0) return;
		const count = new Set(rest.flatMap((fault) => [...fault.entries])).size;
		const what = `the menu has ${rest.length} more faults, in ${count} entries`;
		findings.warn("MENU_MORE_FAULTS", what, { menuFixes: rest.flatMap(fixOf) });
	}
}

/** GRUB's paths on the ISO; `($root)` is what they start from anyway. */
function checkPaths(entry: MenuEntry, { kernel: kernelPath, initrd: initrdPath }: EntryPaths, fault: Fault): undefined {
	const plain = (word: string): string => word.replace(/^\(\$?\{?\w+\}?\)/, "").replace(/\/+/g, "/");
	const [kernel = ""] = grubWords(entry.linux);
	const initrds = grubWords(entry.initrd);
	const menuFixes = [{ paths: true }];
	if (plain(kernel) !== kernelPath)
		fault("MENU_KERNEL_PATH", `starts ${kernel === "" ? "no kernel" : kernel}`, {
			evidence: `the ISO has its kernel at ${kernelPath}`,
			remedy: `write linux: ${KERNEL_PATH} ...`,
			menuFixes,
		});
	if (initrds.length !== 1 || plain(initrds[0] ?? "") !== initrdPath)
		fault("MENU_INITRD_PATH", `loads ${initrds.length === 0 ? "no initramfs" : initrds.join(" ")}`, {
			evidence: `the ISO has its initramfs at ${initrdPath}`,
			remedy: `write initrd: ${INITRD_PATH}`,
			menuFixes,
		});
}

function detailsOf(
	{ code, evidence, argument }: RootProblem,
	support: LiveSupport | undefined,
	label: string,
): MenuFindingDetails {
	const isLiveBoot = support !== undefined && startsWithLiveBoot(support);
	const isInstaller = support?.anaconda === true && argument?.startsWith("inst.") === true;
	const fix = (remedy: string, menuFix: MenuFix): MenuFindingDetails => ({
		evidence,
		remedy,
		menuFixes: [menuFix],
	});
	switch (code) {
		case "COMMAND_LINE_TOO_LONG":
			return { evidence, remedy: "shorten it: a kernel takes 2047 bytes" };
		case "DRIVER_BARRED":
		case "MENU_BREAK":
		case "MENU_INITRAMFS_PROGRAM":
		case "MENU_OTHER_START":
			return fix(`leave ${argument} away`, { drop: [argument ?? ""] });
		case "MEDIA_CHECK_TOOL_MISSING":
			return {
				evidence,
				remedy: "install isomd5sum and make the initramfs anew, or take rd.live.check out of the entry",
				containerfile: LINES.mediaCheck,
			};
		case "MENU_COPIED_TWICE":
		case "MENU_LIVE_UUID":
			return fix(`write ${argument} in the entry`, { set: [argument ?? ""] });
		case "MENU_LIVE_PATH":
			if (argument?.startsWith("toram=") === true) return fix(`write ${argument}`, { set: [argument] });
			if (isLiveBoot) return fix("leave live-media-path away", { drop: ["live-media-path"] });
			if (isInstaller) return fix("write inst.stage2=hd:LABEL=$isolabel", { root: "installer" });
			return fix("leave rd.live.dir and rd.live.squashimg away", {
				set: ["rd.live.dir=LiveOS", "rd.live.squashimg=squashfs.img"],
			});
		case "OVERLAY_ARGUMENT_MISSING":
			return fix(`add ${argument} to the entry's linux line`, { set: [argument ?? ""] });
		case "MENU_OVERLAY_DEVICE":
			return fix("leave it away: changes are kept in memory", { drop: [argument ?? ""] });
		case "MENU_LABEL":
			return fix(
				/^[A-Za-z0-9._-]+$/.test(label)
					? "write $isolabel for the label in iso.yaml"
					: "use a label of letters, digits and .-_",
				{ root: isInstaller ? "installer" : "live" },
			);
		case "MENU_ROOT_DEVICE":
			if (isLiveBoot) return fix(`leave ${argument} away`, { drop: [argument ?? ""] });
			break;
		default:
	}
	return isLiveBoot
		? fix("use boot=live, or $root", { root: "live-boot" })
		: fix(
				isInstaller ? "use inst.stage2=hd:LABEL=$isolabel" : "use root=live:CDLABEL=$isolabel rd.live.image, or $root",
				{ root: isInstaller ? "installer" : "live" },
			);
}

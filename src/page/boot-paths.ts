import type { BootPath, BootPaths, Finding } from "../findings/finding.ts";
import { mark, type Severity } from "./findings.ts";
import { html, type Markup } from "./markup.ts";

/** What is known of a boot, in words. */
export interface BootFacts {
	readonly bootLoader: "grub2" | "systemd-boot";
	readonly bootPaths: BootPaths;
	readonly findings: readonly Finding[];
	readonly kernel: string | undefined;
	readonly initramfs: string | undefined;
	readonly menu: string | undefined;
	readonly rootFileSystem: string | undefined;
	/** Of shim, and of what it starts. */
	readonly signers: readonly string[];
}

type Step = "loader" | "menu" | "kernel" | "initramfs" | "root";

/** Which step a finding is about, by how its code begins; the first that fits. */
const STEP_OF_CODE: readonly (readonly [start: string, step: Step])[] = [
	["UNIFIED_KERNEL", "kernel"],
	["GRUB_BIOS_MENU", "menu"],
	["GRUB_BIOS_NO_MENU", "menu"],
	["GRUB_BIOS_ENTRY", "menu"],
	["GRUB_BIOS_NOT_KNOWN", "menu"],
	["GRUB_EFI_MENU", "menu"],
	["GRUB_EFI_NO_MENU", "menu"],
	["GRUB_EFI_ENTRY", "menu"],
	["GRUB_EFI_NOT_KNOWN", "menu"],
	["GRUB_EFI_EXTRA", "menu"],
	["GRUB", "loader"],
	["SHIM", "loader"],
	["MOK", "loader"],
	["SBAT", "loader"],
	["EFI", "loader"],
	["BOOT_", "loader"],
	["VENDOR", "loader"],
	["SYSTEMD_BOOT", "loader"],
	["MENU", "menu"],
	["ENTRY", "menu"],
	["ARGUMENT", "menu"],
	["OVERLAY_ARGUMENT", "menu"],
	["COMMAND_LINE", "menu"],
	["DEFAULT_ENTRY", "menu"],
	["ISO_YAML", "menu"],
	["LABEL", "menu"],
	["KERNEL", "kernel"],
	["DEVICE_TREE", "kernel"],
	["ARCHITECTURE", "kernel"],
	["INIT_MISSING", "root"],
	["INITRAMFS", "initramfs"],
	["LIVE_", "initramfs"],
	["MODULE", "initramfs"],
	["DRIVER", "initramfs"],
	["CD_DRIVERS", "initramfs"],
	["USB", "initramfs"],
	["MEDIUM_DRIVERS", "initramfs"],
	["SQUASHFS", "initramfs"],
	["DRACUT", "initramfs"],
	["MEDIA_CHECK", "initramfs"],
	["INSTALLER", "initramfs"],
];

/** A way of starting the medium. */
interface Lane {
	readonly path: BootPath;
	readonly start?: "cd" | "usb";
	readonly title: string;
	readonly loader: readonly string[];
}

const STARTS = { cd: "CD", usb: "USB stick" } as const;
const SEVERITIES: readonly Severity[] = ["ok", "note", "warning", "blocker", "fault"];

/** Each way of starting the medium, step by step, as what was found says of it. */
export function bootPaths(facts: BootFacts): Markup {
	const isGrub = facts.bootLoader === "grub2";
	const second = isGrub ? "GRUB" : "systemd-boot";
	const lanes: Lane[] = [
		...(facts.bootPaths.bios === undefined
			? []
			: (["cd", "usb"] as const).map((start) => ({
					path: "bios" as const,
					start,
					title: `BIOS, ${STARTS[start]}`,
					loader: [start === "cd" ? "El Torito: GRUB's core image" : "MBR: GRUB's core image"],
				}))),
		...(["cd", "usb"] as const).map((start) => ({
			path: "uefi" as const,
			start,
			title: `UEFI, ${STARTS[start]}`,
			loader: [start === "cd" ? "El Torito: EFI image" : "GPT: EFI system partition", `shim, ${second}`],
		})),
		{ path: "secure-boot", title: "UEFI with Secure Boot", loader: [`shim, ${second}`, ...facts.signers] },
	];
	return html`${lanes.map((lane) => drawLane(lane, facts))}`;
}

function drawLane(lane: Lane, facts: BootFacts): Markup {
	const { findings, kernel, initramfs, menu, rootFileSystem } = facts;
	const verdict = facts.bootPaths[lane.path] ?? "";
	const steps: readonly [step: Step, title: string, words: readonly (string | undefined)[]][] = [
		["loader", "Boot loader", lane.loader],
		["menu", "Menu", [menu]],
		["kernel", "Kernel", [kernel]],
		["initramfs", "Initramfs", [initramfs]],
		["root", "Root file system", [rootFileSystem]],
	];
	const drawn = steps.map(([step, title, words]) => {
		const about = findings.filter((finding) => stepOf(finding) === step && concerns(finding, lane));
		const severity = about.reduce<Severity>((worst, finding) => worseOf(worst, severityIn(finding, lane)), "ok");
		const told = about.filter((finding) => severityIn(finding, lane) !== "ok").slice(0, 3);
		const found = words.filter((word) => word !== undefined).map((word) => html`<span>${word}</span>`);
		const faults = told.map(({ what }) => html`<span class="${severity}">${what}</span>`);
		return html`<li class="step ${severity}"><b>${title}</b>${severity !== "ok" && mark(severity)}${found}${faults}</li>\n`;
	});
	const isExpected = verdict === "expected to boot";
	return html`<div class="path"><h3>${lane.title} <span class="mark ${isExpected ? "ok" : "blocker"}">${isExpected ? "✓" : "✕"} ${verdict}</span></h3><ol>\n${drawn}</ol></div>\n`;
}

function stepOf({ code }: Finding): Step {
	return STEP_OF_CODE.find(([start]) => code.startsWith(start))?.[1] ?? "root";
}

/** Notes are listed with the findings: here is what can go wrong. */
function concerns({ severity, blocks, code, what }: Finding, { path, start }: Lane): boolean {
	if (severity === "ok" || severity === "note") return false;
	if (blocks.length > 0 && !blocks.includes(path)) return false;
	if (
		blocks.length === 0 &&
		code.startsWith("GRUB_BIOS") !== (path === "bios") &&
		/^(GRUB|SHIM|MOK|SBAT|EFI)/.test(code)
	)
		return false;
	const only = /started from a (CD|USB disk)$/.exec(what)?.[1];
	return only === undefined || start === undefined || (only === "CD") === (start === "cd");
}

/** What ends another way only, or one of many, is a warning here. */
function severityIn({ severity, blocks }: Finding, { path }: Lane): Severity {
	if (blocks.includes(path)) return "blocker";
	return severity === "blocker" || severity === "fault" ? "blocker" : severity;
}

function worseOf(a: Severity, b: Severity): Severity {
	return SEVERITIES.indexOf(a) >= SEVERITIES.indexOf(b) ? a : b;
}

import { displayName } from "../binary/byte-string.ts";
import { withoutTrailing } from "../binary/trim-end.ts";
import { deviceTreePath, furtherKernelPaths, ISO_PATHS } from "../boot/iso-paths.ts";
import type { Findings } from "../findings/findings.ts";
import type { DeviceTree, Grub2Menu, KernelFiles, MenuEntry, OsRelease } from "./contract.ts";
import type { IsoYaml } from "./iso-yaml.ts";
import { substitute, variablesIn } from "./template.ts";

const DEFAULT_TIMEOUT_SECONDS = 60;
/** The ISO's, from its root. */
export const KERNEL_PATH = `/${ISO_PATHS.kernel}`;
export const INITRD_PATH = `/${ISO_PATHS.initramfs}`;
const MAX_MENU_CHARACTERS = 1024 * 1024;

/** Arguments of the built-in entry and the value of `${root}`. live-boot looks through all media, and is named by what Debian's live images say. */
export function chooseKernelArgs(
	isoYaml: IsoYaml | undefined,
	label: string,
	startsWithLiveBoot: boolean,
	findings: Findings,
): string[] {
	const given = isoYaml?.kernelArgs ?? [];
	const isUsed = usesKernelArgs(isoYaml);
	if (given.length > 0) {
		const what =
			"kernel_args are not used: they are for the built-in entry and for $root in entries, and there is neither";
		if (!isUsed) findings.choice({ code: "KERNEL_ARGS_UNUSED", what, where: isoYaml?.positionOf(["kernel_args"]) });
		return given.map((arg) => arg.trimEnd());
	}
	const cdlabel = `root=live:CDLABEL=${escapeForCommandLine(label)}`;
	const args = startsWithLiveBoot
		? ["boot=live", "components", "quiet", "enforcing=0"]
		: [cdlabel, "rd.live.image", "quiet", "rhgb", "enforcing=0"];
	const what = `the default kernel arguments are used: ${args.join(" ")}`;
	if (isUsed) findings.choice({ code: "KERNEL_ARGS_DEFAULT", what, remedy: "set kernel_args in iso.yaml" });
	return args;
}

function usesKernelArgs(isoYaml: IsoYaml | undefined): boolean {
	const entries = isoYaml?.entries ?? [];
	return entries.length === 0 || entries.some((entry) => variablesIn(Object.values(entry).join("\n")).includes("root"));
}

/** The menu with defaults filled in and variables replaced. */
export function chooseMenu(
	isoYaml: IsoYaml | undefined,
	label: string,
	kernelArgs: readonly string[],
	osRelease: OsRelease,
	findings: Findings,
): Grub2Menu {
	const given = isoYaml?.entries ?? [];
	const timeoutSeconds = chooseTimeout(isoYaml, findings);
	const isBuiltIn = isoYaml === undefined || given.length === 0;
	const entries = isBuiltIn
		? [installEntry(kernelArgs, osRelease, findings)]
		: customEntries(isoYaml, given, { label, kernelArgs, osRelease, timeoutSeconds }, findings);
	return { timeoutSeconds, defaultEntry: chooseDefault(isoYaml, entries.length, findings), entries, isBuiltIn };
}

/** With the same entries for each further kernel, and for each device tree, in a submenu of its own. */
export function withSubmenus(
	menu: Grub2Menu,
	kernels: readonly KernelFiles[],
	deviceTrees: readonly DeviceTree[],
): Grub2Menu {
	if (kernels.length + deviceTrees.length === 0) return menu;
	const ofKernels = kernels.map(({ version }) => {
		const { kernel, initramfs } = furtherKernelPaths(version);
		return {
			title: `Linux ${displayName(version)}`,
			kernelVersion: version,
			entries: menu.entries.map(({ name, linux, initrd }) => ({
				name,
				linux: withPath(linux, KERNEL_PATH, `/${kernel}`),
				initrd: withPath(initrd, INITRD_PATH, `/${initramfs}`),
			})),
		};
	});
	const ofDeviceTrees = deviceTrees.map(({ name }) => ({
		title: `Device tree ${displayName(name)}`,
		entries: menu.entries.map((entry) => ({ ...entry, devicetree: `/${deviceTreePath(name)}` })),
	}));
	return { ...menu, submenus: [...ofKernels, ...ofDeviceTrees] };
}

/** Words of a GRUB command that look for the medium by this label, where they look for one of their own. */
export function withLabel(words: string, own: string, label: string): string {
	let changed = words;
	for (const names of ["CDLABEL=", "live:LABEL=", "hd:LABEL="]) {
		const named = `${names}${escapeForCommandLine(own)}`;
		changed = changed.replaceAll(named, (found, at: number, whole: string) =>
			/^(?:[\s:]|$)/.test(whole.slice(at + named.length, at + named.length + 1))
				? `${names}${escapeForCommandLine(label)}`
				: found,
		);
	}
	return changed;
}

/** Words of a GRUB command with one path in place of another. */
export function withPath(words: string, from: string, to: string): string {
	return words
		.split(/([ \t]+)/)
		.map((word) => (word.endsWith(from) && /^\S*$/.test(word) ? word.slice(0, -from.length) + to : word))
		.join("");
}

function chooseTimeout(isoYaml: IsoYaml | undefined, findings: Findings): number {
	const timeout = isoYaml?.timeoutSeconds;
	if (timeout === undefined) {
		const what = `the default menu timeout of ${DEFAULT_TIMEOUT_SECONDS} seconds is used`;
		findings.choice({ code: "TIMEOUT_DEFAULT", what, remedy: "set grub2.timeout in iso.yaml" });
		return DEFAULT_TIMEOUT_SECONDS;
	}
	if (timeout === 0) {
		const what = `timeout 0 starts the default entry at once; the reference converter makes it ${DEFAULT_TIMEOUT_SECONDS} seconds`;
		findings.choice({ code: "TIMEOUT_ZERO", what, where: isoYaml?.positionOf(["grub2", "timeout"]) });
	}
	return timeout;
}

function chooseDefault(isoYaml: IsoYaml | undefined, entryCount: number, findings: Findings): number | undefined {
	const index = isoYaml?.defaultEntry;
	if (isoYaml === undefined || index === undefined || index === 0) return undefined;
	const where = isoYaml.positionOf(["grub2", "default"]);
	if (index < 0) {
		findings.choice({
			code: "DEFAULT_ENTRY_NEGATIVE",
			what: `default ${index} is ignored, as the reference does`,
			where,
		});
		return undefined;
	}
	if (index >= entryCount) {
		const what = `default ${index} is beyond the last of ${entryCount} entries, which are counted from 0`;
		findings.choice({ code: "DEFAULT_ENTRY_BEYOND", what, where });
	}
	return index;
}

function installEntry(kernelArgs: readonly string[], osRelease: OsRelease, findings: Findings): MenuEntry {
	const version = osRelease.versionId === undefined ? "" : ` ${osRelease.versionId}`;
	const name = withoutControls(`Install ${productOf(osRelease)}${version}`);
	const what = `the image has no menu entries, the built-in entry ${JSON.stringify(name)} is used`;
	findings.choice({ code: "MENU_DEFAULT", what, remedy: "set grub2.entries in iso.yaml" });
	const args = kernelArgs.includes("quiet") ? kernelArgs : [...kernelArgs, "quiet"];
	return { name, linux: `${KERNEL_PATH} ${args.join(" ")}`, initrd: INITRD_PATH };
}

interface Values {
	readonly label: string;
	readonly kernelArgs: readonly string[];
	readonly osRelease: OsRelease;
	readonly timeoutSeconds: number;
}

/** Variables of the reference's menu as a whole, which mean nothing inside an entry. */
const MENU_VARIABLES = [
	"customentries",
	"defaultentry",
	"fipsentry",
	"installentry",
	"testentry",
	"troubleshootingentry",
];

function customEntries(isoYaml: IsoYaml, given: readonly MenuEntry[], values: Values, findings: Findings): MenuEntry[] {
	const forName = variables(values, (value) => value);
	const forCommandLine = variables(values, escapeForCommandLine);
	let characters = 0;
	return given.map((entry, index) => {
		const text = (key: "name" | "linux" | "initrd"): string => {
			if (characters > MAX_MENU_CHARACTERS) return "";
			const where = isoYaml.positionOf(["grub2", "entries", index, key]);
			const misplaced = variablesIn(entry[key]).find((name) => MENU_VARIABLES.includes(name));
			if (misplaced !== undefined) {
				const expected = "a variable that stands for one value, such as $product or $isolabel";
				findings.problem({ code: "ENTRY_VARIABLE", what: `$${misplaced} is used in an entry`, where, expected });
			}
			const values = key === "name" ? forName : forCommandLine;
			const result = substitute(entry[key], values, MAX_MENU_CHARACTERS);
			characters += result?.length ?? MAX_MENU_CHARACTERS + 1;
			if (characters > MAX_MENU_CHARACTERS) {
				const expected = `a menu of at most ${MAX_MENU_CHARACTERS} characters`;
				findings.problem({ code: "MENU_TOO_LARGE", what: "the menu entries are too long together", where, expected });
			}
			return withoutTrailing(result ?? "", "\r\n");
		};
		const result = { name: text("name"), linux: text("linux"), initrd: text("initrd") };
		noteEntry(result, values.label, isoYaml.positionOf(["grub2", "entries", index, "linux"]), findings);
		return result;
	});
}

function variables(values: Values, inContext: (value: string) => string): Map<string, string> {
	const { label, kernelArgs, osRelease, timeoutSeconds } = values;
	return new Map([
		["product", inContext(withoutControls(productOf(osRelease)))],
		["version", inContext(withoutControls(osRelease.versionId ?? ""))],
		["isolabel", inContext(label)],
		["kernelpath", KERNEL_PATH],
		["initrdpath", INITRD_PATH],
		["root", kernelArgs.join(" ")],
		["timeout", String(timeoutSeconds)],
	]);
}

function noteEntry(entry: MenuEntry, label: string, where: string, findings: Findings): void {
	const shown = JSON.stringify(entry.name);
	const named = /(?:CDLABEL|(?:live|hd):LABEL)=([^\s:]*)/.exec(entry.linux)?.[1];
	if (named !== undefined && named !== "" && named !== escapeForCommandLine(label)) {
		const what = `entry ${shown} looks for a medium labelled ${JSON.stringify(named)}, this one is ${JSON.stringify(label)}`;
		findings.choice({ code: "ENTRY_LABEL_DIFFERS", what, where, remedy: "use $isolabel in iso.yaml" });
	}
	if (entry.linux.includes("$") || entry.initrd.includes("$")) {
		const what = `entry ${shown} has a $ that no variable explains: it is passed on as it is, GRUB does not expand it`;
		findings.choice({ code: "ENTRY_DOLLAR", what, where });
	}
}

/** os-release(5) names a system "Linux" that gives itself no name. */
function productOf(osRelease: OsRelease): string {
	return osRelease.name ?? osRelease.id ?? "Linux";
}

/** A value as part of a word of a GRUB command line: quotes and backslashes stand for themselves. */
function escapeForCommandLine(value: string): string {
	return value.replace(/['"\\]/g, "\\$&");
}

/** os-release is not checked like iso.yaml: what a menu cannot show becomes a space. */
function withoutControls(text: string): string {
	return text.replace(/[\p{Cc}\p{Cs}]/gu, " ");
}

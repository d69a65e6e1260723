import { type ByteString, displayName } from "../../../binary/byte-string.ts";
import type { GrubPlatform } from "../../machines.ts";
import type { GrubFileSystem, GrubMedium } from "./medium.ts";
import type { GrubModules } from "./modules.ts";
import { type GrubOutcome, GrubStop, notKnown, STOPS_AT_PROMPT } from "./outcome.ts";
import { GrubShell } from "./shell.ts";
import { MEMORY_DISK } from "./storage.ts";

/** GRUB as it is in memory when it starts. */
export interface StartedGrub extends Omit<GrubModules, "memoryDisk"> {
	readonly platform: GrubPlatform;
	/** Its file system, or why that cannot be read. */
	readonly memoryDisk: Promise<GrubFileSystem | string> | undefined;
	/** Variables that its kernel sets to the place that it was started from. */
	readonly startVariables: readonly string[];
}

/** What GRUB does once it was started. */
export type GrubWalk = GrubOutcome & {
	/** As built in, maybe with a device; undefined where it has none. */
	readonly prefix: ByteString | undefined;
	/** Scripts that it asked for and did not find, with their device: `(hd0,gpt2)/boot/grub/grub.cfg`. */
	readonly missing: readonly ByteString[];
	/** Files that it loads as modules and that are none, in words. */
	readonly brokenModules: readonly string[];
};

/** Those that an entry cannot do without. */
const ENTRY_COMMANDS = ["linux", "initrd"];

/**
 * Which menu GRUB comes to on a medium, found by running what is built into it: early configuration, memory disk, prefix (GRUB's kern/main.c,
 * normal/main.c). Other disks of the machine are taken to hold nothing that it looks for.
 */
export async function walkGrub(started: StartedGrub, medium: GrubMedium): Promise<GrubWalk> {
	const { prefix, configuration, modules, startVariables, platform } = started;
	const [cpu = "", firmware = ""] = platform.name.split("-");
	const besideItself = `(${medium.bootDevice})${medium.bootDirectory}`;
	const environment = new Map<string, ByteString>();
	for (const name of startVariables) environment.set(name, besideItself);
	const [device, path] = splitDevice(prefix ?? "");
	const bootDevice = device === "" || device.startsWith(",") ? withPartition(medium.bootDevice, device) : device;
	const ownDirectory = `/${platform.name}`;
	const beside = medium.bootDirectory;
	const isPlatforms = beside.endsWith(ownDirectory) && beside !== ownDirectory;
	const directory = path !== "" ? path : isPlatforms ? beside.slice(0, -ownDirectory.length) : beside;
	environment.set("root", bootDevice);
	environment.set("prefix", `(${bootDevice})${directory}`);
	environment.set("grub_cpu", cpu);
	environment.set("grub_platform", firmware);

	const disk = await started.memoryDisk;
	const devices = [...medium.devices];
	if (typeof disk === "object" && modules?.has("memdisk") !== false)
		devices.push({ name: MEMORY_DISK, fileSystem: disk });
	const shell = new GrubShell({ devices, modules: modules?.keys(), environment, platform });
	const end = await outcomeOf(async () => {
		if (typeof disk === "string") notKnown(disk);
		if (configuration !== undefined) await shell.runEarly(configuration);
		if (!(await shell.modules.load("normal")))
			throw new GrubStop({
				kind: "no menu",
				does: STOPS_AT_PROMPT,
				why: shell.modules.broken.at(-1) ?? "it lacks the module normal and finds none",
			});
		await shell.normal(shell.defaultConfig());
	});
	const faults: string[] = [];
	if (end.kind === "menu")
		await outcomeOf(async () => {
			for (const command of ENTRY_COMMANDS) {
				const fault = await shell.modules.faultOf(command);
				if (fault !== undefined) faults.push(fault);
			}
		});
	return { ...end, prefix, missing: shell.missing, brokenModules: [...shell.modules.broken, ...faults] };
}

async function outcomeOf(run: () => Promise<void>): Promise<GrubOutcome> {
	try {
		await run();
	} catch (error) {
		if (error instanceof GrubStop) return error.outcome;
		throw error;
	}
	return { kind: "unknown", why: "its script ends in a way that is not modelled" };
}

function splitDevice(prefix: ByteString): [device: ByteString, path: ByteString] {
	const end = prefix.startsWith("(") ? prefix.lastIndexOf(")") : -1;
	return end < 0 ? ["", prefix] : [prefix.slice(1, end), prefix.slice(end + 1)];
}

/** `(,gpt2)` is a partition of the disk that GRUB was started from. */
function withPartition(bootDevice: string, partition: ByteString): string {
	return partition === "" ? bootDevice : `${bootDevice.split(",")[0]}${partition}`;
}

/** For people: what GRUB did instead of showing a menu. */
export function describeWalk({ prefix, missing, brokenModules: _, ...outcome }: GrubWalk): string {
	if (outcome.kind === "menu") return `GRUB reads (${outcome.config.device})${displayName(outcome.config.path)}`;
	const looked = missing.length === 0 ? "" : `; it looked for ${missing.map(displayName).join(", ")}`;
	return `${outcome.why}; prefix ${prefix === undefined ? "(none)" : displayName(prefix)}${looked}`;
}

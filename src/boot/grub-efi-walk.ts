import { type ByteString, displayName } from "../binary/byte-string.ts";
import { type PeImage, sectionBytes } from "../pe/pe-image.ts";
import type { GrubFileSystem, GrubMedium } from "./grub-medium.ts";
import { findGrubModules, type GrubModules } from "./grub-modules.ts";
import { type GrubOutcome, GrubStop, notKnown } from "./grub-outcome.ts";
import { GrubShell } from "./grub-shell.ts";
import { MEMORY_DISK } from "./grub-storage.ts";
import { openMemoryDisk } from "./memory-disk.ts";

const MODULES_SECTION = "mods";
const PLATFORM = "x86_64-efi";

/** What a GRUB for EFI does once firmware or shim has started it. */
export type GrubWalk = GrubOutcome & {
	/** As built in, maybe with a device; undefined where it has none. */
	readonly prefix: ByteString | undefined;
	/** Scripts that it asked for and did not find, with their device: `(hd0,gpt2)/boot/grub/grub.cfg`. */
	readonly missing: readonly ByteString[];
};

/**
 * Which menu a GRUB for EFI comes to on a medium, found by running what is built into it: early configuration, memory disk, prefix
 * (GRUB's kern/main.c, normal/main.c). Other disks of the machine are taken to hold nothing that it looks for.
 */
export async function walkGrubEfi(program: PeImage, medium: GrubMedium): Promise<GrubWalk> {
	const parts = partsOf(program);
	if (parts === undefined)
		return { kind: "unknown", why: "it has no modules as GRUB's programs have them", prefix: undefined, missing: [] };
	const { prefix, configuration, modules, variables } = parts;
	const besideItself = `(${medium.bootDevice})${medium.bootDirectory}`;
	const environment = new Map<string, ByteString>();
	// Upstream's name of it; builds with Red Hat's changes, Debian's since 2.12 among them, have the other instead.
	for (const name of variables) environment.set(name, besideItself);
	const [device, path] = splitDevice(prefix ?? "");
	const bootDevice = device === "" || device.startsWith(",") ? withPartition(medium.bootDevice, device) : device;
	const directory = path === "" ? medium.bootDirectory.replace(/(?<=.)\/x86_64-efi$/, "") : path;
	environment.set("root", bootDevice);
	environment.set("prefix", `(${bootDevice})${directory}`);
	environment.set("grub_cpu", "x86_64");
	environment.set("grub_platform", "efi");

	const disk = await parts.memoryDisk;
	const devices = [...medium.devices];
	if (typeof disk === "object" && modules?.has("memdisk") !== false)
		devices.push({ name: MEMORY_DISK, fileSystem: disk });
	const shell = new GrubShell({ devices, modules: modules?.keys(), environment, platform: PLATFORM });
	const end = await outcomeOf(async () => {
		if (typeof disk === "string") notKnown(disk);
		if (configuration !== undefined) await shell.runEarly(configuration);
		if (!shell.loadModule("normal"))
			throw new GrubStop({ kind: "prompt", why: "it lacks the module normal and finds none" });
		await shell.normal(shell.defaultConfig());
	});
	return { ...end, prefix, missing: shell.missing };
}

interface GrubParts extends Omit<GrubModules, "memoryDisk"> {
	/** Its file system, or why that cannot be read. */
	readonly memoryDisk: Promise<GrubFileSystem | string> | undefined;
	/** Those that its kernel sets to the place that it was started from. */
	readonly variables: readonly string[];
}

/** A program is walked more than once. */
const known = new WeakMap<PeImage, GrubParts>();

function partsOf(program: PeImage): GrubParts | undefined {
	const before = known.get(program);
	if (before !== undefined) return before;
	const section = sectionBytes(program, MODULES_SECTION);
	const found = section === undefined ? undefined : findGrubModules(section);
	if (found === undefined) return undefined;
	const parts = {
		...found,
		memoryDisk: found.memoryDisk && openMemoryDisk(found.memoryDisk),
		variables: ["cmdpath", "fw_path"].filter((name) => mentions(program, name)),
	};
	known.set(program, parts);
	return parts;
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

/** Whether GRUB's own code, outside of its modules, has a text of its own that says `name`. */
function mentions(program: PeImage, name: string): boolean {
	return program.sections.some(
		({ name: section, bytes }) =>
			section !== MODULES_SECTION &&
			Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(`\0${name}\0`, 0, "latin1"),
	);
}

/** For people: what GRUB did instead of showing a menu. */
export function describeWalk({ prefix, missing, ...outcome }: GrubWalk): string {
	if (outcome.kind === "menu") return `GRUB reads (${outcome.config.device})${displayName(outcome.config.path)}`;
	const looked = missing.length === 0 ? "" : `; it looked for ${missing.map(displayName).join(", ")}`;
	return `${outcome.why}; prefix ${prefix === undefined ? "(none)" : displayName(prefix)}${looked}`;
}

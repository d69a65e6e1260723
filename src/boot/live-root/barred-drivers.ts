import type { InitramfsArguments } from "./argument-lookup.ts";
import type { InitramfsFiles } from "./live-support.ts";

/** Between the medium and its root, with the function that starts each (fs/squashfs/super.c, fs/overlayfs/super.c, drivers/block/loop.c, fs/isofs/inode.c). */
const STARTED_BY: ReadonlyMap<string, string> = new Map([
	["squashfs", "init_squashfs_fs"],
	["overlay", "ovl_init"],
	["loop", "loop_init"],
	["isofs", "init_iso9660_fs"],
]);

/** A driver that an argument keeps from being started. */
export interface BarredDriver {
	readonly argument: string;
	readonly driver: string;
	/** Whoever asks for it; otherwise some do get it. */
	readonly always: boolean;
}

/** Modules that the initramfs loads on the way to the root, each with the driver that needs it; nothing that is built into the kernel. */
export function neededModules(files: InitramfsFiles): ReadonlyMap<string, string> {
	const needed = new Map<string, string>();
	for (const release of files.names("/lib/modules"))
		for (const line of (files.text(`/lib/modules/${release}/modules.dep`) ?? "").split("\n")) {
			const colon = line.indexOf(":");
			const driver = moduleName(line.slice(0, Math.max(0, colon)));
			if (!STARTED_BY.has(driver)) continue;
			for (const path of line.slice(colon + 1).split(" ")) if (path !== "") needed.set(moduleName(path), driver);
			needed.set(driver, driver);
		}
	return needed;
}

function moduleName(path: string): string {
	const name = path.slice(path.lastIndexOf("/") + 1);
	return name.slice(0, name.includes(".") ? name.indexOf(".") : undefined).replaceAll("-", "_");
}

/**
 * What keeps a driver away: `module_blacklist` (the kernel's, for modules of exactly that name), `initcall_blacklist` (for all), and
 * `modprobe.blacklist` and dracut's `rd.driver.blacklist`, which hold for drivers that are asked for by what they can do, not by name.
 */
export function barredDrivers(args: InitramfsArguments, needed: ReadonlyMap<string, string>): BarredDriver[] {
	const barred: BarredDriver[] = [];
	const listed = (name: string): string[] => (args.value(name) ?? "").split(",");
	for (const argument of ["module_blacklist", "modprobe.blacklist", "rd.driver.blacklist"])
		for (const name of new Set(listed(argument))) {
			const always = argument === "module_blacklist";
			const driver = needed.get(always ? name : name.replaceAll("-", "_"));
			if (driver !== undefined) barred.push({ argument, driver, always });
		}
	for (const name of new Set(listed("initcall_blacklist")))
		for (const [driver, start] of STARTED_BY)
			if (name === start) barred.push({ argument: "initcall_blacklist", driver, always: true });
	return barred;
}

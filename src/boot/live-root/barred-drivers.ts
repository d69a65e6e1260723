import { withoutTrailing } from "../../binary/trim-end.ts";
import { moduleNameOf } from "../linux/kernel-modules.ts";
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
interface BarredDriver {
	readonly argument: string;
	readonly driver: string;
	/** Otherwise that depends on who asks for it, which is not known. */
	readonly always: boolean;
}

/** Modules that the initramfs loads on the way to the root, each with the driver that needs it; nothing that is built into the kernel. */
export function neededModules(files: InitramfsFiles): ReadonlyMap<string, string> {
	const needed = new Map<string, string>();
	for (const release of files.names("/lib/modules"))
		for (const line of (files.text(`/lib/modules/${release}/modules.dep`) ?? "").split("\n")) {
			const colon = line.indexOf(":");
			const driver = moduleNameOf(line.slice(0, Math.max(0, colon)));
			if (!STARTED_BY.has(driver)) continue;
			for (const path of line.slice(colon + 1).split(" ")) if (path !== "") needed.set(moduleNameOf(path), driver);
			needed.set(driver, driver);
		}
	return needed;
}

/** Modules that a script of dracut's asks for by their own names: `load_fstype overlay`, `modprobe -q loop`. */
export function modulesNamedIn(script: string): ReadonlySet<string> {
	const named = new Set<string>();
	for (const line of script.split("\n")) {
		const words = line.trim().split(" ");
		const call = words.findIndex((word) => word === "modprobe" || word === "load_fstype");
		const name = words.find((word, index) => index > call && !word.startsWith("-"));
		if (call >= 0 && name !== undefined && !line.trimStart().startsWith("#"))
			named.add(withoutTrailing(name, ";").replaceAll("-", "_"));
	}
	// Since 111 of what blkid says the image is; before, of what the medium is.
	if (script.includes('det_img_fs "$SQUASHED_LOOPDEV"')) named.add("squashfs");
	return named;
}

/**
 * What keeps a driver away: `module_blacklist` (the kernel's, the last one, for modules of exactly that name and with them for those that need them),
 * `initcall_blacklist` (for all), and `modprobe.blacklist` and dracut's `rd.driver.blacklist`. These two hold for a driver that is asked for by an alias
 * of it, as `mount` has the kernel do (`fs-squashfs`, and `iso9660` is one of isofs), not by name, and never for what a driver needs (kmod's
 * kmod_module_probe_insert_module). `named` has those that are asked for by name; undefined where that is not known.
 */
export function barredDrivers(
	args: InitramfsArguments,
	needed: ReadonlyMap<string, string>,
	named: ReadonlySet<string> | undefined,
): BarredDriver[] {
	const barred: BarredDriver[] = [];
	for (const name of new Set((args.value("module_blacklist") ?? "").split(","))) {
		const driver = needed.get(name);
		if (driver !== undefined) barred.push({ argument: "module_blacklist", driver, always: true });
	}
	const loadedBefore = args.listed("rd.driver.pre");
	for (const argument of ["modprobe.blacklist", "rd.driver.blacklist"])
		for (const name of args.listed(argument)) {
			const driver = name.replaceAll("-", "_");
			if (STARTED_BY.has(driver) && needed.has(driver) && named?.has(driver) !== true && !loadedBefore.has(driver))
				barred.push({ argument, driver, always: named !== undefined });
		}
	for (const name of args.listed("initcall_blacklist"))
		for (const [driver, start] of STARTED_BY)
			if (name === start) barred.push({ argument: "initcall_blacklist", driver, always: true });
	return barred;
}

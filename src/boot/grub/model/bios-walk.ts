import { PC_BIOS } from "../../machines.ts";
import { type GrubFileSystem, type GrubStart, grubBiosMedium } from "./medium.ts";
import { openMemoryDisk } from "./memory-disk.ts";
import type { GrubModules } from "./modules.ts";
import { type GrubWalk, walkGrub } from "./walk.ts";

/** What a core image of GRUB for BIOS does once it has been loaded and decompressed. `partition` is the partition with the same volume, on a disk. */
export function walkGrubBios(
	core: GrubModules,
	start: GrubStart,
	iso: GrubFileSystem,
	partition: GrubFileSystem | undefined,
): Promise<GrubWalk> {
	const started = {
		...core,
		memoryDisk: core.memoryDisk && openMemoryDisk(core.memoryDisk),
		platform: PC_BIOS,
		startVariables: [],
	};
	return walkGrub(started, grubBiosMedium(start, iso, partition));
}

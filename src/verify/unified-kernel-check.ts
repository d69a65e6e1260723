import type { ByteSource } from "../binary/byte-source.ts";
import { type ByteString, displayName } from "../binary/byte-string.ts";
import { ISO_PATHS } from "../boot/iso-paths.ts";
import { readUnifiedKernel } from "../boot/linux/unified-kernel.ts";
import type { Findings } from "../findings/findings.ts";
import type { VolumeFile } from "../formats/iso9660/volume.ts";
import { machineName } from "../formats/pe/pe-layout.ts";
import { followUnifiedKernel } from "./live-root-check.ts";
import { fileAt, fileSource, machineOn } from "./medium-files.ts";
import type { BootVolume } from "./menu-check.ts";

interface CheckedProgram {
	/** Path without leading slash, where it was found in every volume and has a kernel. */
	readonly kernel: ByteString | undefined;
	/** Paths of root file systems that it leads to. */
	readonly images: readonly { readonly image: ByteString | undefined; readonly volume: BootVolume }[];
}

/** Every menu that names a program means the same; of a medium by its place. */
const known = new WeakMap<ByteSource, Map<string, ReturnType<typeof readUnifiedKernel>>>();

/** A program that a menu starts in place of a kernel: of a unified kernel image what its command line leads to, which is part of it. Others are not followed. */
export async function checkProgram(
	given: ByteString,
	volumes: readonly BootVolume[],
	where: string,
	findings: Findings,
): Promise<CheckedProgram> {
	const path = given.replace(/^\/+/, "");
	const at = `/${displayName(path)}`;
	const isUnified = path.toUpperCase().startsWith(`${ISO_PATHS.unifiedKernelDirectory.toUpperCase()}/`);
	const images: CheckedProgram["images"][number][] = [];
	for (const volume of volumes) {
		const file = fileAt(volume.root, path);
		const kernel = file && (await kernelIn(volume, file, path));
		if (file === undefined && isUnified) findings.fault(`${at} is not in ${volume.name}`, where, "it there");
		else if (typeof kernel === "string" && isUnified) findings.fault(`it is no EFI program: ${kernel}`, at, "PE32+");
		if (file === undefined || kernel === undefined || typeof kernel === "string") continue;
		findings.equal("machine type", machineName(kernel.machine), machineOn(volume.root).name, at);
		images.push({ image: await followUnifiedKernel(kernel, file, path, volume, where, findings), volume });
	}
	if (images.length === 0 && !isUnified) findings.note("it chain-loads something else, which was not followed", where);
	return { kernel: images.length === volumes.length ? path : undefined, images };
}

function kernelIn(volume: BootVolume, file: VolumeFile, path: ByteString): ReturnType<typeof readUnifiedKernel> {
	const ofMedium = known.get(volume.medium) ?? new Map<string, ReturnType<typeof readUnifiedKernel>>();
	known.set(volume.medium, ofMedium);
	const place = file.extents.map(({ block, byteLength }) => `${volume.firstBlock + block}+${byteLength}`).join(" ");
	const kernel = ofMedium.get(place) ?? readUnifiedKernel(fileSource(volume.source, file, path));
	ofMedium.set(place, kernel);
	return kernel;
}

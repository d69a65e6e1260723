import { ISO_BLOCK_BYTES } from "../../binary/units.ts";
import { usesTool } from "../../buildroot/tools.ts";
import { Oci2isoError } from "../../errors.ts";
import { hybridMbr } from "../../formats/gpt/mbr.ts";
import { APPLICATION_USE_BYTES, decodeApplicationUse } from "../../formats/isomd5/application-use.ts";
import { APPLICATION_USE_OFFSET } from "../../formats/isomd5/media-checksum.ts";
import { buildEsp } from "../../medium/esp.ts";
import {
	describeLayout,
	endOfImages,
	layOutIso,
	type Region,
	ROOT_FS_BLOCK,
	regionsOf,
} from "../../medium/iso-layout.ts";
import { writeFront, writeRest } from "../../medium/write-iso.ts";
import type { FileTarget } from "../../output/file-target.ts";
import type { Exporter, ExportRun, MediumRegion, WrittenMedium } from "../exporter.ts";
import type { LiveSystem } from "../live-system.ts";
import { deriveIdentifiers } from "./identifiers.ts";
import { beginMediaChecksum, checksumOfTool } from "./media-checksum.ts";

const ROOTFS_START = ROOT_FS_BLOCK * ISO_BLOCK_BYTES;

/** An ISO 9660 image for CD and USB sticks. */
export const isoExporter: Exporter = { name: "iso", rootfsStart: ROOTFS_START, write };

/** The checksum goes on behind: a thread reads the root file system from the moment on that everything before its end is final. */
async function write(system: LiveSystem, target: FileTarget, run: ExportRun): Promise<WrittenMedium> {
	const { contract, epochSeconds, tree, files, bios } = system;
	const { signal, onBytes } = run;
	const { guids, fatVolumeId } = deriveIdentifiers(system.ingredients);
	const esp = await buildEsp(tree, files, fatVolumeId, epochSeconds);
	const images = { rootFsBytes: system.rootfs.byteLength, furtherImages: system.furtherImages };
	const layout = layOutIso({
		label: contract.label,
		epochSeconds,
		...images,
		elToritoBytes: bios?.core.byteLength,
		esp,
		hasEfiImage: contract.bootLoader === "grub2",
		bootFiles: files,
		otherFiles: system.otherFiles,
		guids,
		preparer: system.preparer,
	});
	for (const { what, where } of layout.volume.notices) run.onNotice(where === undefined ? what : `${what} (${where})`);
	run.onLayout?.(describeLayout(layout));
	const { imageBlocks } = layout.disk;
	const byteLength = imageBlocks * ISO_BLOCK_BYTES;
	const bootHybrid = bios && (await tree.read(bios.bootHybrid, hybridMbr.byteLength));
	writeFront(target, layout, bootHybrid);

	const checksum = usesTool(run.tools)
		? checksumOfTool(contract.loaders, target, run.tools)
		: await beginMediaChecksum(target, imageBlocks);
	const medium: WrittenMedium = {
		async finish() {
			const tool = await checksum.finish(onBytes, signal);
			const area = decodeApplicationUse(await target.read(APPLICATION_USE_OFFSET, APPLICATION_USE_BYTES));
			if (area === undefined) throw noChecksum(target.path);
			const { label: volumeIdentifier } = contract;
			const regions = regionsOf(layout).map(mediumRegion);
			return { byteLength, volumeIdentifier, diskGuid: guids.disk, mediaMd5: area.md5, regions, tools: [tool] };
		},
		close: () => checksum.close(),
	};
	try {
		checksum.allow(ROOTFS_START + endOfImages(images));
		await writeRest(target, layout, { tree, esp, elToritoImage: bios?.core, signal, onBytes });
		checksum.allow(byteLength);
		return medium;
	} catch (error) {
		medium.close();
		throw error;
	}
}

function mediumRegion({ block, blocks, what, source }: Region): MediumRegion {
	const kind = kindOf(what, source);
	return { kind, what, start: block * ISO_BLOCK_BYTES, byteLength: blocks * ISO_BLOCK_BYTES };
}

function kindOf(what: string, source: Region["source"]): MediumRegion["kind"] {
	if (source === undefined) return what === "padding" ? "padding" : "tables";
	if (source === "rootfs") return source;
	return source === "stream" ? "payload" : "boot";
}

function noChecksum(where: string): Oci2isoError {
	return new Oci2isoError({ code: "TOOL_DAMAGED_ISO", kind: "tool", what: "the tool wrote no media checksum", where });
}

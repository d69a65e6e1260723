import { ISO_BLOCK_BYTES } from "../../binary/units.ts";
import { bootFiles } from "../../boot/boot-files.ts";
import { type AddedFile, placeMenus } from "../../boot/grub/place-menus.ts";
import type { BootCheckReport } from "../../build/checked-contract.ts";
import { checkContract, describeCheck, readBuildContract } from "../../build/checked-contract.ts";
import { deriveIdentifiers } from "../../build/identifiers.ts";
import type { ResolvedOptions } from "../../build/options.ts";
import type { BuildProgress } from "../../build/progress.ts";
import type { RootFileSystemStage } from "../../build/root-file-system-stage.ts";
import { VERSION } from "../../build/version.ts";
import type { ToolReport } from "../../buildroot/tools.ts";
import { checksumByTool, elToritoCore, toolNotices, usesTool } from "../../buildroot/tools.ts";
import type { Contract } from "../../contract/contract.ts";
import { hybridMbr } from "../../formats/gpt/mbr.ts";
import { APPLICATION_USE_BYTES, decodeApplicationUse } from "../../formats/isomd5/application-use.ts";
import { APPLICATION_USE_OFFSET } from "../../formats/isomd5/media-checksum.ts";
import { buildEsp } from "../../medium/esp.ts";
import { describeLayout, layOutIso, SQUASHFS_BLOCK } from "../../medium/iso-layout.ts";
import { writeFront, writeRest } from "../../medium/write-iso.ts";
import type { OciImage } from "../../oci/open-image.ts";
import type { PendingOutput } from "../../output/output-file.ts";
import type { RootSummary } from "../../rootfs/root-file-system.ts";
import type { ImageTree } from "../../tree/image-tree.ts";
import { beginMediaChecksum } from "./media-checksum.ts";

// The order of things after the last layer. Nothing is on the critical path that need not be:
//   core image:   its tool runs while this thread writes the squashfs's tables
//   checksum:     a thread of the addon reads the squashfs, from the moment on that everything before its end is final, while this one writes the rest, checks
//                 whether the ISO would boot, and puts away what the cache keeps
//   disk:         the file is flushed meanwhile

const OWN_CHECKSUM: ToolReport = { task: "media-checksum", used: "builtin" };

export interface FinishInput {
	readonly image: OciImage;
	readonly output: PendingOutput;
	readonly options: ResolvedOptions;
	readonly progress: BuildProgress;
	readonly epochSeconds: number;
	readonly stage: RootFileSystemStage;
}

/** An ISO that is whole, under its temporary name. */
export interface FinishedIso {
	readonly contract: Contract;
	readonly addedFiles: readonly AddedFile[];
	readonly checks: BootCheckReport;
	readonly summary: RootSummary;
	readonly losses: readonly string[];
	readonly tools: readonly ToolReport[];
	readonly mediaMd5: string;
	readonly isoBytes: number;
	readonly diskGuid: string;
}

/** Writes everything but the data blocks of the squashfs, which are in their place. */
export async function finishIso(input: FinishInput): Promise<FinishedIso> {
	const { image, output, options, progress, epochSeconds, stage } = input;
	const { target } = output;
	const { tree } = stage;

	progress.phase("contract");
	const { architecture } = image.platform;
	const checkOptions = { ...options, architecture, codec: options.comp };
	const contract = await readBuildContract(tree, checkOptions);
	for (const { what, remedy } of contract.choices) progress.notice(remedy === undefined ? what : `${what} (${remedy})`);
	const standard = bootFiles(contract, epochSeconds);
	await stage.fetchAside(standard.flatMap(({ content }) => (content.kind === "image" ? [content.file.inode] : [])));
	const { files, added } = await placeMenus(tree, contract, standard);
	const identifiers = deriveIdentifiers(ingredients(image, stage, contract, epochSeconds, options));

	progress.phase("tools");
	const [core, [esp, summary]] = await besideCoreImage(tree, contract, options, async (toolWorks) => {
		const partition = await buildEsp(tree, files, identifiers.fatVolumeId, epochSeconds);
		await toolWorks;
		progress.phase("squashfs");
		return [partition, await stage.writeTables()] as const;
	});

	progress.phase("image");
	const layout = layOutIso({
		label: contract.label,
		epochSeconds,
		squashfsBytes: summary.byteLength,
		elToritoBytes: core.image.byteLength,
		esp,
		bootFiles: files,
		guids: identifiers.guids,
		preparer: `OCI2ISO-${VERSION}`,
	});
	for (const { what, where } of layout.volume.notices)
		progress.notice(where === undefined ? what : `${what} (${where})`);
	options.onPlan?.(describeLayout(layout));
	const { imageBlocks } = layout.disk;
	writeFront(target, layout, await tree.read(contract.grubModules.bootHybrid.inode, hybridMbr.byteLength));

	const ownChecksum = usesTool(options) ? undefined : await beginMediaChecksum(target, imageBlocks);
	let flushing: Promise<void> | undefined;
	try {
		ownChecksum?.allow(SQUASHFS_BLOCK * ISO_BLOCK_BYTES + summary.byteLength);
		await writeRest(target, layout, {
			tree,
			esp,
			elToritoImage: core.image,
			signal: options.signal,
			onBytes: (bytes) => progress.bytes(bytes),
		});
		ownChecksum?.allow(imageBlocks * ISO_BLOCK_BYTES);

		progress.phase("checksum");
		flushing = output.flush();
		flushing.catch(() => {});
		const [checked, byTool] = await Promise.allSettled([
			checkContract(tree, contract, checkOptions),
			usesTool(options) ? checksumByTool(tree, target.path, options) : OWN_CHECKSUM,
		]);
		if (checked.status === "rejected") throw checked.reason;
		if (byTool.status === "rejected") throw byTool.reason;
		const tools = [core.report, byTool.value];
		for (const notice of tools.flatMap(toolNotices)) progress.notice(notice);
		for (const finding of checked.value.findings) progress.notice(describeCheck(finding));
		for (const { pattern, count } of stage.droppedXattrs)
			progress.notice(`--drop-xattr ${pattern}: ${count} extended attributes were left out`);
		const losses = [...stage.losses, ...summary.losses.map(({ what }) => what)];
		const told = [...stage.losses, ...summary.losses.flatMap(({ what, isCommon }) => (isCommon ? [] : [what]))];
		for (const note of [...image.notes, ...stage.notes, ...told]) progress.notice(note);
		await stage.finishCache();
		await ownChecksum?.finish((done, total) => progress.bytes(done, total), options.signal);
		// the system tells of a failed write only once
		await flushing;

		const area = await target.read(APPLICATION_USE_OFFSET, APPLICATION_USE_BYTES);
		return {
			contract,
			addedFiles: added,
			checks: checked.value,
			summary,
			losses,
			tools,
			mediaMd5: decodeApplicationUse(area)?.md5 ?? "",
			isoBytes: imageBlocks * ISO_BLOCK_BYTES,
			diskGuid: identifiers.guids.disk,
		};
	} finally {
		ownChecksum?.close();
		await flushing?.catch(() => {});
	}
}

type CoreImage = Awaited<ReturnType<typeof elToritoCore>>;

/** Makes the core image while `work` goes on, which is given a promise for the moment when a tool has been started, or the core image is there already. */
async function besideCoreImage<Result>(
	tree: ImageTree,
	contract: Contract,
	options: ResolvedOptions,
	work: (toolWorks: Promise<void>) => Promise<Result>,
): Promise<[CoreImage, Result]> {
	const stop = new AbortController();
	const signal = AbortSignal.any([stop.signal, ...(options.signal === undefined ? [] : [options.signal])]);
	let onStart = (): void => {};
	const started = new Promise<void>((resolve) => {
		onStart = resolve;
	});
	const making = elToritoCore(tree, contract.grubModules.path, { ...options, signal, onStart });
	const toolWorks = Promise.race([started, making.then(() => {})]);
	// a failure may come before anybody waits
	toolWorks.catch(() => {});
	try {
		const result = await work(toolWorks);
		return [await making, result];
	} finally {
		stop.abort();
		await making.catch(() => {});
	}
}

/** Everything that decides the ISO's content, for the ids that stand for it. Threads, paths and excess options do not. */
function ingredients(
	image: OciImage,
	{ compressor }: RootFileSystemStage,
	contract: Contract,
	epoch: number,
	{ blockSize, exclude, defaultExcludes, dropXattr }: ResolvedOptions,
): unknown {
	const { codec, level } = compressor;
	const { label, kernel, vendor } = contract;
	return [
		VERSION,
		image.manifestDigest,
		{ label, kernel: kernel.version, vendor, codec, level, blockSize, exclude, defaultExcludes, dropXattr, epoch },
	];
}

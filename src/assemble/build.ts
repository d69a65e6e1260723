import { ISO_BLOCK_BYTES, MiB } from "../binary/units.ts";
import { BuildCache } from "../cache/build-cache.ts";
import type { Contract } from "../contract/contract.ts";
import { buildFat, type FatImage, fatDirectoryOf } from "../fat/build-fat.ts";
import { type BootFile, bootFiles } from "../grub/boot-files.ts";
import { APPLICATION_USE_BYTES, decodeApplicationUse } from "../isomd5/application-use.ts";
import { APPLICATION_USE_OFFSET, computeMediaChecksum } from "../isomd5/media-checksum.ts";
import { type OciImage, openImage } from "../oci/open-image.ts";
import { formatPlatform } from "../oci/platform.ts";
import { openOutput, type PendingOutput } from "../output/output-file.ts";
import type { BuildReport } from "../report/build-report.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import { buildReport } from "./build-report.ts";
import { checkContract, describeCheck, readBuildContract } from "./checked-contract.ts";
import { deriveIdentifiers } from "./identifiers.ts";
import { describeLayout, layOutIso } from "./iso-layout.ts";
import { type BuildOptions, epochSeconds, type ResolvedOptions, resolveOptions } from "./options.ts";
import { BuildProgress } from "./progress.ts";
import { type SquashfsStage, writeSquashfs } from "./squashfs-stage.ts";
import { elToritoCore, mediaChecksum } from "./tools.ts";
import { VERSION } from "./version.ts";
import { writeIso } from "./write-iso.ts";

/** Boot loaders and fonts, which are held in memory while the EFI system partition is made. */
const MAX_ESP_FILE_BYTES = 256 * MiB;
const MBR_BYTES = 512;

/**
 * Converts an OCI image into a bootable ISO. Resolves when the ISO has its final name.
 * Rejects with `Oci2isoError`, whose `exitStatus` says whose fault it was; then nothing is left behind.
 */
export async function buildIso(options: BuildOptions): Promise<BuildReport> {
	const resolved = resolveOptions(options);
	const progress = new BuildProgress(resolved.onEvent);
	const { signal } = resolved;
	signal?.throwIfAborted();
	const { platform, authFile, creds, tlsVerify, certDir, transferPolicy: policy, maxLayerBytes, maxInodes } = resolved;
	const image = await openImage(resolved.image, {
		platform,
		authFile,
		creds,
		tlsVerify,
		certDir,
		policy,
		maxLayerBytes,
		maxInodes,
		// the cache says which will be read
		announceLayers: false,
		signal,
	});
	try {
		const output = openOutput(resolved.output, { overwrite: resolved.overwrite });
		try {
			return await assemble(image, output, resolved, progress);
		} finally {
			output.discard();
		}
	} finally {
		await image.close();
	}
}

async function assemble(
	image: OciImage,
	output: PendingOutput,
	options: ResolvedOptions,
	progress: BuildProgress,
): Promise<BuildReport> {
	const { target } = output;
	const epoch = epochSeconds(options.sourceDateEpoch, process.env["SOURCE_DATE_EPOCH"], image.config.createdSeconds);
	const cache =
		options.cache === undefined
			? undefined
			: BuildCache.open({
					path: options.cache,
					maxBytes: options.cacheSize,
					blockBytes: options.blockSize,
					onNotice: (text) => progress.notice(text),
				});
	const stage = await writeSquashfs({ image, target, epochSeconds: epoch, options, progress, cache });
	try {
		return await finish(image, output, options, progress, epoch, stage);
	} finally {
		// also where the contract is not met: the next attempt starts from what this one has compressed
		stage.finishCache();
	}
}

async function finish(
	image: OciImage,
	output: PendingOutput,
	options: ResolvedOptions,
	progress: BuildProgress,
	epoch: number,
	stage: SquashfsStage,
): Promise<BuildReport> {
	const { target } = output;
	const { signal } = options;
	const { tree } = stage;

	progress.phase("contract");
	const { architecture } = image.platform;
	const checkOptions = { ...options, architecture, codec: options.comp };
	const contract = await readBuildContract(tree, checkOptions);
	for (const { what, remedy } of contract.choices) progress.notice(remedy === undefined ? what : `${what} (${remedy})`);
	const files = bootFiles(contract, epoch);
	const identifiers = deriveIdentifiers(ingredients(image, stage, contract, epoch, options));
	const esp = await buildEsp(tree, files, identifiers.fatVolumeId, epoch);

	progress.phase("tools");
	const core = await elToritoCore(tree, contract.grubModules.path, options);

	progress.phase("image");
	const layout = layOutIso({
		label: contract.label,
		epochSeconds: epoch,
		squashfsBytes: stage.summary.byteLength,
		elToritoBytes: core.image.byteLength,
		esp,
		bootFiles: files,
		guids: identifiers.guids,
		preparer: `OCI2ISO-${VERSION}`,
	});
	for (const { what, where } of layout.volume.notices)
		progress.notice(where === undefined ? what : `${what} (${where})`);
	options.onPlan?.(describeLayout(layout));
	await writeIso(target, layout, {
		tree,
		esp,
		elToritoImage: core.image,
		bootHybrid: await tree.read(contract.grubModules.bootHybrid.inode, MBR_BYTES),
		signal,
		onBytes: (bytes) => progress.bytes(bytes),
	});

	progress.phase("checksum");
	const checksumming = mediaChecksum(tree, target.path, options, async () => {
		const area = await computeMediaChecksum(target, (done, total) => {
			signal?.throwIfAborted();
			progress.bytes(done, total);
		});
		target.write(APPLICATION_USE_OFFSET, area);
	});
	// The checks take this thread while the tool, or the disk, has the other work.
	const [checked, checksummed] = await Promise.allSettled([checkContract(tree, contract, checkOptions), checksumming]);
	if (checked.status === "rejected") throw checked.reason;
	if (checksummed.status === "rejected") throw checksummed.reason;
	const checks = checked.value;
	const checksum = checksummed.value;
	for (const finding of checks.findings) progress.notice(describeCheck(finding));

	for (const { pattern, count } of stage.droppedXattrs)
		progress.notice(`--drop-xattr ${pattern}: ${count} extended attributes were left out`);
	for (const note of [...image.notes, ...stage.notes, ...stage.losses]) progress.notice(note);
	signal?.throwIfAborted();
	stage.finishCache();
	progress.phase("publish");
	const area = await target.read(APPLICATION_USE_OFFSET, APPLICATION_USE_BYTES);
	const mediaMd5 = decodeApplicationUse(area)?.md5 ?? "";
	await output.publish();
	return buildReport({
		image,
		platform: formatPlatform(image.platform),
		contract,
		checks,
		stage,
		blockBytes: options.blockSize,
		tools: [core.report, checksum],
		path: options.output,
		mediaMd5,
		isoBytes: layout.disk.imageBlocks * ISO_BLOCK_BYTES,
		epochSeconds: epoch,
		diskGuid: identifiers.guids.disk,
		progress,
	});
}

/** Everything that decides the ISO's content, for the ids that stand for it. Threads, paths and excess options do not. */
function ingredients(
	image: OciImage,
	{ compressor }: SquashfsStage,
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

async function buildEsp(
	tree: ImageTree,
	files: readonly BootFile[],
	volumeId: number,
	epoch: number,
): Promise<FatImage> {
	const contents = [];
	for (const { esp, content } of files) {
		if (esp === undefined) continue;
		contents.push(
			content.kind === "generated"
				? { path: esp, content: content.bytes }
				: {
						path: esp,
						content: await tree.read(content.file.inode, MAX_ESP_FILE_BYTES),
						mtime: content.file.inode.mtime,
					},
		);
	}
	return buildFat(fatDirectoryOf(contents), { volumeId, timestamp: { seconds: epoch, nanoseconds: 0 } });
}

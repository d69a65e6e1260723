import { BuildCache } from "../cache/build-cache.ts";
import { architectureFault } from "../contract/read-contract.ts";
import { interruptible, Oci2isoError, throwIfAborted } from "../errors.ts";
import { type OciImage, openImage } from "../oci/open-image.ts";
import { formatPlatform } from "../oci/platform.ts";
import { openingOptions } from "../options/image-options.ts";
import { openOutput, type PendingOutput } from "../output/output-file.ts";
import { makeScratchDirectory } from "../output/scratch.ts";
import { type BuildReport, buildReport } from "./report.ts";
import { checkChoices } from "./check-choices.ts";
import { type FinishedIso, finishIso } from "../exporters/iso/finish-iso.ts";
import { type BuildOptions, epochSeconds, type ResolvedOptions, resolveOptions } from "./options.ts";
import { checkRoom, requireDistinctPlaces } from "./places.ts";
import { BuildProgress } from "./progress.ts";
import { SharedCache } from "./shared-cache.ts";
import { requireTools } from "../buildroot/tools.ts";
import { writeRootFileSystem } from "./root-file-system-stage.ts";

/**
 * Converts an OCI image into a bootable ISO. Resolves when the ISO has its final name.
 * Rejects with `Oci2isoError`, whose `exitStatus` says whose fault it was; then nothing is left behind.
 */
export async function buildIso(options: BuildOptions): Promise<BuildReport> {
	const resolved = resolveOptions(options);
	return interruptible(resolved.signal, () => build(resolved));
}

async function build(resolved: ResolvedOptions): Promise<BuildReport> {
	const progress = new BuildProgress(resolved.onEvent);
	requireDistinctPlaces([{ name: "the output", path: resolved.output }], resolved);
	await requireTools(resolved);
	const output = openOutput(resolved.output, { overwrite: resolved.overwrite });
	try {
		return await buildInto(output, resolved, progress);
	} finally {
		output.discard();
	}
}

async function buildInto(
	output: PendingOutput,
	resolved: ResolvedOptions,
	progress: BuildProgress,
): Promise<BuildReport> {
	const shared = new SharedCache(resolved);
	// the cache says which layers will be read
	const image = await openImage(resolved.image, { ...openingOptions(resolved), announceLayers: false });
	try {
		const fault = architectureFault(image.platform.architecture);
		if (fault !== undefined) throw new Oci2isoError({ ...fault, kind: "contract" });
		await checkChoices(image, resolved);
		for (const notice of [...output.notices, ...checkRoom(output, image)]) progress.notice(notice);
		return await withStore(resolved, shared, progress, (cache) =>
			assemble(image, output, resolved, progress, cache, shared),
		);
	} finally {
		await shared.close();
		await image.close();
	}
}

async function assemble(
	image: OciImage,
	output: PendingOutput,
	options: ResolvedOptions,
	progress: BuildProgress,
	cache: BuildCache | undefined,
	shared: SharedCache,
): Promise<BuildReport> {
	const { target } = output;
	const epoch = epochSeconds(options.sourceDateEpoch, process.env["SOURCE_DATE_EPOCH"], image.config.createdSeconds);
	if (shared.isUsed) progress.phase("cache");
	const source = cache === undefined ? undefined : await shared.openSource(image, cache, options.blockSize);
	const stage = await writeRootFileSystem({ image, target, epochSeconds: epoch, options, progress, cache, source });
	let iso: FinishedIso;
	try {
		iso = await finishIso({ image, output, options, progress, epochSeconds: epoch, stage });
	} finally {
		// also where the contract is not met: the next attempt starts from what this one has compressed
		await stage.finishCache();
	}
	throwIfAborted(options.signal);
	if (cache !== undefined && shared.isPushed) {
		progress.phase("share");
		const { codec, level, encoder } = stage.compressor;
		await shared.push(image, cache, { codec, level, encoder, blockBytes: options.blockSize });
	}
	for (const notice of shared.notices) progress.notice(notice);
	progress.phase("publish");
	await output.flush();
	const report = buildReport({
		...iso,
		image,
		platform: formatPlatform(image.platform),
		stage,
		blockBytes: options.blockSize,
		path: options.output,
		epochSeconds: epoch,
		progress,
		shared: shared.report,
	});
	await options.onReport?.(report);
	await output.publish();
	return report;
}

/** Opens the store that the options name; what is shared goes through a passing one where they name none that can be used. */
async function withStore<Result>(
	{ cache: path, cacheSize, blockSize: blockBytes, signal }: ResolvedOptions,
	shared: SharedCache,
	progress: BuildProgress,
	work: (cache: BuildCache | undefined) => Promise<Result>,
): Promise<Result> {
	const onNotice = (text: string): void => progress.notice(text);
	const common = { blockBytes, origins: shared.origins, onNotice, signal };
	const own = path === undefined ? undefined : BuildCache.open({ ...common, path, maxBytes: cacheSize });
	if (own !== undefined || !shared.isUsed) return await work(own);
	const temporary = makeScratchDirectory("cache");
	try {
		const maxBytes = Number.MAX_SAFE_INTEGER;
		return await work(BuildCache.open({ ...common, path: temporary.path, maxBytes }));
	} finally {
		temporary.remove();
	}
}

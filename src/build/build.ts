import { foreignArchitecture } from "../buildroot/elf.ts";
import { requireTools, type ToolChoice, type ToolReport, toolNotices } from "../buildroot/tools.ts";
import { BuildCache } from "../cache/build-cache.ts";
import { architectureFault, requireMet } from "../contract/read-contract.ts";
import { interruptible, Oci2isoError, throwIfAborted } from "../errors.ts";
import type { Exporter, MediumReport } from "../exporters/exporter.ts";
import { exporters } from "../exporters/table.ts";
import { NETWORK_BOOT } from "../inspect/checks/live-system.ts";
import { isExpectedPath } from "../inspect/expected-paths.ts";
import { type LoadersImage, openBuildroot, readLoadersImage } from "../loaders/loaders-image.ts";
import { type OciImage, type OpenImageOptions, openImage } from "../oci/open-image.ts";
import { hostPlatform } from "../oci/platform.ts";
import { type ImageOptions, openingOptions } from "../options/image-options.ts";
import { type NamedImage, openAlso } from "../options/open-beside.ts";
import type { Checksums } from "../output/checksums.ts";
import { makeScratchDirectory } from "../output/scratch.ts";
import { openPayloads, type PayloadImage } from "../payload/payload-images.ts";
import { checkChoices, checkFormat } from "./check-choices.ts";
import { checkIsoYaml } from "./check-iso-yaml.ts";
import { type BootCheck, describeCheck } from "./checked-contract.ts";
import { type ComposedSystem, compose } from "./compose.ts";
import {
	alsoOf,
	type BuildOptions,
	type BuildRequest,
	type PlannedBuildOptions,
	type PlanOptions,
	resolveOptions,
	resolvePlanOptions,
	type Work,
} from "./options.ts";
import { type Outputs, openOutputs } from "./outputs.ts";
import { checkRoom, requireDistinctPlaces, writtenPlaces } from "./places.ts";
import { type BuildPlan, checkPlan, makePlan } from "./plan.ts";
import { BuildProgress } from "./progress.ts";
import { regionsOfSet } from "./pxe-set.ts";
import { type BuildReport, buildReport } from "./report.ts";
import type { SbomReport } from "./sbom-files.ts";
import { SharedCache } from "./shared-cache.ts";

/**
 * Converts an OCI image into a bootable ISO, or runs the plan of such a conversion. Resolves when the ISO has its final name.
 * Rejects with `Oci2isoError`, whose `exitStatus` says whose fault it was; then nothing is left behind.
 */
export async function buildIso(options: BuildOptions | PlannedBuildOptions): Promise<BuildReport> {
	const request = resolveOptions(options);
	return interruptible(request.work.signal, () => build(request));
}

/** Everything that decides the bytes of the ISO that `buildIso` would make with these options; no layer is read. Rejects as `buildIso` does. */
export async function planBuild(options: PlanOptions): Promise<BuildPlan> {
	const shape = resolvePlanOptions(options);
	return interruptible(options.signal, () =>
		withImage({ ...options, reference: shape.image }, (image) =>
			withCompanions(
				{
					buildroot: shape.buildroot === undefined ? undefined : { reference: shape.buildroot },
					payload: (shape.payload ?? []).map((reference) => ({ reference })),
					payloadFormat: shape.payloadFormat,
					also: alsoOf(shape),
				},
				image,
				options,
				async (buildroot, payloads, also) => checkPlan(await makePlan(image, shape, buildroot, payloads, also)),
			),
		),
	);
}

async function build({
	image: asked,
	buildroot: other,
	payload,
	payloadFormat,
	also: others,
	tools: made,
	work,
	planOf,
}: BuildRequest): Promise<BuildReport> {
	const progress = new BuildProgress(work.onEvent);
	const { allowUnconfinedTools, signal } = work;
	const tools = { tools: made, allowUnconfinedTools, signal };
	const payloadNames = payload.map(({ reference }) => reference);
	const alsoNames = others.map(({ reference }) => reference);
	const places = {
		...work,
		image: asked.reference,
		buildroot: other?.reference,
		payload: payloadNames,
		also: alsoNames,
	};
	requireDistinctPlaces(writtenPlaces(work), places);
	requireOneSystem(work, others);
	await requireTools(tools);
	const outputs = await openOutputs(work, asked.reference);
	try {
		const shared = new SharedCache(places);
		return await withImage({ ...work, ...asked, onKept: (bytes) => progress.bytes(bytes) }, (image) =>
			withCompanions(
				{ buildroot: other, payload, payloadFormat, also: others },
				image,
				work,
				async (buildroot, payloads, also) => {
					const plan = await planOf(image, buildroot, payloads, also);
					requireOwnTools(image, made);
					const loaders = buildroot && (await loadersOf(buildroot, plan, signal));
					await outputs.requireFree(image.platform);
					await checkFormat(image, plan, work);
					await checkChoices(image, loaders === undefined ? plan : { ...plan, vendor: undefined }, signal);
					const images = [image, ...also.map((each) => each.image)];
					for (const notice of [...outputs.notices, ...checkRoom(outputs.first, images, payloads, payloadFormat)])
						progress.notice(notice);
					return await withStore(plan, work, shared, progress, async (cache) => {
						// layers that are known are not read for it
						if (!image.layers.every(({ digest }) => cache?.hasLayer(digest) === true))
							await checkIsoYaml(image, { label: plan.label, force: work.force }, signal);
						return buildPlanned({
							plan,
							image,
							also,
							loaders,
							payloads,
							outputs,
							work,
							tools,
							progress,
							cache,
							shared,
						});
					});
				},
			),
		).finally(() => shared.close());
	} finally {
		await outputs.discard();
	}
}

/** Throws `Oci2isoError` INVALID_OPTION (exit 2) for further systems where files for network boot are asked for. */
function requireOneSystem({ outputs }: Work, others: readonly unknown[]): void {
	if (others.length === 0 || outputs.every(({ kind }) => kind !== "pxe")) return;
	throw new Oci2isoError({
		code: "INVALID_OPTION",
		kind: "usage",
		what: "a set for network boot has one system",
		where: "also",
		remedy: "make one set for each image",
	});
}

/** Throws `Oci2isoError` TOOL_FOREIGN_ARCHITECTURE (exit 7) where the image's tools are to run and are for another architecture than this machine's. */
function requireOwnTools({ platform: { architecture } }: OciImage, tools: ToolChoice["tools"]): void {
	if (tools === "buildroot" && architecture !== hostPlatform().architecture)
		throw foreignArchitecture(`what is in an image for ${architecture}`, "--tools buildroot");
}

interface PlannedBuild {
	readonly plan: BuildPlan;
	readonly image: OciImage;
	readonly also: readonly NamedImage[];
	/** Undefined where boot loaders come from the image. */
	readonly loaders: LoadersImage | undefined;
	readonly payloads: readonly PayloadImage[];
	readonly outputs: Outputs;
	readonly work: Work;
	readonly tools: ToolChoice;
	readonly progress: BuildProgress;
	readonly cache: BuildCache | undefined;
	readonly shared: SharedCache;
}

async function buildPlanned(input: PlannedBuild): Promise<BuildReport> {
	const { plan, image, also, loaders, payloads, outputs, work, progress, cache, shared } = input;
	const exporter = outputs.iso === undefined ? undefined : exporters[plan.medium.exporter];
	const rootfsStart = exporter?.rootfsStart ?? 0;
	const { blockSize: blockBytes, fragmentRule } = plan.rootfs;
	if (shared.isUsed) progress.phase("cache");
	const layers = [image, ...also.map((each) => each.image)].flatMap((each) => each.layers);
	const source =
		cache === undefined ? undefined : await shared.openSource({ layers }, cache, { blockBytes, fragmentRule });
	const system = await compose({ ...input, target: outputs.first.target, rootfsStart, source });
	let made: Exported;
	try {
		made = await exported(system, exporter, input);
	} finally {
		// also where it would not boot: the next attempt starts from what this one has compressed
		await system.stage.finishCache();
	}
	throwIfAborted(work.signal);
	if (cache !== undefined && shared.isPushed) {
		progress.phase("share");
		const { comp: codec, level, encoder } = plan.rootfs;
		await shared.push({ layers }, cache, { codec, level, encoder, blockBytes }, fragmentRule);
	}
	for (const notice of shared.notices) progress.notice(notice);
	progress.phase("publish");
	await outputs.flush();
	const { passed, ...checks } = made.checks;
	const report = buildReport({
		...made,
		checks,
		plan,
		image,
		also,
		loaders,
		payloads,
		system,
		outputs: work.outputs,
		sets: outputs.sets,
		pushes: outputs.pushes,
		progress,
		shared: shared.report,
	});
	await work.onReport?.(report, {
		passed,
		regions: made.medium?.regions ?? outputs.sets.slice(0, 1).flatMap(regionsOfSet),
		contentBytes: system.rootfs.data.storedBytes,
		diskUsage: () => system.stage.diskUsage(),
	});
	await outputs.publish();
	return report;
}

interface Exported {
	/** Undefined where no ISO is made. */
	readonly medium: MediumReport | undefined;
	readonly checksums: Checksums | undefined;
	readonly sboms: readonly SbomReport[] | undefined;
	readonly checks: BootCheck;
	readonly tools: readonly ToolReport[];
	readonly losses: readonly string[];
}

/** Writes the outputs; while the medium's checksum goes on and files are flushed, whether it would boot is checked and the cache put away. */
async function exported(
	system: ComposedSystem,
	exporter: Exporter | undefined,
	input: PlannedBuild,
): Promise<Exported> {
	const { image, outputs, work, tools, progress } = input;
	const { stage, rootfs } = system;
	progress.phase("image");
	const writing = await exporter?.write(system, outputs.first.target, {
		tools,
		signal: work.signal,
		onBytes: (done, total) => progress.bytes(done, total),
		onNotice: (text) => progress.notice(text),
		onLayout: work.onLayout,
	});
	let flushing: Promise<void> | undefined;
	try {
		await outputs.writeSets(system, exporter?.rootfsStart ?? 0);
		if (writing !== undefined) progress.phase("checksum");
		flushing = outputs.flush();
		flushing.catch(() => {});
		const checks = await system.check();
		if (outputs.sets.length > 0 && !work.force) requireNetworkBoot(checks);
		for (const notice of noticesOf(system, checks, input)) progress.notice(notice);
		const sboms = await outputs.sboms?.write(system, input);
		await stage.finishCache();
		const medium = await writing?.finish();
		const checksums = await outputs.checksums?.write(outputs.first.target, progress);
		const { sourceDateEpoch: epochSeconds } = input.plan;
		if (medium !== undefined) await outputs.copy({ image, medium, epochSeconds, progress }, checksums);
		// the system tells of a failed write only once
		await flushing;
		const reports = [...(system.coreReport === undefined ? [] : [system.coreReport]), ...(medium?.tools ?? [])];
		for (const notice of reports.flatMap(toolNotices)) progress.notice(notice);
		const losses = [...stage.losses, ...rootfs.losses.map(({ what }) => what)];
		return { medium, checksums, sboms, checks, tools: reports, losses };
	} finally {
		writing?.close();
		await flushing?.catch(() => {});
	}
}

/** Throws `Oci2isoError` NETWORK_BOOT_UNSUPPORTED (exit 3) where the initramfs would not find its root. */
function requireNetworkBoot({ passed }: BootCheck): void {
	if (passed.some(({ code }) => code === NETWORK_BOOT)) return;
	throw new Oci2isoError({
		code: "NETWORK_BOOT_UNSUPPORTED",
		kind: "contract",
		what: "the initramfs fetches no root file system from the network",
		expected: "dracut's livenet module in it",
		remedy: "make it with dracut --add livenet, leave pxe: out, or pass --force to write the files all the same",
	});
}

/** What the user should know of what was made. */
function noticesOf(
	{ stage, rootfs }: ComposedSystem,
	checks: BootCheck,
	{ image, loaders }: Pick<PlannedBuild, "image" | "loaders">,
): string[] {
	const allRoot = `--all-root: ${stage.givenToRoot} inodes of other owners belong to root, set-user-ID programs too`;
	return [
		...checks.findings.map(describeCheck),
		...stage.droppedXattrs.map(
			({ pattern, count }) => `--drop-xattr ${pattern}: ${count} extended attributes were left out`,
		),
		...(stage.givenToRoot === undefined ? [] : [allRoot]),
		...[...image.notes, ...(loaders?.notes ?? []), ...stage.notes, ...stage.losses],
		...rootfs.losses.flatMap(({ what, isCommon }) => (isCommon ? [] : [what])),
	];
}

/** Opens the image that boot loaders come from, where one was asked for, those that the medium carries and those of further systems; rejects as `openBuildroot`, `openPayloads` and `openAlso`. */
async function withCompanions<Result>(
	{
		buildroot: asked,
		payload,
		payloadFormat,
		also: others,
	}: Pick<BuildRequest, "buildroot" | "payload" | "payloadFormat" | "also">,
	image: OciImage,
	options: ImageOptions,
	work: (
		buildroot: OciImage | undefined,
		payloads: readonly PayloadImage[],
		also: readonly NamedImage[],
	) => Promise<Result>,
): Promise<Result> {
	const buildroot = asked && (await openBuildroot(asked.reference, image, { ...options, ...asked }));
	let payloads: readonly PayloadImage[] = [];
	let also: readonly NamedImage[] = [];
	try {
		if (payloadFormat !== undefined) payloads = await openPayloads(payload, image, options, payloadFormat);
		also = await openAlso(others, image, options);
		return await work(buildroot, payloads, also);
	} finally {
		const images = [...also.map((each) => each.image), ...(buildroot === undefined ? [] : [buildroot])];
		for (const opened of [...payloads, ...images]) await opened.close();
	}
}

/** Before anything is compressed: throws `Oci2isoError` CONTRACT_NOT_MET (exit 3) where boot loaders are missing. */
async function loadersOf(
	buildroot: OciImage,
	{ vendor, bootloader, tools }: BuildPlan,
	signal: AbortSignal | undefined,
): Promise<LoadersImage> {
	const withTools = tools === "buildroot";
	const isExpected = withTools ? isExpectedPath : undefined;
	const loaders = await readLoadersImage(buildroot, { vendor, bootloader, withTools, isExpected, signal });
	requireMet(loaders.parts.findings.problems);
	return loaders;
}

/** The cache, or whoever asks, says which layers will be read. */
async function withImage<Result>(
	options: ImageOptions & Pick<OpenImageOptions, "manifestDigest" | "onKept"> & { readonly reference: string },
	work: (image: OciImage) => Promise<Result>,
): Promise<Result> {
	const { reference, manifestDigest, onKept } = options;
	const opening = { ...openingOptions(options), manifestDigest, onKept, announceLayers: false };
	const image = await openImage(reference, opening);
	try {
		const fault = architectureFault(image.platform.architecture);
		if (fault !== undefined) throw new Oci2isoError({ ...fault, kind: "contract" });
		return await work(image);
	} finally {
		await image.close();
	}
}

/** Opens the store that the options name; what is shared goes through a passing one where they name none that can be used. */
async function withStore<Result>(
	{ rootfs: { blockSize: blockBytes, fragmentRule } }: BuildPlan,
	{ cache: path, cacheSize, signal }: Work,
	shared: SharedCache,
	progress: BuildProgress,
	work: (cache: BuildCache | undefined) => Promise<Result>,
): Promise<Result> {
	const onNotice = (text: string): void => progress.notice(text);
	const common = { blockBytes, fragmentRule, origins: shared.origins, onNotice, signal };
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

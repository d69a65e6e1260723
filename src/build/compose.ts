import { bootFiles } from "../boot/boot-files.ts";
import { type AddedFile, placeMenus } from "../boot/grub/place-menus.ts";
import { ISO_PATHS } from "../boot/iso-paths.ts";
import { elToritoCore, type ToolChoice, type ToolReport, usesTool } from "../buildroot/tools.ts";
import type { BuildCache } from "../cache/build-cache.ts";
import type { CacheSource } from "../cache/remote/cache-source.ts";
import type { Contract } from "../contract/contract.ts";
import { assert } from "../errors.ts";
import type { BiosBoot, LiveSystem } from "../exporters/live-system.ts";
import { LinuxReader } from "../inspect/boot-parts.ts";
import type { LoadersImage } from "../loaders/loaders-image.ts";
import type { OciImage } from "../oci/open-image.ts";
import { bootOptionsOf } from "../options/image-options.ts";
import type { FileTarget } from "../output/file-target.ts";
import { payloadLayoutFiles } from "../payload/oci-layout.ts";
import type { PayloadImage } from "../payload/payload-images.ts";
import type { RootSummary } from "../rootfs/root-file-system.ts";
import { DEFAULT_ROOT_FILE_SYSTEM, rootFileSystemNamed } from "../rootfs/root-file-systems.ts";
import { withoutLabels } from "../selinux/choice.ts";
import { type BootCheck, checkContract, readBuildContract } from "./checked-contract.ts";
import type { Work } from "./options.ts";
import type { BuildPlan } from "./plan.ts";
import type { BuildProgress } from "./progress.ts";
import { type RootFileSystemStage, writeRootFileSystem } from "./root-file-system-stage.ts";

interface ComposeInput {
	readonly plan: BuildPlan;
	readonly image: OciImage;
	/** Undefined where boot loaders come from the image. */
	readonly loaders: LoadersImage | undefined;
	/** Images that the medium carries. */
	readonly payloads: readonly PayloadImage[];
	/** The root file system goes to `rootfsStart` of it. */
	readonly target: FileTarget;
	readonly rootfsStart: number;
	readonly work: Work;
	readonly tools: ToolChoice;
	readonly progress: BuildProgress;
	readonly cache: BuildCache | undefined;
	/** Stores of other machines, which fill the cache. */
	readonly source: CacheSource | undefined;
}

/** A live system with what its build has to say and to put away. */
export interface ComposedSystem extends LiveSystem {
	readonly stage: Omit<RootFileSystemStage, "writeTables" | "fetchAside">;
	readonly rootfs: RootSummary;
	readonly addedFiles: readonly AddedFile[];
	/** Undefined where no core image was made. */
	readonly coreReport: ToolReport | undefined;
	/** Whether it would boot; throws as `checkContract`. */
	check(): Promise<BootCheck>;
}

/**
 * Makes the live system that a plan describes: the root file system, written to its place in one pass over the layers, and everything that boots it.
 * Where it fails, the next attempt starts from what this one has compressed.
 */
export async function compose(input: ComposeInput): Promise<ComposedSystem> {
	const { plan, image, payloads, target, rootfsStart: start, work, progress, cache, source } = input;
	const { encoder, format, ...rootfs } = plan.rootfs;
	const { allRoot, selinux, sourceDateEpoch: epochSeconds } = plan;
	const dropXattr = withoutLabels(plan.dropXattr, selinux);
	const exclude = [...plan.defaultExcludes, ...plan.exclude];
	const { jobs, signal } = work;
	const level = rootfs.comp === "none" ? undefined : rootfs.level;
	const options = {
		...rootfs,
		format: rootFileSystemNamed(format),
		level,
		exclude,
		dropXattr,
		selinux,
		allRoot,
		jobs,
		signal,
	};
	const stage = await writeRootFileSystem({
		images: [image],
		store: plan.payload?.format === "storage" ? { payloads, place: plan.payload.place ?? "medium" } : undefined,
		target,
		start,
		epochSeconds,
		options,
		progress,
		cache,
		source,
	});
	assert(stage.compressor.encoder === encoder, `the encoder was ${stage.compressor.encoder}, not ${encoder}`);
	try {
		return await addBoot(stage, input);
	} catch (error) {
		await stage.finishCache();
		throw error;
	}
}

async function addBoot(
	stage: RootFileSystemStage,
	{ plan, image, loaders, payloads, work, tools, progress }: ComposeInput,
): Promise<ComposedSystem> {
	const tree = loaders?.over(stage.tree) ?? stage.tree;
	const { sourceDateEpoch: epochSeconds, rootfs } = plan;
	const { requireSecureBoot, force } = work;
	const { architecture } = image.platform;
	const how = {
		format: rootFileSystemNamed(rootfs.format),
		codec: rootfs.comp,
		bcj: rootfs.bcj,
		linux: new LinuxReader(tree),
	};
	const checks = { ...bootOptionsOf(plan), architecture, ...how, requireSecureBoot, force };

	progress.phase("contract");
	const contract = await readBuildContract(tree, checks, loaders?.parts);
	for (const { what, remedy } of contract.choices) progress.notice(remedy === undefined ? what : `${what} (${remedy})`);
	const standard = bootFiles(contract, epochSeconds);
	const inodes = standard.flatMap(({ content }) =>
		content.kind === "image" ? [content.file.inode.part?.of ?? content.file.inode] : [],
	);
	await stage.fetchAside(inodes.filter((inode) => loaders?.files.has(inode) !== true));
	const { files, added: addedFiles } = await placeMenus(tree, contract, standard);

	if (contract.grubModules !== undefined) progress.phase("tools");
	const [core, [summary, store]] = await besideCoreImage(contract, tools, () => {
		progress.phase("squashfs");
		return stage.writeTables();
	});
	assert(summary !== undefined, "every image has a root file system");
	return {
		contract,
		epochSeconds,
		tree,
		rootfs: store === undefined ? summary : { ...summary, losses: [...summary.losses, ...store.losses] },
		furtherImages:
			store === undefined ? [] : [{ path: ISO_PATHS.store, start: store.start, byteLength: store.byteLength }],
		files,
		otherFiles: plan.payload?.format === "oci" ? payloadLayoutFiles(payloads) : [],
		bios: core && { core: core.image, bootHybrid: core.bootHybrid },
		ingredients: ingredients(plan, contract, stage),
		preparer: `OCI2ISO-${plan.oci2iso}`,
		stage,
		addedFiles,
		coreReport: core?.report,
		check: () => checkContract(tree, contract, checks),
	};
}

type BiosCore = Awaited<ReturnType<typeof elToritoCore>> & Pick<BiosBoot, "bootHybrid">;

/** Makes the core image, where there is a BIOS, and beside a tool that does so the rest. */
async function besideCoreImage<Result>(
	contract: Contract,
	tools: ToolChoice,
	rest: () => Promise<Result>,
): Promise<[BiosCore | undefined, Result]> {
	const { grubModules } = contract;
	if (grubModules === undefined) return [undefined, await rest()];
	const stop = new AbortController();
	const signal = AbortSignal.any([stop.signal, ...(tools.signal === undefined ? [] : [tools.signal])]);
	const making = elToritoCore(contract.loaders, grubModules.path, { ...tools, signal });
	try {
		if (!usesTool(tools)) await making;
		const [core, result] = await Promise.all([making, rest()]);
		return [{ ...core, bootHybrid: grubModules.bootHybrid.inode }, result];
	} finally {
		stop.abort();
		await making.catch(() => {});
	}
}

/** Of a layout nothing but its images. */
function payloadIngredients({ images, format, place }: NonNullable<BuildPlan["payload"]>): unknown {
	const payload = images.map(({ manifestDigest }) => manifestDigest);
	return format === "oci" ? { payload } : { payload, format, place };
}

/** What the image and the plan come to. Where files were found, threads and limits do not count. */
function ingredients(
	{
		oci2iso,
		image,
		buildroot,
		payload,
		rootfs,
		exclude,
		defaultExcludes,
		dropXattr,
		selinux,
		allRoot,
		sourceDateEpoch,
	}: BuildPlan,
	contract: Contract,
	{ labels }: Pick<RootFileSystemStage, "labels">,
): unknown {
	const { comp: codec, level, blockSize, format, encoder: _e, ...asked } = rootfs;
	const { label, kernel, vendor, bootLoader, furtherKernels, deviceTrees } = contract;
	const boot = {
		label,
		kernel: kernel.version,
		vendor,
		...(bootLoader !== "grub2" && { bootLoader }),
		...(furtherKernels.length > 0 && { further: furtherKernels.map(({ version }) => version) }),
		...(deviceTrees.length > 0 && { trees: deviceTrees.map(({ name }) => name) }),
	};
	const left = { exclude, defaultExcludes: defaultExcludes.length > 0, dropXattr, ...(allRoot && { allRoot }) };
	const labelled = labels !== undefined ? { selinux: "policy" } : selinux === "off" ? { selinux } : {};
	return [
		oci2iso,
		image.manifestDigest,
		...(buildroot === undefined ? [] : [buildroot.manifestDigest]),
		...(payload === undefined ? [] : [payloadIngredients(payload)]),
		{
			...boot,
			...(format !== DEFAULT_ROOT_FILE_SYSTEM.name && { format }),
			codec,
			level,
			blockSize,
			...asked,
			...left,
			...labelled,
			epoch: sourceDateEpoch,
		},
	];
}

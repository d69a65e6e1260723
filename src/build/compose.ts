import { createHash } from "node:crypto";
import { elementAt } from "../binary/element-at.ts";
import { alsoFiles } from "../boot/also-files.ts";
import { bootFiles, namedApart } from "../boot/boot-files.ts";
import { type AddedFile, placeMenus } from "../boot/grub/place-menus.ts";
import { alsoPaths, ISO_PATHS } from "../boot/iso-paths.ts";
import { elToritoCore, type ToolChoice, type ToolReport, usesTool } from "../buildroot/tools.ts";
import type { BuildCache } from "../cache/build-cache.ts";
import type { CacheSource } from "../cache/remote/cache-source.ts";
import { type AlsoSystem, readAlso, withAlso } from "../contract/also.ts";
import type { Contract } from "../contract/contract.ts";
import { assert } from "../errors.ts";
import type { BiosBoot, LiveSystem } from "../exporters/live-system.ts";
import { LinuxReader } from "../inspect/boot-parts.ts";
import type { LoadersImage } from "../loaders/loaders-image.ts";
import type { OciImage } from "../oci/open-image.ts";
import { bootOptionsOf } from "../options/image-options.ts";
import type { NamedImage } from "../options/open-beside.ts";
import type { FileTarget } from "../output/file-target.ts";
import { payloadLayoutFiles } from "../payload/oci-layout.ts";
import type { PayloadImage } from "../payload/payload-images.ts";
import type { RootSummary } from "../rootfs/root-file-system.ts";
import { DEFAULT_ROOT_FILE_SYSTEM, rootFileSystemNamed } from "../rootfs/root-file-systems.ts";
import { isPackageDatabase } from "../sbom/read-packages.ts";
import { withoutLabels } from "../selinux/choice.ts";
import { readingFrom } from "../tree/image-tree.ts";
import type { FileInode } from "../tree/inode.ts";
import { type BootCheck, checkContract, readBuildContract } from "./checked-contract.ts";
import type { Work } from "./options.ts";
import type { BuildPlan } from "./plan.ts";
import type { BuildProgress } from "./progress.ts";
import { type ImageStage, type RootFileSystemStage, writeRootFileSystem } from "./root-file-system-stage.ts";

interface ComposeInput {
	readonly plan: BuildPlan;
	readonly image: OciImage;
	/** Of further systems. */
	readonly also: readonly NamedImage[];
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
	readonly stage: Omit<RootFileSystemStage, "writeTables">;
	readonly rootfs: RootSummary;
	/** In the order of the plan. */
	readonly also: readonly ComposedAlso[];
	readonly addedFiles: readonly AddedFile[];
	/** Undefined where no core image was made. */
	readonly coreReport: ToolReport | undefined;
	/** Whether it would boot; throws as `checkContract`. */
	check(): Promise<BootCheck>;
}

/** A system beside the first one. */
interface ComposedAlso extends AlsoSystem {
	readonly stage: ImageStage;
	readonly rootfs: RootSummary;
}

/**
 * Makes the live system that a plan describes: the root file system, written to its place in one pass over the layers, and everything that boots it.
 * Where it fails, the next attempt starts from what this one has compressed.
 */
export async function compose(input: ComposeInput): Promise<ComposedSystem> {
	const { plan, image, also, payloads, target, rootfsStart: start, work, progress, cache, source } = input;
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
		images: [image, ...also.map((each) => each.image)],
		store: plan.payload?.format === "storage" ? { payloads, place: plan.payload.place ?? "medium" } : undefined,
		target,
		start,
		epochSeconds,
		options,
		progress,
		cache,
		source,
		isWantedAside: work.sbom?.length ? isPackageDatabase : undefined,
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
	{ plan, image, also: others, loaders, payloads, work, tools, progress }: ComposeInput,
): Promise<ComposedSystem> {
	const ofFirst = loaders?.over(stage.tree) ?? stage.tree;
	const { sourceDateEpoch: epochSeconds, rootfs } = plan;
	const { requireSecureBoot, force } = work;
	const { architecture } = image.platform;
	const how = {
		format: rootFileSystemNamed(rootfs.format),
		codec: rootfs.comp,
		bcj: rootfs.bcj,
		linux: new LinuxReader(ofFirst),
	};
	const checks = { ...bootOptionsOf(plan), architecture, ...how, requireSecureBoot, force };

	progress.phase("contract");
	const own = await readBuildContract(ofFirst, checks, loaders?.parts);
	for (const { what, remedy } of own.choices) progress.notice(remedy === undefined ? what : `${what} (${remedy})`);
	const also: AlsoParts[] = [];
	for (const [i, { name }] of others.entries())
		also.push(await readAlsoSystem(name, elementAt(stage.further, i), own, architecture));
	const contract = withAlso(own, also);
	const standard = namedApart(bootFiles(contract, epochSeconds), loaders?.files ?? new Set(), "buildroot");
	const inodes = standard.flatMap(({ content }) =>
		content.kind === "image" ? [content.file.inode.part?.of ?? content.file.inode] : [],
	);
	await stage.fetchAside(inodes.filter((inode) => loaders?.files.has(inode) !== true));
	const { files, added: addedFiles } = await placeMenus(ofFirst, contract, standard);
	const ofAlso = await alsoFiles(own, also, (file, system) =>
		sha256Of((system === 0 ? ofFirst : elementAt(also, system - 1).stage.tree).stream(file)),
	);
	const tree = also.reduce((all, other) => readingFrom(all, other.stage.tree, other.files), ofFirst);

	if (contract.grubModules !== undefined) progress.phase("tools");
	const [core, [summary, ...summaries]] = await besideCoreImage(contract, tools, () => {
		progress.phase("squashfs");
		return stage.writeTables();
	});
	assert(summary !== undefined, "every image has a root file system");
	const store = summaries[also.length];
	return {
		contract,
		epochSeconds,
		tree,
		rootfs: store === undefined ? summary : { ...summary, losses: [...summary.losses, ...store.losses] },
		furtherImages: summaries.map(({ start, byteLength }, i) => {
			const system = also[i];
			return { path: system === undefined ? ISO_PATHS.store : alsoPaths(system.name).root, start, byteLength };
		}),
		also: also.map((each, i) => ({ ...each, rootfs: elementAt(summaries, i) })),
		files: [...files, ...ofAlso],
		otherFiles: plan.payload?.format === "oci" ? payloadLayoutFiles(payloads) : [],
		bios: core && { core: core.image, bootHybrid: core.bootHybrid },
		ingredients: ingredients(plan, own, stage),
		preparer: `OCI2ISO-${plan.oci2iso}`,
		stage,
		addedFiles,
		coreReport: core?.report,
		check: () => checkContract(ofFirst, own, checks, also),
	};
}

interface AlsoParts extends AlsoSystem {
	readonly stage: ImageStage;
	readonly linux: LinuxReader;
	/** Kernel and initramfs. */
	readonly files: ReadonlySet<FileInode>;
}

/** Reads what another system's image says; its kernel and initramfs can be read afterwards. Throws as `readAlso`. */
async function readAlsoSystem(
	name: string,
	stage: ImageStage,
	first: Contract,
	architecture: string,
): Promise<AlsoParts> {
	const linux = new LinuxReader(stage.tree);
	const system = await readAlso(name, stage.tree, first, { architecture, liveSupportOf: linux.liveSupportOf });
	const { vmlinuz, initramfs } = system.contract.kernel;
	const files = [vmlinuz.inode, initramfs.inode];
	await stage.fetchAside(files.map((inode) => inode.part?.of ?? inode));
	return { ...system, stage, linux, files: new Set(files) };
}

async function sha256Of(content: AsyncIterable<Uint8Array>): Promise<string> {
	const hash = createHash("sha256");
	for await (const chunk of content) hash.update(chunk);
	return hash.digest("hex");
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
		also,
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
		...(also === undefined ? [] : [{ also: also.map(({ name, manifestDigest }) => ({ name, manifestDigest })) }]),
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

import { displayName } from "../binary/byte-string.ts";
import type { BootFile } from "../boot/boot-files.ts";
import type { AddedFile } from "../boot/grub/place-menus.ts";
import { alsoPaths } from "../boot/iso-paths.ts";
import type { ToolReport } from "../buildroot/tools.ts";
import type { MediumRegion, MediumReport } from "../exporters/exporter.ts";
import type { Finding } from "../findings/finding.ts";
import type { ReadCost } from "../layers/ask-image.ts";
import type { LayerUsage } from "../layers/disk-usage.ts";
import type { LoadersImage } from "../loaders/loaders-image.ts";
import type { OciImage } from "../oci/open-image.ts";
import { formatPlatform } from "../oci/platform.ts";
import type { BlobTransfer } from "../oci/registry/transfer.ts";
import type { NamedImage } from "../options/open-beside.ts";
import type { Checksums } from "../output/checksums.ts";
import type { Destination } from "../output/destination.ts";
import type { PayloadImage } from "../payload/payload-images.ts";
import type { RootFileSystemName } from "../rootfs/root-file-system.ts";
import type { Labels } from "../selinux/label-image.ts";
import type { BootCheckReport } from "./checked-contract.ts";
import type { ComposedSystem } from "./compose.ts";
import type { BuildPlan } from "./plan.ts";
import type { BuildProgress } from "./progress.ts";
import type { PxeSetReport } from "./pxe-set.ts";
import type { RegistryPushReport } from "./registry-push.ts";
import type { ImageStage } from "./root-file-system-stage.ts";
import type { SbomReport } from "./sbom-files.ts";
import type { SharedCacheReport } from "./shared-cache.ts";
import { VERSION } from "./version.ts";

/** What a build did, as plain JSON. Byte counts are exact; nothing here but `phases`, `peakResidentBytes` and what a cache saved differs from run to run. */
export interface BuildReport {
	readonly oci2isoVersion: string;
	/** Makes the same bytes again. */
	readonly plan: BuildPlan;
	readonly image: {
		readonly reference: string;
		readonly manifestDigest: string;
		readonly platform: string;
		readonly created: string | undefined;
	};
	/** Where boot loaders came from, if not from the image. */
	readonly buildroot?: {
		readonly reference: string;
		readonly manifestDigest: string;
		readonly platform: string;
		/** What the ISO, or its EFI image, has of it, by path, and where that is in the buildroot. */
		readonly files: readonly { readonly path: string; readonly from: string }[];
		readonly read: Readonly<ReadCost>;
	};
	/** Images that the medium carries; absent where it carries none. */
	readonly payload?: readonly {
		readonly reference: string;
		readonly manifestDigest: string;
		/** In the layout at `/container`, or in container storage. */
		readonly name: string;
		/** Of its blobs, which other images may have too. */
		readonly byteLength: number;
	}[];
	/** Systems beside the image's; absent where there are none. */
	readonly also?: readonly AlsoReport[];
	/** Bottom layer first. */
	readonly layers: readonly LayerReport[];
	readonly contract: {
		readonly version: string;
		readonly label: string;
		readonly kernelVersion: string;
		/** Of kernels beside that one; absent where there are none. */
		readonly furtherKernelVersions?: readonly string[];
		readonly efiVendor: string;
		readonly menuEntries: readonly string[];
		readonly timeoutSeconds: number;
	};
	/** Everything that the contract leaves open and how it was decided. */
	readonly choices: readonly Finding[];
	/** Files of the ISO that the contract does not have. */
	readonly addedFiles: readonly AddedFile[];
	/** Whether the ISO is expected to boot. */
	readonly checks: BootCheckReport;
	readonly squashfs: SquashfsReport;
	/** Absent without `--cache-from` and `--cache-to`. */
	readonly sharedCache?: SharedCacheReport;
	readonly tools: readonly ToolReport[];
	/** Absent where none was made. */
	readonly iso?: {
		/** The first, where it has several names; empty where only a registry has it. */
		readonly path: string;
		/** Others; absent where there are none. */
		readonly furtherPaths?: readonly string[];
		readonly byteLength: number;
		readonly volumeIdentifier: string;
		readonly sourceDateEpochSeconds: number;
		readonly diskGuid: string;
		/** The media checksum's MD5, as `checkisomd5` verifies it. */
		readonly mediaMd5: string;
		/** Of the whole file, in hexadecimal digits; absent where none were asked for. */
		readonly checksums?: Checksums;
	};
	/** Documents of what is on the medium; absent where none were asked for. */
	readonly sboms?: readonly SbomReport[];
	/** Tags of registries that stand for the ISO; absent where none do. */
	readonly registries?: readonly RegistryPushReport[];
	/** Sets of files for network boot; absent where none were made. */
	readonly pxe?: readonly PxeSetReport[];
	/** What the image holds that the ISO cannot, one line each. */
	readonly losses: readonly string[];
	readonly notices: readonly string[];
	/** Wall time per phase. */
	readonly phases: readonly { readonly phase: string; readonly milliseconds: number }[];
	/** Most memory this process has held. */
	readonly peakResidentBytes: number;
}

/** What a report leaves out: it takes work, or is more than a report needs. */
export interface BuildDetails {
	/** What the checks found to be right. */
	readonly passed: readonly Finding[];
	/** What lies where on the medium, in its order. */
	readonly regions: readonly MediumRegion[];
	/** What contents take in the root file system; the rest of it are its tables. */
	readonly contentBytes: number;
	/** What layers take of that, top layer first, told apart by directories and files. */
	diskUsage(): Promise<readonly LayerUsage[]>;
}

export interface LayerReport {
	readonly digest: string;
	readonly diffId: string;
	readonly mediaType: string;
	readonly compressedBytes: number;
	readonly tarBytes: number;
	readonly entries: number;
	/** Content that went into the root file system, before compression. */
	readonly storedBytes: number;
	/** Content that was passed over because a higher layer or an exclude decides the path. */
	readonly skippedBytes: number;
	/** How often the layer was read: 0 when all of it was known from earlier builds, 2 when a skipped body turned out to be needed. */
	readonly timesRead: number;
	/** What its contents take in the root file system, in blocks that earlier builds had compressed. */
	readonly reusedBytes: number;
	/** In blocks that this build compressed. */
	readonly recompressedBytes: number;
	/** What a registry sent of it. */
	readonly downloadedBytes: number;
	/** Absent where the layer came from this machine. */
	readonly transfer?: Omit<Readonly<BlobTransfer>, "digest">;
}

/** A system beside the first one. */
export interface AlsoReport {
	readonly name: string;
	readonly reference: string;
	readonly manifestDigest: string;
	readonly kernelVersion: string;
	readonly menuEntries: readonly string[];
	/** Those that it has in common with others are the same in each report. */
	readonly layers: readonly LayerReport[];
	/** Path on the ISO. */
	readonly path: string;
	/** Of its file there, with contents that others have too. */
	readonly byteLength: number;
	readonly inodes: number;
	readonly excludedPaths: number;
}

/** Of the root file system, whatever its format. */
export interface SquashfsReport {
	readonly format: RootFileSystemName;
	readonly codec: string;
	readonly level: number;
	readonly blockBytes: number;
	readonly encoder: string;
	readonly byteLength: number;
	readonly inodes: number;
	readonly fragments: number;
	readonly ids: number;
	readonly duplicateFiles: number;
	readonly duplicateBytes: number;
	readonly excludedPaths: number;
	/** Extended attributes left out as asked for, by pattern. */
	readonly droppedXattrs: readonly { readonly pattern: string; readonly count: number }[];
	/** What the image's SELinux policy gave to inodes; absent where it was not asked. */
	readonly selinux?: Labels;
	/** Inodes of other owners that were given to root; absent where that was not asked for. */
	readonly givenToRoot?: number;
}

interface ReportParts extends Pick<BuildReport, "checks" | "tools" | "losses"> {
	readonly plan: BuildPlan;
	readonly image: OciImage;
	readonly also: readonly NamedImage[];
	readonly loaders: LoadersImage | undefined;
	readonly payloads: readonly PayloadImage[];
	readonly system: ComposedSystem;
	/** The ISO; undefined where none was made. */
	readonly medium: MediumReport | undefined;
	readonly checksums: Checksums | undefined;
	readonly sboms: BuildReport["sboms"] | undefined;
	readonly outputs: readonly Destination[];
	readonly sets: readonly PxeSetReport[];
	readonly pushes: readonly RegistryPushReport[];
	readonly progress: BuildProgress;
	readonly shared: BuildReport["sharedCache"];
}

/** Puts the report of a finished build together. */
export function buildReport(parts: ReportParts): BuildReport {
	const { plan, image, loaders, system, medium, progress } = parts;
	const { contract, stage, rootfs } = system;
	const { codec, level, encoder } = stage.compressor;
	const { createdSeconds } = image.config;
	return {
		oci2isoVersion: VERSION,
		plan,
		image: {
			reference: image.reference,
			manifestDigest: image.manifestDigest,
			platform: formatPlatform(image.platform),
			created: createdSeconds === undefined ? undefined : new Date(createdSeconds * 1000).toISOString(),
		},
		...(loaders === undefined ? {} : { buildroot: buildrootReport(loaders, system.files) }),
		...(parts.payloads.length > 0 && { payload: parts.payloads.map(payloadReport) }),
		...(parts.also.length > 0 && { also: alsoReports(parts.also, system) }),
		layers: layerReports(image, stage.layers),
		contract: {
			version: contract.version,
			label: contract.label,
			kernelVersion: displayName(contract.kernel.version),
			...(contract.furtherKernels.length > 0 && {
				furtherKernelVersions: contract.furtherKernels.map(({ version }) => displayName(version)),
			}),
			efiVendor: contract.vendor,
			menuEntries: contract.grub2.entries.map(({ name }) => name),
			timeoutSeconds: contract.grub2.timeoutSeconds,
		},
		choices: contract.choices,
		addedFiles: system.addedFiles,
		checks: parts.checks,
		squashfs: {
			format: plan.rootfs.format,
			codec,
			level,
			encoder,
			blockBytes: plan.rootfs.blockSize,
			byteLength: rootfs.byteLength,
			inodes: rootfs.inodes,
			fragments: rootfs.fragments,
			ids: rootfs.ids,
			duplicateFiles: rootfs.data.duplicateFiles,
			duplicateBytes: rootfs.data.duplicateBytes,
			excludedPaths: stage.excludedPaths,
			droppedXattrs: stage.droppedXattrs,
			...(stage.labels === undefined ? {} : { selinux: stage.labels }),
			...(stage.givenToRoot === undefined ? {} : { givenToRoot: stage.givenToRoot }),
		},
		...(parts.shared === undefined ? {} : { sharedCache: parts.shared }),
		tools: parts.tools,
		...(medium === undefined ? {} : { iso: isoReport(medium, parts) }),
		...(parts.pushes.length > 0 && { registries: parts.pushes }),
		...(parts.sets.length > 0 && { pxe: parts.sets }),
		...(parts.sboms === undefined ? {} : { sboms: parts.sboms }),
		losses: parts.losses,
		notices: progress.notices,
		phases: progress.finish(),
		peakResidentBytes: process.resourceUsage().maxRSS * 1024,
	};
}

function isoReport(
	{ byteLength, volumeIdentifier, diskGuid, mediaMd5 }: MediumReport,
	{ outputs, plan, checksums }: ReportParts,
): NonNullable<BuildReport["iso"]> {
	const [path = "", ...furtherPaths] = outputs.flatMap((to) => (to.kind === "iso" ? [to.path] : []));
	return {
		path,
		...(furtherPaths.length > 0 && { furtherPaths }),
		byteLength,
		volumeIdentifier,
		sourceDateEpochSeconds: plan.sourceDateEpoch,
		diskGuid,
		mediaMd5,
		...(checksums !== undefined && { checksums }),
	};
}

function alsoReports(images: readonly NamedImage[], system: ComposedSystem): AlsoReport[] {
	return system.also.flatMap(({ name, contract, submenu, stage, rootfs }, i) => {
		const image = images[i]?.image;
		if (image === undefined) return [];
		return {
			name,
			reference: image.reference,
			manifestDigest: image.manifestDigest,
			kernelVersion: displayName(contract.kernel.version),
			menuEntries: submenu.entries.map((entry) => entry.name),
			layers: layerReports(image, stage.layers),
			path: `/${alsoPaths(name).root}`,
			byteLength: rootfs.byteLength,
			inodes: rootfs.inodes,
			excludedPaths: stage.excludedPaths,
		};
	});
}

function payloadReport({ reference, manifestDigest, name, manifest }: PayloadImage) {
	const blobs = new Map([manifest.config, ...manifest.layers].map(({ digest, size }) => [digest, size]));
	const byteLength = [...blobs.values()].reduce((sum, size) => sum + size, manifest.bytes.byteLength);
	return { reference, manifestDigest, name, byteLength };
}

function buildrootReport(loaders: LoadersImage, files: readonly BootFile[]): NonNullable<BuildReport["buildroot"]> {
	const { reference, manifestDigest, platform, cost: read } = loaders;
	const taken = files.flatMap(({ iso, esp, content }) =>
		content.kind === "image" && loaders.files.has(content.file.inode)
			? [{ path: `/${displayName(iso ?? esp ?? "")}`, from: displayName(content.file.path) }]
			: [],
	);
	return { reference, manifestDigest, platform, files: taken, read };
}

function layerReports(image: OciImage, layers: ImageStage["layers"]): LayerReport[] {
	return image.layers.flatMap(({ digest, diffId, mediaType, compressedBytes }, index) => {
		const counts = layers[index];
		const found = image.transfers.find((transfer) => transfer.digest === digest);
		const came: Pick<LayerReport, "transfer"> = found === undefined ? {} : { transfer: transferOf(found) };
		const downloadedBytes = found?.fetchedBytes ?? 0;
		const common = { digest, diffId, mediaType, compressedBytes, downloadedBytes };
		return counts === undefined ? [] : [{ ...common, ...counts, ...came }];
	});
}

function transferOf({ digest: _, ...transfer }: OciImage["transfers"][number]): NonNullable<LayerReport["transfer"]> {
	return transfer;
}

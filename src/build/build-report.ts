import { displayName } from "../binary/byte-string.ts";
import type { OciImage } from "../oci/open-image.ts";
import type { BuildReport, LayerReport } from "../report/build-report.ts";
import type { FinishedIso } from "../exporters/iso/finish-iso.ts";
import type { BuildProgress } from "./progress.ts";
import type { SquashfsStage } from "./squashfs-stage.ts";
import { VERSION } from "./version.ts";

export interface ReportParts extends FinishedIso {
	readonly image: OciImage;
	readonly platform: string;
	readonly stage: SquashfsStage;
	readonly blockBytes: number;
	readonly path: string;
	readonly epochSeconds: number;
	readonly progress: BuildProgress;
	readonly shared: BuildReport["sharedCache"];
}

/** Puts the report of a finished build together. */
export function buildReport(parts: ReportParts): BuildReport {
	const { image, contract, stage, progress, summary } = parts;
	const { compressor } = stage;
	const { createdSeconds } = image.config;
	return {
		oci2isoVersion: VERSION,
		image: {
			reference: image.reference,
			manifestDigest: image.manifestDigest,
			platform: parts.platform,
			created: createdSeconds === undefined ? undefined : new Date(createdSeconds * 1000).toISOString(),
		},
		layers: layerReports(image, stage),
		contract: {
			version: contract.version,
			label: contract.label,
			kernelVersion: displayName(contract.kernel.version),
			efiVendor: contract.vendor,
			menuEntries: contract.grub2.entries.map(({ name }) => name),
			timeoutSeconds: contract.grub2.timeoutSeconds,
		},
		choices: contract.choices,
		addedFiles: parts.addedFiles,
		checks: parts.checks,
		squashfs: {
			codec: compressor.codec,
			level: compressor.level,
			blockBytes: parts.blockBytes,
			encoder: compressor.encoder,
			byteLength: summary.byteLength,
			inodes: summary.inodes,
			fragments: summary.fragments,
			ids: summary.ids,
			duplicateFiles: summary.data.duplicateFiles,
			duplicateBytes: summary.data.duplicateBytes,
			excludedPaths: stage.excludedPaths,
			droppedXattrs: stage.droppedXattrs,
		},
		...(parts.shared === undefined ? {} : { sharedCache: parts.shared }),
		tools: parts.tools,
		iso: {
			path: parts.path,
			byteLength: parts.isoBytes,
			volumeIdentifier: contract.label,
			sourceDateEpochSeconds: parts.epochSeconds,
			diskGuid: parts.diskGuid,
			mediaMd5: parts.mediaMd5,
		},
		losses: parts.losses,
		notices: progress.notices,
		phases: progress.finish(),
		peakResidentBytes: process.resourceUsage().maxRSS * 1024,
	};
}

function layerReports(image: OciImage, stage: SquashfsStage): LayerReport[] {
	return image.layers.flatMap(({ digest, diffId, mediaType, compressedBytes }, index) => {
		const counts = stage.layers[index];
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

import type { CacheSinkReport } from "../cache/remote/cache-sink.ts";
import type { CacheSourceReport } from "../cache/remote/cache-source.ts";
import type { BootPaths, Finding } from "../findings/finding.ts";
import type { BlobTransfer } from "../oci/registry/transfer.ts";

/** What a build did, as plain JSON. Byte counts are exact; nothing here but `phases`, `peakResidentBytes` and what a cache saved differs from run to run. */
export interface BuildReport {
	readonly oci2isoVersion: string;
	readonly image: {
		readonly reference: string;
		readonly manifestDigest: string;
		readonly platform: string;
		readonly created: string | undefined;
	};
	/** Bottom layer first. */
	readonly layers: readonly LayerReport[];
	readonly contract: {
		readonly version: string;
		readonly label: string;
		readonly kernelVersion: string;
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
	readonly iso: {
		readonly path: string;
		readonly byteLength: number;
		readonly volumeIdentifier: string;
		readonly sourceDateEpochSeconds: number;
		readonly diskGuid: string;
		/** The media checksum's MD5, as `checkisomd5` verifies it. */
		readonly mediaMd5: string;
	};
	/** What the image holds that the ISO cannot, one line each. */
	readonly losses: readonly string[];
	readonly notices: readonly string[];
	/** Wall time per phase. */
	readonly phases: readonly { readonly phase: string; readonly milliseconds: number }[];
	/** Most memory this process has held. */
	readonly peakResidentBytes: number;
}

export interface AddedFile {
	/** Path in the ISO's tree; absent where it is not there. */
	readonly iso: string | undefined;
	/** Path in the EFI image; absent where it is not there. */
	readonly efiImage: string | undefined;
	readonly why: string;
}

export interface BootCheckReport {
	readonly bootPaths: BootPaths;
	/** It would not boot as it was asked to, and was built because that was asked for too (`force`). */
	readonly isForced: boolean;
	/** Warnings and blockers. */
	readonly findings: readonly Finding[];
}

export interface LayerReport {
	readonly digest: string;
	readonly diffId: string;
	readonly mediaType: string;
	readonly compressedBytes: number;
	readonly tarBytes: number;
	readonly entries: number;
	/** Content that went into the squashfs, before compression. */
	readonly storedBytes: number;
	/** Content that was passed over because a higher layer or an exclude decides the path. */
	readonly skippedBytes: number;
	/** How often the layer was read: 0 when all of it was known from earlier builds, 2 when a skipped body turned out to be needed. */
	readonly timesRead: number;
	/** What its contents take in the squashfs, in blocks that earlier builds had compressed. */
	readonly reusedBytes: number;
	/** In blocks that this build compressed. */
	readonly recompressedBytes: number;
	/** What a registry sent of it. */
	readonly downloadedBytes: number;
	/** Absent where the layer came from this machine. */
	readonly transfer?: Omit<Readonly<BlobTransfer>, "digest">;
}

/** What was shared with other machines. */
export interface SharedCacheReport {
	readonly from: readonly CacheSourceReport[];
	readonly to?: CacheSinkReport;
}

export interface SquashfsReport {
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
}

export interface ToolReport {
	readonly task: "el-torito-core" | "media-checksum";
	readonly used: "buildroot" | "host" | "builtin";
	/** Path of the executable, in the image or on the host. */
	readonly path?: string | undefined;
	readonly confinement?: string | undefined;
	/** Why it was not confined better. */
	readonly reason?: string | undefined;
	/** Whether a tool's core image has the bytes that oci2iso itself would have made. */
	readonly sameAsBuiltin?: boolean | undefined;
}

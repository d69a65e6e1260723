import type { Machine } from "../machine.ts";
import type { Case } from "./cases.ts";

/** What the weighing of the presets found. */
export interface PresetsResults {
	readonly command: string;
	readonly machine: Machine;
	readonly images: readonly ImagePresets[];
	readonly skipped: readonly string[];
}

export interface ImagePresets {
	readonly name: string;
	readonly layerBytes: number;
	readonly points: readonly CasePoint[];
	readonly peers: readonly PeerPoint[];
	readonly reads: readonly ReadRow[];
	readonly boots: readonly BootRow[];
}

/** A whole build by oci2iso. */
export interface CasePoint extends Case {
	readonly squashfsBytes: number;
	readonly cpuSeconds: number;
	readonly peakResidentBytes: number;
	/** A sample of the blocks, one after the other in a bare loop; undefined where that could not be compiled. */
	readonly sample: { readonly compressBytesPerSecond: number; readonly decodeBytesPerSecond: number } | undefined;
}

export interface PeerPoint {
	readonly name: string;
	/** Of the squashfs, or of what it makes instead. */
	readonly imageBytes: number;
	readonly cpuSeconds: number;
}

/** Reading from the mounted squashfs with nothing cached. */
export interface ReadRow extends Case {
	readonly workload: string;
	/** What the kernel asked the device for. */
	readonly deviceBytes: number;
	readonly wallSeconds: number;
}

/** Booting the ISO under software emulation until its marker. */
export interface BootRow extends Case {
	/** Of the medium; undefined: as fast as this machine reads. */
	readonly bytesPerSecond: number | undefined;
	readonly wallSeconds: readonly number[];
	/** What the machine read from the medium. */
	readonly readBytes: number;
}

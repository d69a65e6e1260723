import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { oci2iso } from "../contenders.ts";
import type { Inputs } from "../inputs.ts";
import { runTrial } from "../run-rounds.ts";
import { ZSTD_3_ARGUMENTS } from "../settings.ts";
import { growImage } from "./grown-image.ts";

/** Copies of the image beside the image. */
const COPIES = 2;
const WAYS = [
	{ name: "zstd 3, 128 KiB", args: ZSTD_3_ARGUMENTS },
	{ name: "the default, 1 MiB", args: [] },
] as const;

/** What building one image took at most. */
export interface MemoryPeaks {
	/** Of all layers, as tar. */
	readonly tarBytes: number;
	readonly inodes: number;
	/** One for each trial, in bytes. */
	readonly peaks: readonly number[];
}

export interface MemoryRow {
	readonly name: string;
	readonly image: MemoryPeaks;
	/** The image three times over. */
	readonly grown: MemoryPeaks;
}

export interface MemoryResults {
	readonly image: string;
	readonly rows: readonly MemoryRow[];
}

/** Builds an image and one of three times its size; throws an `Error` where a build fails. */
export async function measureMemory(inputs: Inputs, trials: number, work: string): Promise<MemoryResults> {
	mkdirSync(work, { recursive: true });
	const grownLayout = join(work, "grown");
	process.stderr.write(`bench: ${inputs.name}: ${COPIES} copies of it\n`);
	await growImage(inputs.layoutDir, grownLayout, COPIES);
	const rows = WAYS.map(({ name, args }) => {
		const peaksOf = (layoutDir: string): MemoryPeaks => {
			const results = Array.from({ length: trials }, () => {
				const result = runTrial(oci2iso(name, args), { ...inputs, layoutDir }, work);
				if (typeof result === "string") throw new Error(`${name}: ${result}`);
				return result;
			});
			const [first] = results;
			return {
				tarBytes: first?.tarBytes ?? 0,
				inodes: first?.squashfs?.inodes ?? 0,
				peaks: results.map((result) => result.peakResidentBytes),
			};
		};
		process.stderr.write(`bench: ${inputs.name}: memory, ${name}\n`);
		return { name, image: peaksOf(inputs.layoutDir), grown: peaksOf(grownLayout) };
	});
	return { image: inputs.name, rows };
}

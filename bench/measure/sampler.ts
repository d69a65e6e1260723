import { diskUsage } from "./disk-usage.ts";
import { descendants, residentMemory, textOf } from "./proc.ts";

/** No look costs more than this share of one processor. */
const MAX_SHARE = 0.02;
const MIN_INTERVAL_MS = 20;

export interface Peaks {
	/** Most resident memory of all descendants together, or of any one of them at its own peak where that is more. */
	readonly residentBytes: number;
	/** Most disk space below the watched directories. */
	readonly diskBytes: number;
}

/** Looks at this process's descendants and at directories until `stop`, as often as it can without slowing them down. */
export function samplePeaks(directories: readonly string[]): { stop(): Peaks } {
	let residentBytes = 0;
	let diskBytes = 0;
	const memory = repeat(() => {
		let sum = 0;
		for (const pid of descendants(process.pid)) {
			const { nowBytes, peakBytes } = residentMemory(textOf(`/proc/${pid}/status`));
			sum += nowBytes;
			residentBytes = Math.max(residentBytes, peakBytes);
		}
		residentBytes = Math.max(residentBytes, sum);
	});
	const lookAtDisk = () => {
		const used = directories.reduce((sum, directory) => sum + diskUsage(directory), 0);
		diskBytes = Math.max(diskBytes, used);
	};
	const disk = repeat(lookAtDisk);
	return {
		stop() {
			memory.stop();
			disk.stop();
			lookAtDisk();
			return { residentBytes, diskBytes };
		},
	};
}

function repeat(look: () => void): { stop(): void } {
	let timer: NodeJS.Timeout;
	const turn = () => {
		const start = performance.now();
		look();
		const tookMs = performance.now() - start;
		timer = setTimeout(turn, Math.max(MIN_INTERVAL_MS, tookMs / MAX_SHARE));
	};
	timer = setTimeout(turn, MIN_INTERVAL_MS);
	return { stop: () => clearTimeout(timer) };
}

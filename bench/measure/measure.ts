import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { childTicks, ioCounters, textOf } from "./proc.ts";
import { samplePeaks } from "./sampler.ts";

/** What one trial took, over all its processes. */
export interface Measurement {
	readonly wallSeconds: number;
	/** User and system time of all processes that were started; not of the few lines that start them. */
	readonly cpuSeconds: number;
	readonly peakResidentBytes: number;
	/** Most disk space taken beside the output itself. */
	readonly peakScratchBytes: number;
	readonly readBytes: number;
	readonly writtenBytes: number;
	readonly diskWrittenBytes: number;
	readonly outputBytes: number;
}

export interface Places {
	/** The file that is made. */
	readonly output: string;
	/** Where everything else and the output itself go. */
	readonly directories: readonly string[];
}

/** Runs `work`, which starts processes and waits for them; nothing else may run in this process meanwhile. */
export async function measure(places: Places, work: () => Promise<void>): Promise<Measurement> {
	const ticksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
	const before = counters();
	const sampler = samplePeaks(places.directories);
	const start = performance.now();
	await work();
	const wallSeconds = (performance.now() - start) / 1000;
	const after = counters();
	const peaks = sampler.stop();
	const output = statSync(places.output);
	return {
		wallSeconds,
		cpuSeconds: (after.ticks - before.ticks) / ticksPerSecond,
		peakResidentBytes: peaks.residentBytes,
		peakScratchBytes: Math.max(0, peaks.diskBytes - directoriesAlone(places) - output.blocks * 512),
		readBytes: after.io.readBytes - before.io.readBytes,
		writtenBytes: after.io.writtenBytes - before.io.writtenBytes,
		diskWrittenBytes: after.io.diskWrittenBytes - before.io.diskWrittenBytes,
		outputBytes: output.size,
	};
}

function counters() {
	return { ticks: childTicks(textOf("/proc/self/stat")), io: ioCounters(textOf("/proc/self/io")) };
}

/** The watched directories were there before. */
function directoriesAlone({ directories }: Places): number {
	return directories.reduce((sum, directory) => sum + statSync(directory).blocks * 512, 0);
}

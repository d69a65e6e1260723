import { median } from "../statistics.ts";

/** One line of a micro-benchmark's result. */
export interface MicroRow {
	readonly name: string;
	/** Millions of bytes per second, the median of the repetitions. */
	readonly megabytesPerSecond: number;
	/** The same per second of processor time, of all threads of this process; undefined where other processes do the work. */
	readonly megabytesPerCpuSecond?: number | undefined;
	/** Bytes in by bytes out, for compression. */
	readonly ratio?: number | undefined;
}

const MIN_REPETITIONS = 3;
const MIN_SECONDS = 1;

/** Prints the speed of `work`, which handles `byteLength` bytes: at least three times and for a second, after once for warming up. */
export async function report(
	name: string,
	byteLength: number,
	work: () => Promise<void> | void,
	{ ratio, inChild = false }: { readonly ratio?: () => number; readonly inChild?: boolean } = {},
): Promise<void> {
	await work();
	const seconds: number[] = [];
	let total = 0;
	const cpuBefore = process.cpuUsage();
	while (seconds.length < MIN_REPETITIONS || total < MIN_SECONDS) {
		const start = performance.now();
		await work();
		const took = (performance.now() - start) / 1000;
		seconds.push(took);
		total += took;
	}
	const { user, system } = process.cpuUsage(cpuBefore);
	const row: MicroRow = {
		name,
		megabytesPerSecond: byteLength / 1e6 / median(seconds),
		megabytesPerCpuSecond: inChild ? undefined : (byteLength * seconds.length) / (user + system),
		ratio: ratio?.(),
	};
	process.stdout.write(`${JSON.stringify(row)}\n`);
}

/** The benchmark's inputs, as the command line gives them to each file here. */
export interface MicroInputs {
	/** A layer as it is stored, gzip. */
	readonly gzipLayer: string;
	/** The same layer's tar. */
	readonly tar: string;
	/** An ISO of the whole image. */
	readonly iso: string;
	/** A directory to write into. */
	readonly scratch: string;
}

export function microInputs(): MicroInputs {
	return JSON.parse(process.argv[2] ?? "{}") as MicroInputs;
}

import { median } from "../statistics.ts";

/** One line of a micro-benchmark's result. */
export interface MicroRow {
	readonly name: string;
	/** Millions of bytes per second, the median of the repetitions. */
	readonly megabytesPerSecond: number;
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
	ratio?: () => number,
): Promise<void> {
	await work();
	const seconds: number[] = [];
	let total = 0;
	while (seconds.length < MIN_REPETITIONS || total < MIN_SECONDS) {
		const start = performance.now();
		await work();
		const took = (performance.now() - start) / 1000;
		seconds.push(took);
		total += took;
	}
	const row: MicroRow = { name, megabytesPerSecond: byteLength / 1e6 / median(seconds), ratio: ratio?.() };
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

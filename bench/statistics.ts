/** The middle value; the mean of the two in the middle where their number is even. NaN for none. */
export function median(values: readonly number[]): number {
	const sorted = [...values].sort((a, b) => a - b);
	const middle = Math.floor(sorted.length / 2);
	const upper = sorted[middle] ?? Number.NaN;
	return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

export interface Ratio {
	readonly median: number;
	readonly min: number;
	readonly max: number;
}

/** `a / b` round by round, so that a slow minute of the machine is on both sides; undefined where no round has both. */
export function pairedRatio(a: readonly (number | undefined)[], b: readonly (number | undefined)[]): Ratio | undefined {
	const ratios: number[] = [];
	for (const [round, numerator] of a.entries()) {
		const denominator = b[round];
		if (numerator !== undefined && denominator !== undefined && denominator > 0) ratios.push(numerator / denominator);
	}
	if (ratios.length === 0) return undefined;
	return { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) };
}

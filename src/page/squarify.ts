export interface Rectangle {
	readonly x: number;
	readonly y: number;
	readonly width: number;
	readonly height: number;
}

/**
 * Divides a rectangle among areas, largest first, so that the parts are as square as may be (Bruls, Huizing, van Wijk: Squarified Treemaps, 2000). `sizes` are
 * positive and in descending order; `total` is what the whole rectangle stands for, at least their sum: what is left of it stays free.
 */
export function squarify(sizes: readonly number[], total: number, within: Rectangle): Rectangle[] {
	const scale = (within.width * within.height) / total;
	const placed: Rectangle[] = [];
	let free = within;
	for (let first = 0; first < sizes.length; ) {
		const side = Math.min(free.width, free.height);
		let sum = 0;
		let end = first;
		for (let worst = Number.POSITIVE_INFINITY; end < sizes.length; end++) {
			const next = sum + (sizes[end] ?? 0) * scale;
			const ratio = worstRatio((sizes[first] ?? 0) * scale, (sizes[end] ?? 0) * scale, next, side);
			if (ratio > worst) break;
			worst = ratio;
			sum = next;
		}
		const isColumn = free.width >= free.height;
		const depth = side === 0 ? 0 : sum / side;
		let at = 0;
		for (; first < end; first++) {
			const length = depth === 0 ? 0 : ((sizes[first] ?? 0) * scale) / depth;
			placed.push(
				isColumn
					? { x: free.x, y: free.y + at, width: depth, height: length }
					: { x: free.x + at, y: free.y, width: length, height: depth },
			);
			at += length;
		}
		free = isColumn
			? { ...free, x: free.x + depth, width: Math.max(0, free.width - depth) }
			: { ...free, y: free.y + depth, height: Math.max(0, free.height - depth) };
	}
	return placed;
}

/** Of the parts of a row: the longer side by the shorter. */
function worstRatio(largest: number, smallest: number, sum: number, side: number): number {
	const square = side * side;
	return Math.max((square * largest) / (sum * sum), (sum * sum) / (square * smallest));
}

import type { Extent } from "../../content/extent-layout.ts";
import { corrupt } from "../../errors.ts";

const MAX_ROWS = 2 ** 22;
const FIRST_ROWS = 256;
/** Begin in the file, position, stored bytes, form. */
const COLUMNS = 4;
const HOLE = -1;
const PARTIAL = 256;

/** The extents of one file, found by place: 32 bytes for each. */
export class ExtentTable {
	#cells = new Float64Array(FIRST_ROWS * COLUMNS);
	#rows = 0;
	byteLength = 0;

	add({ byteLength, position, storedBytes, form, isPartial }: Extent): void {
		if (this.#rows === MAX_ROWS)
			throw corrupt("CORRUPT_METADATA", "the packed inode has too many extents", undefined, `at most ${MAX_ROWS}`);
		const at = this.#rows++ * COLUMNS;
		if (at === this.#cells.length) {
			const grown = new Float64Array(2 * at);
			grown.set(this.#cells);
			this.#cells = grown;
		}
		this.#cells.set([this.byteLength, position ?? HOLE, storedBytes, form + (isPartial ? PARTIAL : 0)], at);
		this.byteLength += byteLength;
	}

	/** The row that has the byte at `position`, which is less than `byteLength`. */
	rowAt(position: number): number {
		let [low, high] = [0, this.#rows];
		while (high - low > 1) {
			const middle = (low + high) >>> 1;
			if (this.#cell(middle, 0) <= position) low = middle;
			else high = middle;
		}
		return low;
	}

	/** Where it begins, and the extent. */
	extent(row: number): [number, Extent] {
		const begin = this.#cell(row, 0);
		const end = row + 1 < this.#rows ? this.#cell(row + 1, 0) : this.byteLength;
		const [position, storedBytes, form] = [this.#cell(row, 1), this.#cell(row, 2), this.#cell(row, 3)];
		const extent = {
			byteLength: end - begin,
			position: position === HOLE ? undefined : position,
			storedBytes,
			form: form % PARTIAL,
			isPartial: form >= PARTIAL,
		};
		return [begin, extent];
	}

	#cell(row: number, column: number): number {
		return this.#cells[row * COLUMNS + column] ?? 0;
	}
}

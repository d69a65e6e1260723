import { type ByteString, displayName, displayPath } from "../binary/byte-string.ts";
import type { StorageLoss } from "./root-file-system.ts";

/** Something that could not be stored as the image has it: how often, and where for example. */
export interface Loss {
	readonly count: number;
	/** Absolute; the first few in the order of storing. */
	readonly examplePaths: readonly ByteString[];
}

export interface XattrLoss extends Loss {
	/** With its prefix. */
	readonly name: ByteString;
}

const MAX_EXAMPLES = 10;

/** Counts losses without keeping every path. */
export class LossCounter {
	#count = 0;
	readonly #examplePaths: ByteString[] = [];

	add(path: () => ByteString): void {
		this.#count++;
		if (this.#examplePaths.length < MAX_EXAMPLES) this.#examplePaths.push(path());
	}

	get loss(): Loss {
		return { count: this.#count, examplePaths: this.#examplePaths };
	}
}

/** Counts extended attributes that have no place, by name. */
export class XattrLossCounter {
	readonly #counters = new Map<ByteString, LossCounter>();

	add(name: ByteString, path: () => ByteString): void {
		const counter = this.#counters.get(name) ?? new LossCounter();
		this.#counters.set(name, counter);
		counter.add(path);
	}

	get losses(): XattrLoss[] {
		return [...this.#counters].map(([name, { loss }]) => ({ name, ...loss }));
	}
}

export function examples({ examplePaths }: Loss): string {
	return examplePaths.map(displayPath).join(", ");
}

/** `format` is the file system's name. */
export function describeXattrLosses(format: string, losses: readonly XattrLoss[]): StorageLoss[] {
	return losses.map((loss) => ({
		what: `${format} has no place for the extended attribute ${displayName(loss.name)} of ${loss.count} inodes: ${examples(loss)}`,
		isCommon: false,
	}));
}

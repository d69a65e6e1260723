import { type ByteString, displayName, displayPath } from "../../binary/byte-string.ts";
import type { StorageLoss } from "../root-file-system.ts";

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

export function describeLosses(losses: {
	readonly unstorableXattrs: readonly XattrLoss[];
	readonly clampedTimes: Loss;
	readonly truncatedTimes: Loss;
}): StorageLoss[] {
	const { clampedTimes, truncatedTimes } = losses;
	const examples = ({ examplePaths }: Loss): string => examplePaths.map(displayPath).join(", ");
	const described = losses.unstorableXattrs.map((loss) => ({
		what: `squashfs has no place for the extended attribute ${displayName(loss.name)} of ${loss.count} inodes: ${examples(loss)}`,
		isCommon: false,
	}));
	if (clampedTimes.count > 0)
		described.push({
			what: `squashfs keeps times from 1970 to 2106 only, those of ${clampedTimes.count} inodes were moved: ${examples(clampedTimes)}`,
			isCommon: false,
		});
	if (truncatedTimes.count > 0)
		described.push({
			what: `squashfs keeps whole seconds, fractions were cut off the times of ${truncatedTimes.count} inodes: ${examples(truncatedTimes)}`,
			isCommon: true,
		});
	return described;
}

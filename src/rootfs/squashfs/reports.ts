import { describeXattrLosses, examples, type Loss, type XattrLoss } from "../losses.ts";
import type { StorageLoss } from "../root-file-system.ts";

export function describeLosses(losses: {
	readonly unstorableXattrs: readonly XattrLoss[];
	readonly clampedTimes: Loss;
	readonly truncatedTimes: Loss;
}): StorageLoss[] {
	const { clampedTimes, truncatedTimes } = losses;
	const described = describeXattrLosses("squashfs", losses.unstorableXattrs);
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

import { displayName, displayPath } from "../binary/byte-string.ts";
import type { SquashfsSummary } from "../rootfs/squashfs/squashfs-writer.ts";

type Losses = Pick<SquashfsSummary, "unstorableXattrs" | "clampedTimes" | "truncatedTimes">;

/** What the squashfs could not keep, one sentence each. */
export function describeLosses({ unstorableXattrs, clampedTimes, truncatedTimes }: Losses): string[] {
	const examples = (paths: readonly string[]): string => paths.map(displayPath).join(", ");
	const losses = unstorableXattrs.map(
		({ name, count, examplePaths }) =>
			`squashfs has no place for the extended attribute ${displayName(name)} of ${count} inodes: ${examples(examplePaths)}`,
	);
	if (clampedTimes.count > 0)
		losses.push(
			`squashfs keeps times from 1970 to 2106 only, those of ${clampedTimes.count} inodes were moved: ${examples(clampedTimes.examplePaths)}`,
		);
	if (truncatedTimes.count > 0)
		losses.push(
			`squashfs keeps whole seconds, fractions were cut off the times of ${truncatedTimes.count} inodes: ${examples(truncatedTimes.examplePaths)}`,
		);
	return losses;
}

import { checksumByTool, type ToolChoice, type ToolReport } from "../../buildroot/tools.ts";
import { interruption, throwIfAborted } from "../../errors.ts";
import { encodeApplicationUse } from "../../formats/isomd5/application-use.ts";
import { checksumOfDigests, hashedRange } from "../../formats/isomd5/hashed-range.ts";
import {
	APPLICATION_USE_OFFSET,
	CHECKSUM_HEAD_BYTES,
	type ChecksumProgress,
	computeMediaChecksum,
} from "../../formats/isomd5/media-checksum.ts";
import { digestFileInBackground } from "../../native/background-digest.ts";
import type { FileTarget } from "../../output/file-target.ts";
import type { ImageTree } from "../../tree/image-tree.ts";

const PROGRESS_MILLISECONDS = 100;
const OWN: ToolReport = { task: "media-checksum", used: "builtin" };

/** The media checksum of an ISO whose end is still being written. */
interface MediaChecksumJob {
	/** What lies below this offset in bytes is as it will be. */
	allow(bytes: number): void;
	/** Once the ISO is whole: writes the checksum into it, and says who made it. Throws `Oci2isoError` (exit 6) where it cannot be read back. */
	finish(onProgress: ChecksumProgress, signal?: AbortSignal): Promise<ToolReport>;
	/** Ends what runs in the background. */
	close(): void;
}

/**
 * Begins with the front of the ISO, volume descriptors included, in its place and an application-use area of spaces. Without the addon all of the work
 * is done by `finish`, on this thread.
 */
export async function beginMediaChecksum(target: FileTarget, imageBlocks: number): Promise<MediaChecksumJob> {
	const { totalBytes, sumOffsets } = hashedRange(imageBlocks);
	const head = await target.read(0, CHECKSUM_HEAD_BYTES);
	const digest = digestFileInBackground(target.descriptor, head, [...sumOffsets, totalBytes]);
	if (digest === undefined)
		return {
			allow: () => {},
			async finish(onProgress, signal) {
				const area = await computeMediaChecksum(target, (done, total) => {
					throwIfAborted(signal);
					onProgress(done, total);
				});
				target.write(APPLICATION_USE_OFFSET, area);
				return OWN;
			},
			close: () => {},
		};
	return {
		allow: (bytes) => digest.allow(Math.min(bytes, totalBytes)),
		async finish(onProgress, signal) {
			let timer: NodeJS.Timeout | undefined;
			const digests = await new Promise<readonly string[]>((resolve, reject) => {
				timer = setInterval(() => {
					if (signal?.aborted === true) reject(interruption(signal));
					else onProgress(digest.doneBytes, totalBytes);
				}, PROGRESS_MILLISECONDS);
				digest.finish().then(resolve, (cause) => reject(target.failure(cause)));
			}).finally(() => clearInterval(timer));
			onProgress(totalBytes, totalBytes);
			target.write(APPLICATION_USE_OFFSET, encodeApplicationUse(checksumOfDigests(digests)));
			return OWN;
		},
		close: () => digest.close(),
	};
}

/** The same by the image's or the host's `implantisomd5`. */
export function checksumOfTool(tree: ImageTree, target: FileTarget, tools: ToolChoice): MediaChecksumJob {
	return { allow: () => {}, finish: () => checksumByTool(tree, target.path, tools), close: () => {} };
}

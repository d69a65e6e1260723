import type { ByteSource } from "../binary/byte-source.ts";
import { interruption, Oci2isoError } from "../errors.ts";
import { CHECKSUM_HEAD_BYTES, readBlanked, storedChecksum } from "../formats/isomd5/media-checksum.ts";
import { digestFileInBackground } from "../native/background-digest.ts";

/** The MD5s of a medium, which are made while other things are checked. */
export interface MediaDigest {
	/** Those that `verifyMediaChecksum` asks for; undefined where the file cannot be read. Rejects with INTERRUPTED. */
	readonly digests: () => Promise<readonly string[] | undefined>;
	/** Ends the thread. */
	close(): void;
}

/** Of `source`, the file behind `descriptor`. Undefined where there is nothing to hash or no addon: the check does it, or says what is wrong. */
export async function beginMediaDigest(
	source: ByteSource,
	descriptor: number,
	signal: AbortSignal | undefined,
): Promise<MediaDigest | undefined> {
	const found = await storedChecksum(source).catch((error) => {
		if (error instanceof Oci2isoError) return undefined;
		throw error;
	});
	if (found === undefined || found.range.totalBytes > source.byteLength) return undefined;
	const { totalBytes, sumOffsets } = found.range;
	const head = await readBlanked(source, 0, CHECKSUM_HEAD_BYTES);
	const digest = digestFileInBackground(descriptor, head, [...sumOffsets, totalBytes]);
	digest?.allow(totalBytes);
	return (
		digest && {
			digests: () =>
				new Promise((resolve, reject) => {
					signal?.addEventListener("abort", () => reject(interruption(signal)), { once: true });
					digest.finish().then(resolve, () => resolve(undefined));
				}),
			close: () => digest.close(),
		}
	);
}

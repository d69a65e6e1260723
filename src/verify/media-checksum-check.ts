import type { ByteSource } from "../binary/byte-source.ts";
import { throwIfAborted } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import {
	APPLICATION_USE_BYTES,
	decodeApplicationUse,
	encodeApplicationUse,
} from "../formats/isomd5/application-use.ts";
import { APPLICATION_USE_OFFSET, verifyMediaChecksum } from "../formats/isomd5/media-checksum.ts";
import type { MediaDigest } from "./media-digest.ts";

/** The checksum that `checkisomd5` verifies, its fragment sums, and the text around them. */
export async function checkMediaChecksum(
	source: ByteSource,
	findings: Findings,
	signal?: AbortSignal,
	digest?: MediaDigest,
): Promise<void> {
	const where = "application-use area of block 16";
	const verdict = await verifyMediaChecksum(source, () => throwIfAborted(signal), digest?.digests);
	const area = await source.read(APPLICATION_USE_OFFSET, APPLICATION_USE_BYTES);
	const stored = decodeApplicationUse(area);
	if (verdict === "none" || stored === undefined) {
		findings.fault("there is no media checksum", where, "one, as implantisomd5 writes it");
		return;
	}
	if (verdict === "fail") findings.fault("media checksum or fragment sums are wrong", where, "those of the image");
	findings.equal("sectors that are not hashed", stored.skipSectors, 15, where);
	findings.equal("fragments", stored.fragmentCount, 20, where);
	const text = Buffer.from(encodeApplicationUse(stored));
	// The distributor's mark is not kept by the decoder's counterpart alone; anything else is fixed text.
	if (Buffer.compare(text, area) !== 0) findings.fault("the text of the area is altered", where, "implantisomd5's");
	findings.detail = stored.md5;
}

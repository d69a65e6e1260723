import { DIGEST_BYTES } from "../binary/digest-numbers.ts";
import { codecBackend } from "../codec/backend.ts";
import { loadNativeAddon } from "./addon.ts";

/** SHA-256 by the addon, which takes two contents at once in two thirds of the time; undefined where it has nothing better than node. */
export function nativeContentHasher() {
	if (codecBackend() === "portable") return undefined;
	const { addon } = loadNativeAddon();
	if (addon?.fastSha256 !== true) return undefined;
	return {
		one(content: Uint8Array): Uint8Array {
			const digest = Buffer.allocUnsafe(DIGEST_BYTES);
			addon.sha256(content, digest, 0);
			return digest;
		},
		two(first: Uint8Array, second: Uint8Array): readonly [Uint8Array, Uint8Array] {
			const digests = Buffer.allocUnsafe(2 * DIGEST_BYTES);
			addon.sha256Pair(first, second, digests, 0);
			return [digests.subarray(0, DIGEST_BYTES), digests.subarray(DIGEST_BYTES)];
		},
	};
}

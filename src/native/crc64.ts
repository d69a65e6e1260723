import { codecBackend } from "../codec/backend.ts";
import { loadNativeAddon, type NativeAddon } from "./addon.ts";

/** CRC-64 by the addon; undefined where there is none. */
export function nativeCrc64(): NativeAddon["crc64"] | undefined {
	if (codecBackend() === "portable") return undefined;
	return loadNativeAddon().addon?.crc64;
}

import { loadNativeAddon, type NativeAddon } from "../../src/native/addon.ts";

const { addon: loaded, reason } = loadNativeAddon();
if (loaded === undefined) {
	if (process.env["OCI2ISO_REQUIRE_ALL"] === "1") throw new Error(`the native addon is needed, but ${reason}`);
	process.stderr.write(`SKIPPED: needs the native addon, but ${reason}\n`);
}

/** For `describe.skipIf`. */
export const addonMissing = loaded === undefined;

export function nativeAddon(): NativeAddon {
	if (loaded === undefined) throw new Error("the native addon is not built");
	return loaded;
}

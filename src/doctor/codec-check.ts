import { BUILD_COMMAND } from "../codec/backend.ts";
import { createCompressor } from "../codec/compressor.ts";
import { encodersHere, engineVersions } from "../codec/encoders.ts";
import { Oci2isoError } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import { loadNativeAddon } from "../native/addon.ts";

const BLOCK_BYTES = 131_072;
/** What a build takes where nothing else is asked for. */
const DEFAULT_CODEC = "zstd";

/** The addon, and for each codec an encoder that passes its test. */
export async function checkCodecs(findings: Findings): Promise<void> {
	findings.ok("NODE", engineVersions());
	const { addon, reason } = loadNativeAddon();
	if (addon === undefined)
		findings.warn(
			"ADDON",
			`the native addon is not loaded: ${reason}; what is done without it takes several times as long`,
			{
				remedy: BUILD_COMMAND,
			},
		);
	else
		findings.ok("ADDON", "the native addon is loaded", addon.fastSha256 ? "with the processor's SHA-256" : undefined);
	for (const { codec } of await encodersHere()) {
		try {
			const compressor = await createCompressor({ codec, blockBytes: BLOCK_BYTES, threads: 1 });
			await compressor.close();
			findings.ok("CODEC", `${codec}: ${compressor.encoder}`);
		} catch (error) {
			if (!(error instanceof Oci2isoError)) throw error;
			if (codec === DEFAULT_CODEC) findings.block("CODEC", error.what, ["bios", "uefi"], { remedy: error.remedy });
			else findings.warn("CODEC", error.what, { remedy: error.remedy });
		}
	}
}

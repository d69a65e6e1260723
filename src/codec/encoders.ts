import { loadNativeAddon } from "../native/addon.ts";
import { checkedLevel } from "./codec-table.ts";
import { CODEC_NAMES, type CodecName } from "./types.ts";

/** What makes blocks of a codec here: `zstd 1.5.7 (native addon)`; a codec that nothing makes says why. */
export interface EncoderOfCodec {
	readonly codec: CodecName;
	readonly encoder?: string;
	readonly reason?: string;
}

const SOME_BLOCK_BYTES = 131_072;

/** What `createCompressor` would take for each codec, without trying it. */
export async function encodersHere(): Promise<readonly EncoderOfCodec[]> {
	const { addon } = loadNativeAddon();
	const codecs = CODEC_NAMES.filter((codec) => codec !== "none");
	const missing = codecs.some((codec) => addon?.codecs[codec] === undefined);
	const portable = missing ? await import("./portable-encoders.ts") : undefined;
	return codecs.map((codec) => {
		const native = addon?.codecs[codec]?.encoder;
		if (native !== undefined) return { codec, encoder: `${native} (native addon)` };
		const level = checkedLevel(codec, undefined);
		const found = portable?.portableEncoder(codec, level, SOME_BLOCK_BYTES) ?? "there is none";
		return typeof found === "string" ? { codec, reason: found } : { codec, encoder: `${found.name} (portable)` };
	});
}

/** What inflates layers beside the addon, and says how old the engine is. */
export function engineVersions(): string {
	const { node, zlib, openssl } = process.versions;
	return `Node.js ${node}, zlib ${zlib}, OpenSSL ${openssl}`;
}

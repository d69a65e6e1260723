import { ZstdInflater } from "../codec/zstd-inflater.ts";
import { corrupt, Oci2isoError } from "../errors.ts";

/**
 * Inflates zstd frames one after another and passes over skippable ones (RFC 8878 3).
 * Throws `Oci2isoError` LAYER_TRUNCATED or LAYER_COMPRESSION_BROKEN (exit 5).
 */
export async function* unzstd(
	input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
	where: string,
): AsyncGenerator<Uint8Array, void, undefined> {
	const inflater = new ZstdInflater();
	for await (const chunk of input) yield* located(inflater.inflate(chunk), where);
	try {
		inflater.finish();
	} catch (error) {
		throw asLayerError(error, where);
	}
}

function* located(
	pieces: Iterable<Uint8Array, void, undefined>,
	where: string,
): Generator<Uint8Array, void, undefined> {
	try {
		yield* pieces;
	} catch (error) {
		throw asLayerError(error, where);
	}
}

/** The decoder knows neither the layer nor the codes of this room. */
export function asLayerError(error: unknown, where: string): unknown {
	if (!(error instanceof Oci2isoError)) return error;
	const code = error.code === "TRUNCATED_ZSTD" ? "LAYER_TRUNCATED" : "LAYER_COMPRESSION_BROKEN";
	return corrupt(code, error.what, where, error.expected);
}

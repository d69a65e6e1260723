import { createGunzip, type Gunzip } from "node:zlib";
import { MiB } from "../binary/units.ts";
import { corrupt, Oci2isoError } from "../errors.ts";

/**
 * Inflates gzip members one after another (RFC 1952 2.2); zeros after the last are padding, anything else is an error.
 * Throws `Oci2isoError` LAYER_TRUNCATED or LAYER_COMPRESSION_BROKEN (exit 5).
 */
export async function* gunzip(
	input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
	where: string,
): AsyncGenerator<Uint8Array, void, undefined> {
	const inflater = createGunzip({ chunkSize: MiB });
	const abandoned = new AbortController();
	let inputError: unknown;
	const feeding = feed(input, inflater, abandoned.signal, where).catch((error: unknown) => {
		inputError = error;
		inflater.destroy();
	});
	try {
		for await (const bytes of inflater) yield bytes;
		await feeding;
		if (inputError !== undefined) throw inputError;
	} catch (error) {
		throw inputError ?? asOurs(error, where);
	} finally {
		abandoned.abort();
		inflater.destroy();
		await feeding;
	}
}

/** Returns early, without an error, when inflating has failed or nobody wants the output any more. */
async function feed(
	input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
	inflater: Gunzip,
	abandoned: AbortSignal,
	where: string,
): Promise<void> {
	let settle: () => void = () => {};
	inflater.once("close", () => settle());
	let fed = 0;
	let padding = false;
	for await (const chunk of input) {
		let rest = chunk;
		if (!padding) {
			fed += chunk.byteLength;
			// a write whose inflating fails never calls back, so `close` must settle it too
			await new Promise<void>((resolve) => {
				settle = resolve;
				if (inflater.destroyed) resolve();
				else inflater.write(chunk, () => resolve());
			});
			if (abandoned.aborted || inflater.errored !== null) return;
			// node:zlib ends its output at a zero byte after a member
			rest = chunk.subarray(chunk.byteLength - (fed - inflater.bytesWritten));
			padding = rest.byteLength > 0;
		}
		if (rest.some((byte) => byte !== 0)) throw brokenGzip("bytes follow the end of the gzip data", where);
	}
	if (!padding) inflater.end();
}

function asOurs(error: unknown, where: string): unknown {
	if (error instanceof Oci2isoError || !(error instanceof Error) || !("code" in error)) return error;
	if (error.code === "Z_BUF_ERROR") return truncatedGzip(where);
	return typeof error.code === "string" && error.code.startsWith("Z_") ? brokenGzip(error.message, where) : error;
}

export function truncatedGzip(where: string): Oci2isoError {
	return corrupt("LAYER_TRUNCATED", "gzip data ends too early", where);
}

export function brokenGzip(reason: string, where: string): Oci2isoError {
	return corrupt("LAYER_COMPRESSION_BROKEN", `gzip data is broken: ${reason}`, where);
}

import { Oci2isoError } from "../../errors.ts";
import type { BlobPart } from "../blob-source.ts";
import type { Descriptor } from "../descriptor.ts";
import { sizeMismatch } from "../verified-blob.ts";
import type { DownloadOptions } from "./blob-download.ts";
import { readBody } from "./body.ts";
import { parseContentRange } from "./content-range.ts";
import { Fault, registryFailure, transportFault } from "./fault.ts";
import type { RegistryClient } from "./registry-client.ts";
import { withRetries } from "./retry.ts";
import { first } from "./status.ts";
import type { HttpResponse } from "./transport.ts";

/** A server that answers a Range request with the whole blob, with another part, or with an error. */
class RangeIgnored extends Error {
	override readonly name = "RangeIgnored";
}

/**
 * The bytes of a part of a blob, not verified; a connection that breaks is continued where it broke. Undefined where no server gives parts.
 * Throws `Oci2isoError` as `downloadBlob` does.
 */
export async function downloadPart(
	descriptor: Pick<Descriptor, "digest" | "size">,
	part: BlobPart,
	options: DownloadOptions,
	signal: AbortSignal | undefined,
): Promise<Buffer | undefined> {
	const state = { bytes: Buffer.alloc(part.byteLength), received: 0 };
	for (const [index, client] of options.clients.entries()) {
		const isLast = index === options.clients.length - 1;
		try {
			await fromClient(client, descriptor, part.offset, state, options, signal);
			return state.bytes;
		} catch (error) {
			if (error instanceof RangeIgnored) {
				if (isLast) return undefined;
			} else if (isLast || !(error instanceof Oci2isoError) || error.kind === "interrupted") throw error;
		}
	}
	return undefined;
}

async function fromClient(
	client: RegistryClient,
	{ digest, size }: Pick<Descriptor, "digest" | "size">,
	offset: number,
	state: { readonly bytes: Buffer; received: number },
	{ policy, transfer }: DownloadOptions,
	signal: AbortSignal | undefined,
): Promise<void> {
	const { bytes } = state;
	const where = `blob ${digest}`;
	const at = `${where} at ${client.host}`;
	transfer.host = client.host;
	let isFirst = true;
	await withRetries(policy, signal, async () => {
		if (!isFirst) transfer.retries++;
		isFirst = false;
		const begin = offset + state.received;
		const range = `bytes=${begin}-${offset + bytes.byteLength - 1}`;
		const { statusCode, headers, body } = await getPart(client, digest, range, where, signal);
		const given = statusCode === 206 ? parseContentRange(first(headers["content-range"])) : undefined;
		if (given?.first !== begin || (given.total ?? size) !== size) {
			body.destroy();
			if (given?.total === undefined || given.total === size) throw new RangeIgnored();
			throw new Fault(sizeMismatch(`${given.total}`, size, at), { retryable: true });
		}
		try {
			for await (const piece of readBody(body, policy.stallMilliseconds, signal)) {
				transfer.fetchedBytes += piece.byteLength;
				const room = bytes.byteLength - state.received;
				bytes.set(piece.subarray(0, room), state.received);
				state.received += Math.min(piece.byteLength, room);
				if (state.received === bytes.byteLength) return;
			}
		} catch (error) {
			throw transportFault(error, client.host, where);
		}
		if (state.received < bytes.byteLength)
			throw new Fault(registryFailure("REGISTRY_TRUNCATED", "ended before the part that was asked for did", at), {
				retryable: true,
			});
	});
}

async function getPart(
	client: RegistryClient,
	digest: string,
	range: string,
	where: string,
	signal: AbortSignal | undefined,
): Promise<HttpResponse> {
	try {
		return await client.get(`blobs/${digest}`, { range }, where, signal);
	} catch (error) {
		if (!(error instanceof Fault)) throw error;
		if (error.failure.code === "IMAGE_NOT_FOUND")
			throw new Fault(registryFailure("BLOB_MISSING", "the registry does not have it", `${where} at ${client.host}`), {
				retryable: false,
			});
		// 416 and whatever else a server makes of a Range header
		if (error.failure.code === "REGISTRY_ERROR" && !error.retryable) throw new RangeIgnored();
		throw error;
	}
}

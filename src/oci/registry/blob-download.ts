import { Oci2isoError, throwIfAborted } from "../../errors.ts";
import { type BlobPart, RANGE_IGNORED } from "../blob-source.ts";
import type { Descriptor } from "../descriptor.ts";
import { sizeMismatch } from "../verified-blob.ts";
import { notComplete, readBody } from "./body.ts";
import { parseContentRange } from "./content-range.ts";
import { Fault, finalFault, registryFailure, retryableFault, transportFault } from "./fault.ts";
import type { RegistryClient } from "./registry-client.ts";
import { pauseAfter, withinTime } from "./retry.ts";
import type { TransferPolicy } from "./retry-policy.ts";
import { first } from "./status.ts";
import type { BlobTransfer } from "./transfer.ts";
import type { HttpResponse } from "./transport.ts";

interface DownloadOptions {
	/** In the order in which they are tried; a blob may be continued from another one. */
	readonly clients: readonly RegistryClient[];
	readonly policy: TransferPolicy;
	readonly transfer: BlobTransfer;
	/** What of the blob is wanted; absent: all of it. */
	readonly part?: BlobPart | undefined;
}

/**
 * A blob's bytes in order, or those of a part of it, not verified. A connection that breaks is continued by a Range request where it broke; servers
 * that answer with everything again, or with another part, are read from the start and what is there already is passed over.
 * Throws `Oci2isoError` BLOB_MISSING, REGISTRY_RANGE_IGNORED where only a part is wanted, or another of kind "registry" (exit 4), and
 * BLOB_SIZE_MISMATCH (exit 5) where the registry keeps giving another size.
 */
export async function* downloadBlob(
	descriptor: Pick<Descriptor, "digest" | "size">,
	options: DownloadOptions,
	signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
	const state: DownloadState = { position: options.part?.start ?? 0, useRange: true, waitedMilliseconds: 0 };
	for (const [index, client] of options.clients.entries()) {
		try {
			yield* fromClient(client, descriptor, options, state, signal);
			return;
		} catch (error) {
			const isLast = index === options.clients.length - 1;
			if (isLast || !(error instanceof Oci2isoError) || error.kind === "interrupted") throw error;
			state.useRange = true;
		}
	}
}

interface DownloadState {
	/** Up to which bytes have been passed on. */
	position: number;
	useRange: boolean;
	waitedMilliseconds: number;
}

async function* fromClient(
	client: RegistryClient,
	descriptor: Pick<Descriptor, "digest" | "size">,
	options: DownloadOptions,
	state: DownloadState,
	signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
	const { policy, transfer } = options;
	transfer.host = client.host;
	const where = `blob ${descriptor.digest}`;
	for (let failures = 0; ; ) {
		const start = state.position;
		try {
			yield* attempt(client, descriptor, options, state, signal);
			return;
		} catch (error) {
			throwIfAborted(signal);
			if (state.waitedMilliseconds > policy.totalMilliseconds)
				throw notComplete(state.waitedMilliseconds, `${where} at ${client.host}`);
			failures = state.position - start >= policy.progressBytes ? 1 : failures + 1;
			await pauseAfter(transportFault(error, client.host, where), failures, policy, signal);
			transfer.retries++;
		}
	}
}

/** One request from the present position on, and its body to the end of the blob. */
async function* attempt(
	client: RegistryClient,
	{ digest, size }: Pick<Descriptor, "digest" | "size">,
	{ policy, transfer, part }: DownloadOptions,
	state: DownloadState,
	signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
	const where = `blob ${digest}`;
	const at = `${where} at ${client.host}`;
	const end = part?.end ?? size;
	const isResumed = state.useRange && state.position > (part?.start ?? 0);
	const asksRange = state.useRange && (state.position > 0 || end < size);
	const headers = asksRange ? { range: `bytes=${state.position}-${end - 1}` } : {};
	const ignored = (): Fault =>
		finalFault(registryFailure(RANGE_IGNORED, `${client.host} does not give parts of blobs`, at));
	if (part !== undefined && !state.useRange) throw ignored();
	const response = await withinTime(
		policy.requestMilliseconds,
		notComplete(policy.requestMilliseconds, at),
		signal,
		(limited) => getBlob(client, digest, headers, where, state, limited),
	);
	const begin = beginOf(response, size, asksRange ? state.position : undefined, at, state);
	if (part !== undefined && response.statusCode === 200 && asksRange) {
		response.body.destroy();
		throw ignored();
	}
	let passOver = state.position - begin;
	const waited = (milliseconds: number): void => {
		state.waitedMilliseconds += milliseconds;
		if (state.waitedMilliseconds > policy.totalMilliseconds) response.body.destroy(new Error("too slow"));
	};
	for await (const bytes of readBody(response.body, policy.stallMilliseconds, signal, waited)) {
		transfer.fetchedBytes += bytes.byteLength;
		if (isResumed && begin > 0) transfer.resumedBytes += bytes.byteLength;
		const repeated = Math.min(passOver, bytes.byteLength);
		transfer.repeatedBytes += repeated;
		passOver -= repeated;
		if (repeated === bytes.byteLength) continue;
		const wanted = bytes.subarray(repeated, part === undefined ? undefined : repeated + end - state.position);
		state.position += wanted.byteLength;
		if (state.position > end) throw finalFault(sizeMismatch(`at least ${state.position}`, size, at));
		yield wanted;
		if (part !== undefined && state.position === end) return;
	}
	if (state.position < end)
		throw retryableFault(registryFailure("REGISTRY_TRUNCATED", `ended after ${state.position} of ${end} bytes`, at));
}

async function getBlob(
	client: RegistryClient,
	digest: string,
	headers: { readonly range?: string },
	where: string,
	state: DownloadState,
	signal: AbortSignal,
): Promise<HttpResponse> {
	try {
		return await client.get(`blobs/${digest}`, headers, where, signal);
	} catch (error) {
		if (!(error instanceof Fault)) throw error;
		if (error.failure.code === "IMAGE_NOT_FOUND")
			throw finalFault(registryFailure("BLOB_MISSING", "the registry does not have it", `${where} at ${client.host}`));
		// 416 and whatever else a server makes of a Range header
		if (state.useRange && headers.range !== undefined && error.failure.code === "REGISTRY_ERROR" && !error.retryable) {
			state.useRange = false;
			throw retryableFault(error.failure);
		}
		throw error;
	}
}

/** The position in the blob of the body's first byte, 0 or `asked` by a Range. Throws a `Fault` where the answer does not fit. */
function beginOf(
	{ statusCode, headers, body }: HttpResponse,
	size: number,
	asked: number | undefined,
	at: string,
	state: DownloadState,
): number {
	const reject = (fault: Fault): never => {
		body.destroy();
		throw fault;
	};
	if (statusCode === 200) {
		const length = first(headers["content-length"]);
		if (length !== undefined && Number(length) !== size) reject(retryableFault(sizeMismatch(length, size, at)));
		return 0;
	}
	const range = parseContentRange(first(headers["content-range"]));
	if (asked !== undefined && range !== undefined && range.first === asked && (range.total ?? size) === size)
		return asked;
	state.useRange = false;
	const failure =
		range?.total !== undefined && range.total !== size
			? sizeMismatch(`${range.total}`, size, at)
			: registryFailure("REGISTRY_PROTOCOL", "answered with another part of it than was asked for", at);
	return reject(retryableFault(failure));
}

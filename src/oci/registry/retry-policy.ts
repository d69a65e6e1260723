import { MiB } from "../../binary/units.ts";

/** Answers after which another attempt makes sense; of connections that fail, `transportFault` says it. */
export const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Times are in milliseconds. Nothing here changes what is read, only how long it takes and whether it succeeds. */
export interface TransferPolicy {
	/** Tries of one request before its failure counts; a blob's count starts again after each `progressBytes`. */
	readonly attempts: number;
	readonly progressBytes: number;
	/** Wait before the first retry; doubles each time up to the maximum, and up to half of it is left out at random. */
	readonly backoffMilliseconds: number;
	readonly maxBackoffMilliseconds: number;
	/** A server that asks for a longer pause than this is not waited for. */
	readonly maxRetryAfterMilliseconds: number;
	/** From the request to the head of the response, with connecting. */
	readonly responseMilliseconds: number;
	/** Without a byte of an expected body. Time in which nobody wants the next byte does not count. */
	readonly stallMilliseconds: number;
	/** All the waiting for one blob's bytes. */
	readonly totalMilliseconds: number;
	/** For the body of one document: a manifest, a token, an answer without content. */
	readonly documentMilliseconds: number;
	/** For what a refusal says; beyond, it says nothing. */
	readonly refusalMilliseconds: number;
	/** All that one document takes, with redirects, tokens and tries; pauses between tries do not count. */
	readonly requestMilliseconds: number;
	/** Blobs in flight at a time. */
	readonly concurrency: number;
	/** Memory for bytes that have arrived and not been read yet, of all blobs together. */
	readonly windowBytes: number;
}

export const DEFAULT_POLICY: TransferPolicy = {
	attempts: 5,
	progressBytes: MiB,
	backoffMilliseconds: 500,
	maxBackoffMilliseconds: 30_000,
	maxRetryAfterMilliseconds: 300_000,
	responseMilliseconds: 60_000,
	stallMilliseconds: 60_000,
	totalMilliseconds: 6 * 3_600_000,
	documentMilliseconds: 60_000,
	refusalMilliseconds: 10_000,
	requestMilliseconds: 300_000,
	concurrency: 3,
	windowBytes: 64 * MiB,
};

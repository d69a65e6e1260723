import { setTimeout as sleep } from "node:timers/promises";
import { type Oci2isoError, throwIfAborted } from "../../errors.ts";
import { notComplete } from "./body.ts";
import { Fault } from "./fault.ts";
import type { TransferPolicy } from "./retry-policy.ts";

/**
 * Runs `attempt` until it gives something or its `Fault` is final; then throws the fault's failure. All attempts together have `requestMilliseconds`;
 * what they wait for has to heed the signal that they are given.
 */
export async function withRetries<T>(
	policy: TransferPolicy,
	where: string,
	signal: AbortSignal | undefined,
	attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
	let leftMilliseconds = policy.requestMilliseconds;
	for (let failures = 0; ; ) {
		throwIfAborted(signal);
		const started = performance.now();
		try {
			return await withinTime(leftMilliseconds, notComplete(policy.requestMilliseconds, where), signal, attempt);
		} catch (error) {
			failures++;
			leftMilliseconds -= performance.now() - started;
			await pauseAfter(error, failures, policy, signal);
		}
	}
}

/** Runs `work` with a signal that fires after the time, with `failure`, or when `signal` does. */
export async function withinTime<T>(
	milliseconds: number,
	failure: Oci2isoError,
	signal: AbortSignal | undefined,
	work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
	const controller = new AbortController();
	const late = setTimeout(() => controller.abort(failure), Math.max(0, milliseconds));
	const forward = (): void => controller.abort(signal?.reason);
	signal?.addEventListener("abort", forward, { once: true });
	try {
		return await work(controller.signal);
	} finally {
		clearTimeout(late);
		signal?.removeEventListener("abort", forward);
	}
}

/** Waits as long as the fault and the number of failures ask for; throws the failure itself when no other attempt makes sense. */
export async function pauseAfter(
	error: unknown,
	failures: number,
	policy: TransferPolicy,
	signal: AbortSignal | undefined,
): Promise<void> {
	throwIfAborted(signal);
	if (!(error instanceof Fault)) throw error;
	const asked = error.retryAfterMilliseconds ?? 0;
	if (!error.retryable || failures >= policy.attempts || asked > policy.maxRetryAfterMilliseconds) throw error.failure;
	const pause = Math.max(asked, backoffMilliseconds(failures, policy, Math.random()));
	try {
		await sleep(pause, undefined, signal === undefined ? {} : { signal });
	} catch (interruption) {
		throwIfAborted(signal);
		throw interruption;
	}
}

/** Wait after the `failures`-th failure, from 1; `random` is in 0 to 1. */
export function backoffMilliseconds(
	failures: number,
	{ backoffMilliseconds: first, maxBackoffMilliseconds: most }: TransferPolicy,
	random: number,
): number {
	return Math.min(most, first * 2 ** (failures - 1)) * (1 - random / 2);
}

/** `Retry-After` (RFC 9110 10.2.3): seconds or a date; undefined where it is neither. `now` is in milliseconds since 1970. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
	if (value === undefined) return undefined;
	if (/^\s*\d{1,9}\s*$/.test(value)) return Number(value) * 1000;
	const date = Date.parse(value);
	return Number.isNaN(date) || !/[a-z]{3}/i.test(value) ? undefined : Math.max(0, date - now);
}

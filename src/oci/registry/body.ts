import type { Readable } from "node:stream";
import { type Oci2isoError, throwIfAborted } from "../../errors.ts";
import { registryFailure, StallError } from "./fault.ts";

/**
 * A response's body in pieces; the socket is read only as fast as they are taken. Throws `StallError` when one is waited for longer than `stallMilliseconds`.
 * Stopping early closes the connection. `waited` is told the milliseconds of each wait.
 */
export async function* readBody(
	body: Readable,
	stallMilliseconds: number,
	signal: AbortSignal | undefined,
	waited: (milliseconds: number) => void = () => {},
): AsyncGenerator<Buffer, void, undefined> {
	let waiting = false;
	const stalled = setTimeout(() => {
		if (waiting) body.destroy(new StallError(`nothing came for ${stallMilliseconds / 1000} s`));
	}, stallMilliseconds);
	const abort = (): void => {
		body.destroy(new Error("interrupted"));
	};
	signal?.addEventListener("abort", abort, { once: true });
	const pieces: AsyncIterator<Buffer, void, undefined> = body[Symbol.asyncIterator]();
	try {
		for (;;) {
			throwIfAborted(signal);
			waiting = true;
			stalled.refresh();
			const started = performance.now();
			let next: IteratorResult<Buffer, void>;
			try {
				next = await pieces.next();
			} finally {
				waiting = false;
				waited(performance.now() - started);
			}
			if (next.done === true) return;
			yield next.value;
		}
	} catch (error) {
		throwIfAborted(signal);
		throw error;
	} finally {
		clearTimeout(stalled);
		signal?.removeEventListener("abort", abort);
		body.destroy();
	}
}

interface SmallBodyLimits {
	readonly maxBytes: number;
	/** Without a byte. */
	readonly stallMilliseconds: number;
	/** For all of it. */
	readonly totalMilliseconds: number;
}

/** A whole body, or undefined where it is longer. `where` is for REGISTRY_STALLED (exit 4), which one that takes too long ends with. */
export async function readSmallBody(
	body: Readable,
	{ maxBytes, stallMilliseconds, totalMilliseconds }: SmallBodyLimits,
	where: string,
	signal: AbortSignal | undefined,
): Promise<Buffer | undefined> {
	const pieces: Buffer[] = [];
	let received = 0;
	const late = setTimeout(() => body.destroy(notComplete(totalMilliseconds, where)), totalMilliseconds);
	try {
		for await (const piece of readBody(body, stallMilliseconds, signal)) {
			received += piece.byteLength;
			if (received > maxBytes) return undefined;
			pieces.push(piece);
		}
	} finally {
		clearTimeout(late);
	}
	return Buffer.concat(pieces);
}

/** What bytes that come too slowly end with, however often more are asked for. */
export function notComplete(milliseconds: number, where: string): Oci2isoError {
	return registryFailure("REGISTRY_STALLED", `not complete after ${Math.round(milliseconds) / 1000} s`, where);
}

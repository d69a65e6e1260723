import { setImmediate } from "node:timers/promises";
import { throwIfAborted } from "../errors.ts";

/** Work of this length may be done before others have their turn: signals, timers, the network. */
const TURN_MILLISECONDS = 25;
/** Steps between two looks at the clock. */
const STEPS = 64;

/**
 * Keeps work on the event loop's thread from going on for long: `if (turns.areDue()) await turns.next()` in every loop whose length comes from outside.
 * It goes by the time that has passed, so that steps may be as short as they like.
 */
export class Turns {
	readonly #signal: AbortSignal | undefined;
	#began = performance.now();
	#steps = 0;

	constructor(signal?: AbortSignal) {
		this.#signal = signal;
	}

	/** After `steps` steps that cost little each, or one that may cost a lot. */
	areDue(steps = 1): boolean {
		this.#steps += steps;
		if (this.#steps < STEPS) return false;
		this.#steps = 0;
		return performance.now() - this.#began >= TURN_MILLISECONDS;
	}

	/** Resolves when others had their turn. Rejects with INTERRUPTED (exit 130) where the signal is aborted then. */
	async next(): Promise<void> {
		await setImmediate();
		throwIfAborted(this.#signal);
		this.#began = performance.now();
	}
}

const PIECE_BYTES = 65_536;

/** Hands a chunk over in pieces, with turns for others between them: what a few bytes make others do may take long. */
export async function inPieces(chunk: Uint8Array, turns: Turns, push: (piece: Uint8Array) => void): Promise<void> {
	for (let at = 0; at < chunk.byteLength; at += PIECE_BYTES) {
		push(chunk.subarray(at, at + PIECE_BYTES));
		if (turns.areDue(STEPS)) await turns.next();
	}
}

/**
 * Work in steps, a generator that yields after each: `inTurns` does it with turns for others between them, `atOnce` without.
 * `Result` is what the generator returns.
 */
export type Steps<Result> = Generator<undefined, Result, undefined>;

/** Rejects with INTERRUPTED (exit 130) and as the steps throw. */
export async function inTurns<Result>(steps: Steps<Result>, signal?: AbortSignal): Promise<Result> {
	const turns = new Turns(signal);
	try {
		for (;;) {
			const { done, value } = steps.next();
			if (done === true) return value;
			if (turns.areDue()) await turns.next();
		}
	} finally {
		// its own cleaning up, where it was stopped
		steps.return(undefined as Result);
	}
}

export function atOnce<Result>(steps: Steps<Result>): Result {
	for (;;) {
		const { done, value } = steps.next();
		if (done === true) return value;
	}
}

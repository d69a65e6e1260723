import { type Profiler, Session } from "node:inspector";

/** Which blocks of code ran, as V8 counts them. To be made before the code is loaded: what was compiled earlier is counted by function only. */
export class Coverage {
	readonly #session = new Session();
	readonly #seen = new Set<string>();
	readonly #measured: RegExp;

	/** `measured` picks scripts by address. */
	constructor(measured: RegExp) {
		this.#measured = measured;
		this.#session.connect();
		this.#session.post("Profiler.enable");
		this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
	}

	/** Blocks seen so far. */
	get blocks(): number {
		return this.#seen.size;
	}

	/** How many blocks ran since the last call that never ran before; they count as seen unless `peek`. */
	newBlocks(peek = false): number {
		let fresh = 0;
		for (const { url, scriptId, functions } of this.#take()) {
			if (!this.#measured.test(url)) continue;
			for (const { ranges } of functions) {
				for (const { startOffset, endOffset, count } of ranges) {
					if (count === 0) continue;
					const block = `${scriptId}:${startOffset}:${endOffset}`;
					if (this.#seen.has(block)) continue;
					fresh++;
					if (!peek) this.#seen.add(block);
				}
			}
		}
		return fresh;
	}

	/** Begins anew: nothing has run yet. */
	reset(): void {
		this.#take();
		this.#seen.clear();
	}

	#take(): readonly Profiler.ScriptCoverage[] {
		let result: readonly Profiler.ScriptCoverage[] = [];
		// In-process sessions answer before `post` returns.
		this.#session.post("Profiler.takePreciseCoverage", (error, answer) => {
			if (error === null) result = answer.result;
		});
		return result;
	}
}

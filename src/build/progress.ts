/** What a build is doing. In this order; `cache` and `share` only with a shared cache, `tools`, `digests` and `push` only when asked for. */
export type Phase =
	| "open"
	| "cache"
	| "layers"
	| "contract"
	| "tools"
	| "squashfs"
	| "image"
	| "checksum"
	| "digests"
	| "push"
	| "publish"
	| "share";

export type BuildEvent =
	| { readonly type: "phase"; readonly phase: Phase }
	/** Bytes of this phase done so far, out of `totalBytes` where that is known. At most ten a second. */
	| {
			readonly type: "progress";
			readonly phase: Phase;
			readonly doneBytes: number;
			readonly totalBytes?: number | undefined;
	  }
	/** Something the user should know that is no error: a fallback, a choice, a loss. */
	| { readonly type: "notice"; readonly text: string };

export type BuildListener = (event: BuildEvent) => void;

const MIN_INTERVAL_MILLISECONDS = 100;

/** Tells a listener what the build is doing, at most ten times a second, and keeps the time of each phase. */
export class BuildProgress {
	readonly #listener: BuildListener;
	readonly #notices: string[] = [];
	readonly #phases: { phase: Phase; milliseconds: number }[] = [];
	#phase: Phase = "open";
	#phaseStarted = performance.now();
	#lastProgress = Number.NEGATIVE_INFINITY;

	constructor(listener: BuildListener) {
		this.#listener = listener;
		listener({ type: "phase", phase: this.#phase });
	}

	get notices(): readonly string[] {
		return this.#notices;
	}

	phase(phase: Phase): void {
		this.finish();
		this.#phase = phase;
		this.#lastProgress = Number.NEGATIVE_INFINITY;
		this.#listener({ type: "phase", phase });
	}

	bytes(doneBytes: number, totalBytes?: number): void {
		const now = performance.now();
		if (now - this.#lastProgress < MIN_INTERVAL_MILLISECONDS && doneBytes !== totalBytes) return;
		this.#lastProgress = now;
		this.#listener({ type: "progress", phase: this.#phase, doneBytes, totalBytes });
	}

	notice(text: string): void {
		this.#notices.push(text);
		this.#listener({ type: "notice", text });
	}

	/** Ends the running phase; returns all of them. */
	finish(): readonly { readonly phase: Phase; readonly milliseconds: number }[] {
		const now = performance.now();
		this.#phases.push({ phase: this.#phase, milliseconds: Math.round(now - this.#phaseStarted) });
		this.#phaseStarted = now;
		return this.#phases;
	}
}

import { constants } from "node:os";
import { Oci2isoError } from "../errors.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
type Signal = (typeof SIGNALS)[number];

/** INTERRUPTED, with the exit status that shells have for the signal: 130, 143 or 129. */
class Interruption extends Oci2isoError {
	readonly #signal: Signal;

	constructor(signal: Signal) {
		super({ code: "INTERRUPTED", kind: "interrupted", what: `stopped by ${signal}; nothing was left behind` });
		this.#signal = signal;
	}

	override get exitStatus(): number {
		return 128 + constants.signals[this.#signal];
	}
}

/** Aborts on SIGINT, SIGTERM or SIGHUP, with an `Oci2isoError` (exit 128 and the signal's number) as the reason. A second signal ends the process at once. */
export function interruptSignal(): { readonly signal: AbortSignal; dispose(): void } {
	const controller = new AbortController();
	const onSignal = (name: NodeJS.Signals) => {
		const reason = new Interruption(name as Signal);
		if (controller.signal.aborted) process.exit(reason.exitStatus);
		controller.abort(reason);
	};
	for (const name of SIGNALS) process.on(name, onSignal);
	return {
		signal: controller.signal,
		dispose() {
			for (const name of SIGNALS) process.off(name, onSignal);
		},
	};
}

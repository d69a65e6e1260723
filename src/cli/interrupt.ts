import { Oci2isoError } from "../errors.ts";

/** Aborts on SIGINT, SIGTERM or SIGHUP, with an `Oci2isoError` (exit 130) as the reason. A second signal ends the process at once. */
export function interruptSignal(): { readonly signal: AbortSignal; dispose(): void } {
	const controller = new AbortController();
	const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
	const onSignal = (name: NodeJS.Signals) => {
		if (controller.signal.aborted) process.exit(130);
		controller.abort(
			new Oci2isoError({
				code: "INTERRUPTED",
				kind: "interrupted",
				what: `stopped by ${name}; nothing was left behind`,
			}),
		);
	};
	for (const name of names) process.on(name, onSignal);
	return {
		signal: controller.signal,
		dispose() {
			for (const name of names) process.off(name, onSignal);
		},
	};
}

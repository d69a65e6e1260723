import type { ByteString } from "../../../binary/byte-string.ts";

/** A script file that GRUB ran. */
export interface GrubConfig {
	readonly device: string;
	/** Absolute, without device. */
	readonly path: ByteString;
	readonly script: ByteString;
}

/** How GRUB ends up. */
export type GrubOutcome =
	/** It shows the entries that `config` gave. */
	| { readonly kind: "menu"; readonly config: GrubConfig }
	/** It comes to no menu, and does something else: `stops at its prompt`. */
	| { readonly kind: "no menu"; readonly does: string; readonly why: string }
	| { readonly kind: "unknown"; readonly why: string };

/** Ends a run from within. */
export class GrubStop extends Error {
	readonly outcome: GrubOutcome;

	constructor(outcome: GrubOutcome) {
		super(outcome.kind);
		this.outcome = outcome;
	}
}

export const STOPS_AT_PROMPT = "stops at its prompt";

/** Of a command: true, false, or not known. */
export type Status = boolean | undefined;
/** A word whose text is not known is undefined. */
export type Words = readonly (ByteString | undefined)[];

export function notKnown(why: string): never {
	throw new GrubStop({ kind: "unknown", why });
}

/** Goes to the end of a loop, of its round, or of a function, from within. */
export class Leave extends Error {
	readonly from: "loop" | "round" | "function";
	/** How many loops, from the innermost on. */
	readonly loops: number;

	constructor(from: Leave["from"], loops = 1) {
		super(from);
		this.from = from;
		this.loops = loops;
	}
}

import { printable } from "./binary/printable.ts";

/**
 * What went wrong, by whose fault; each kind has one exit status (README, "Exit status").
 */
export const EXIT_STATUS = {
	internal: 1,
	usage: 2,
	contract: 3,
	registry: 4,
	corrupt: 5,
	output: 6,
	tool: 7,
	verification: 8,
	interrupted: 130,
} as const;

export type ErrorKind = keyof typeof EXIT_STATUS;

export interface ErrorDetails {
	/** Stable, upper-case, `SNAKE_CASE`; what scripts match on. */
	readonly code: string;
	readonly kind: ErrorKind;
	/** One sentence fragment with the offending value, without a final full stop. */
	readonly what: string;
	/** A path, blob digest, offset or `line:column`. */
	readonly where?: string | undefined;
	readonly expected?: string | undefined;
	/** What the user can do about it. */
	readonly remedy?: string | undefined;
	readonly cause?: unknown;
	/** When several faults were found at once: each of them. */
	readonly problems?: readonly Problem[] | undefined;
}

/** One of several faults reported together. */
export interface Problem {
	readonly code: string;
	readonly what: string;
	readonly where?: string | undefined;
	readonly expected?: string | undefined;
	readonly remedy?: string | undefined;
}

/** Every error that bad input, a bad environment or the user's request can cause. Anything else that is thrown is a bug. */
export class Oci2isoError extends Error {
	override readonly name = "Oci2isoError";
	readonly code: string;
	readonly kind: ErrorKind;
	readonly what: string;
	readonly where: string | undefined;
	readonly expected: string | undefined;
	readonly remedy: string | undefined;
	readonly problems: readonly Problem[];

	constructor(details: ErrorDetails) {
		super(formatProblem(details), details.cause === undefined ? undefined : { cause: details.cause });
		this.code = details.code;
		this.kind = details.kind;
		this.what = details.what;
		this.where = details.where;
		this.expected = details.expected;
		this.remedy = details.remedy;
		this.problems = details.problems ?? [];
	}

	/** Process exit status, 1-130. */
	get exitStatus(): number {
		return EXIT_STATUS[this.kind];
	}
}

/** `CODE: what (where): expected …; do …`, on one line. */
export function formatProblem(problem: Problem): string {
	const where = problem.where === undefined ? "" : ` (${problem.where})`;
	const tail = [
		problem.expected === undefined ? undefined : `expected ${problem.expected}`,
		problem.remedy === undefined ? undefined : problem.remedy,
	].filter((part) => part !== undefined);
	return printable(`${problem.code}: ${problem.what}${where}${tail.length === 0 ? "" : `: ${tail.join("; ")}`}`);
}

/** The input's bytes are not what their format says (exit 5). */
export function corrupt(code: string, what: string, where?: string, expected?: string): Oci2isoError {
	return new Oci2isoError({ code, kind: "corrupt", what, where, expected });
}

/** States an invariant of our own; a failure is a bug of ours. */
export function assert(condition: unknown, message: string): asserts condition {
	if (!condition) throw new Error(`internal invariant broken: ${message}`);
}

export function assertNever(value: never): never {
	throw new Error(`internal invariant broken: unexpected ${JSON.stringify(value)}`);
}

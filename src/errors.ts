import { printable, shortened } from "./binary/printable.ts";

/** Of each part of an error's line: a name from an image can be a thousand times as long. */
const MAX_PART_CHARACTERS = 1024;

/**
 * What went wrong, by whose fault; each kind has one exit status (docs/cli.md).
 */
export const EXIT_STATUS = {
	internal: 1,
	usage: 2,
	contract: 3,
	registry: 4,
	corrupt: 5,
	output: 6,
	/** Something that this machine does not allow or have. */
	environment: 6,
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

	/** Process exit status, 1-143. */
	get exitStatus(): number {
		return EXIT_STATUS[this.kind];
	}
}

/** `CODE: what (where): expected …; do …`, on one line. */
export function formatProblem({ code, what, where, expected, remedy }: Problem): string {
	const short = (text: string): string => shortened(text, MAX_PART_CHARACTERS);
	const tail = [expected && `expected ${short(expected)}`, remedy && short(remedy)].filter(
		(part) => part !== undefined,
	);
	const place = where === undefined ? "" : ` (${short(where)})`;
	return printable(`${code}: ${short(what)}${place}${tail.length === 0 ? "" : `: ${tail.join("; ")}`}`);
}

/** The input's bytes are not what their format says (exit 5). */
export function corrupt(code: string, what: string, where?: string, expected?: string): Oci2isoError {
	return new Oci2isoError({ code, kind: "corrupt", what, where, expected });
}

/** What `work` gives; an `Oci2isoError` that it fails with is said of `role` ("the buildroot"). */
export async function inRole<Result>(role: string, work: () => Promise<Result>): Promise<Result> {
	try {
		return await work();
	} catch (error) {
		if (!(error instanceof Oci2isoError)) throw error;
		const { code, kind, what, where, expected, remedy, problems } = error;
		throw new Oci2isoError({ code, kind, what: `${role}: ${what}`, where, expected, remedy, problems, cause: error });
	}
}

/** The reason that an aborted signal was given where that is an `Oci2isoError`, otherwise INTERRUPTED (exit 130) with it as the cause. */
export function interruption({ reason }: AbortSignal): Oci2isoError {
	if (reason instanceof Oci2isoError) return reason;
	return new Oci2isoError({ code: "INTERRUPTED", kind: "interrupted", what: "it was aborted", cause: reason });
}

/** In place of the signal's own method, which throws whatever a caller aborted it with. Throws INTERRUPTED (exit 130) or the reason that is an `Oci2isoError`. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
	if (signal?.aborted === true) throw interruption(signal);
}

/**
 * What `work` gives, for an entry of the library; where it fails after the signal was aborted, whatever it failed with is a consequence: rejects as
 * `throwIfAborted` throws. Limits of the process or the machine are errors of their own: `asEnvironmentError`.
 */
export async function interruptible<Result>(
	signal: AbortSignal | undefined,
	work: () => Promise<Result>,
): Promise<Result> {
	throwIfAborted(signal);
	try {
		return await work();
	} catch (error) {
		if (!(error instanceof Oci2isoError)) throwIfAborted(signal);
		throw asEnvironmentError(error);
	}
}

/** States an invariant of our own; a failure is a bug of ours. */
export function assert(condition: unknown, message: string): asserts condition {
	if (!condition) throw new Error(`internal invariant broken: ${message}`);
}

export function assertNever(value: never): never {
	throw new Error(`internal invariant broken: unexpected ${JSON.stringify(value)}`);
}

const LIMITS: Readonly<Record<string, readonly [code: string, what: string, remedy: string]>> = {
	EMFILE: ["TOO_MANY_OPEN_FILES", "this process may not open more files", "raise its limit: ulimit -n 1024"],
	ENFILE: ["TOO_MANY_OPEN_FILES", "the system has no room for more open files", "raise fs.file-max"],
	ENOMEM: ["OUT_OF_MEMORY", "there is no memory left", "raise the memory limit, or pass fewer --jobs"],
	EAGAIN: [
		"TOO_MANY_PROCESSES",
		"this user may not start more threads",
		"raise the limit (ulimit -u), or pass fewer --jobs",
	],
};
const LIMIT_MESSAGES: readonly (readonly [number: string, message: RegExp])[] = [
	["EAGAIN", /^Resource temporarily unavailable|^thread constructor failed/],
	["ENOMEM", /^std::bad_alloc|^Cannot allocate memory|^Array buffer allocation failed/],
];

/** An `Oci2isoError` (exit 6) for what the limits of this process or machine caused, whoever met it first; any other error as it is. */
export function asEnvironmentError(error: unknown): unknown {
	if (error instanceof Oci2isoError && error.kind === "environment") return error;
	for (let cause = error, depth = 0; cause instanceof Error && depth < 10; cause = cause.cause, depth++) {
		const { code, message, path } = cause as NodeJS.ErrnoException;
		const number = LIMIT_MESSAGES.find(([, words]) => words.test(message))?.[0] ?? code ?? "";
		const limit = Object.hasOwn(LIMITS, number) ? LIMITS[number] : undefined;
		if (limit !== undefined && !(cause instanceof Oci2isoError))
			return new Oci2isoError({
				code: limit[0],
				kind: "environment",
				what: limit[1],
				where: path,
				remedy: limit[2],
				cause: error,
			});
	}
	return error;
}

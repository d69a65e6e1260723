import type { Oci2isoError } from "../errors.ts";
import { ANY_BYTE, type Pattern } from "./pattern.ts";
import { policyTooLarge } from "./specifications.ts";

/** Steps of all patterns together: a large policy has 300 000. */
const MAX_STEPS = 4_000_000;
/** Parts of patterns that are looked at for them: what is repeated may come to no step at all. */
const MAX_PARTS = 8 * MAX_STEPS;
/** Different sets of bytes: a large policy has fifty. */
const MAX_TABLES = 65_536;

/** What a step does; `a` and `b` are its operands. */
export const STEP = {
	/** Takes a byte of table `a` and goes on. */
	BYTES: 0,
	/** Goes to `a` and to `b`. */
	SPLIT: 1,
	/** Goes to `a`. */
	JUMP: 2,
	/** Goes on at the start of the subject. */
	START: 3,
	/** Goes on at the end of the subject. */
	END: 4,
	/** Pattern `a` matches. */
	MATCH: 5,
} as const;

/** Patterns as steps of one machine, which is in several of them at once (R. Cox, "Regular Expression Matching: the Virtual Machine Approach"). */
export class Program {
	/** Three numbers a step: what it does and its operands. */
	readonly steps: number[] = [];
	/** 256 entries each, 1 for a byte that is in it. */
	readonly tables: Uint8Array[] = [];
	/** Where patterns begin. */
	readonly starts: number[] = [];
	readonly #tableNumbers = new WeakMap<Uint8Array, number>();
	readonly #tableNames = new Map<string, number>();
	#parts = 0;

	/**
	 * Adds what matches where `^PATTERN$` does anywhere in a subject; the anchors are of its first and last alternative, where it has several. Returns false where the match would depend
	 * on what follows a `$`. Throws `Oci2isoError` SELINUX_POLICY_TOO_LARGE.
	 */
	add(pattern: Pattern, number: number): boolean {
		const alternatives = pattern.kind === "choice" ? pattern.of : [pattern];
		this.starts.push(this.#next);
		if (alternatives.length > 1) {
			// unanchored alternatives begin at every byte
			const split = this.#emit(STEP.SPLIT);
			this.#emit(STEP.BYTES, this.#table(ANY_BYTE));
			this.#emit(STEP.JUMP, split);
			this.#set(split, split + 1, this.#next);
		}
		this.#choice(
			alternatives.map((alternative, i) => () => {
				if (i === 0) this.#emit(STEP.START);
				this.#pattern(alternative);
				if (i === alternatives.length - 1) this.#emit(STEP.END);
			}),
		);
		const end = this.#emit(STEP.MATCH, number);
		return this.#endsAreLast(this.starts.at(-1) ?? 0, end);
	}

	#pattern(pattern: Pattern): void {
		if (++this.#parts > MAX_PARTS) throw tooManySteps();
		switch (pattern.kind) {
			case "bytes":
				this.#emit(STEP.BYTES, this.#table(pattern.members));
				return;
			case "start":
				this.#emit(STEP.START);
				return;
			case "end":
				this.#emit(STEP.END);
				return;
			case "sequence":
				for (const part of pattern.parts) this.#pattern(part);
				return;
			case "choice":
				this.#choice(pattern.of.map((each) => () => this.#pattern(each)));
				return;
			case "repeat":
				this.#repeat(pattern);
		}
	}

	#choice(bodies: readonly (() => void)[]): void {
		const jumps: number[] = [];
		for (const [i, body] of bodies.entries()) {
			const isLast = i === bodies.length - 1;
			const split = isLast ? undefined : this.#emit(STEP.SPLIT);
			body();
			if (split === undefined) break;
			jumps.push(this.#emit(STEP.JUMP));
			this.#set(split, split + 1, this.#next);
		}
		for (const jump of jumps) this.#set(jump, this.#next);
	}

	#repeat({ part, least, most }: Extract<Pattern, { kind: "repeat" }>): void {
		for (let i = 0; i < least; i++) this.#pattern(part);
		if (most === undefined) {
			const split = this.#emit(STEP.SPLIT);
			this.#pattern(part);
			this.#emit(STEP.JUMP, split);
			this.#set(split, split + 1, this.#next);
			return;
		}
		const splits: number[] = [];
		for (let i = least; i < most; i++) {
			splits.push(this.#emit(STEP.SPLIT));
			this.#pattern(part);
		}
		for (const split of splits) this.#set(split, split + 1, this.#next);
	}

	/** Whether nothing behind a `$` takes the newline that it may stand before. */
	#endsAreLast(start: number, end: number): boolean {
		const { steps, tables } = this;
		const seen = new Uint8Array(end + 1 - start);
		const pending: number[] = [];
		const visit = (step: number): void => {
			if (seen[step - start] === 1) return;
			seen[step - start] = 1;
			pending.push(step);
		};
		// the last is the one that every pattern ends in
		for (let step = start; step < end - 1; step++) if (steps[3 * step] === STEP.END) visit(step + 1);
		for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
			const kind = steps[3 * at];
			const operand = steps[3 * at + 1] ?? 0;
			if (kind === STEP.BYTES && tables[operand]?.[NEWLINE] === 1) return false;
			if (kind === STEP.SPLIT) visit(steps[3 * at + 2] ?? 0);
			if (kind === STEP.SPLIT || kind === STEP.JUMP) visit(operand);
			else if (kind !== STEP.BYTES && kind !== STEP.MATCH) visit(at + 1);
		}
		return true;
	}

	get #next(): number {
		return this.steps.length / 3;
	}

	#emit(kind: number, a = 0, b = 0): number {
		const step = this.#next;
		if (step >= MAX_STEPS) throw tooManySteps();
		this.steps.push(kind, a, b);
		return step;
	}

	#set(step: number, a: number, b = 0): void {
		this.steps[3 * step + 1] = a;
		this.steps[3 * step + 2] = b;
	}

	#table(members: Uint8Array): number {
		const known = this.#tableNumbers.get(members);
		if (known !== undefined) return known;
		const name = Buffer.from(members).toString("latin1");
		const number = this.#tableNames.get(name) ?? this.tables.push(members) - 1;
		if (number >= MAX_TABLES)
			throw policyTooLarge(`its path specifications have more than ${MAX_TABLES} different sets of bytes`);
		this.#tableNames.set(name, number);
		this.#tableNumbers.set(members, number);
		return number;
	}
}

function tooManySteps(): Oci2isoError {
	return policyTooLarge(`its path specifications come to more than ${MAX_STEPS} steps`);
}

const NEWLINE = 10;

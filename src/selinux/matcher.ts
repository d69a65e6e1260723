import type { ByteString } from "../binary/byte-string.ts";
import { Oci2isoError } from "../errors.ts";
import { type Program, STEP } from "./program.ts";

/** Machine steps, over all subjects: more than ten times what four million files take with a large policy. */
const MAX_WORK = 4_000_000_000;
/** Once the automaton's states hold so many steps, or there are so many states, it is forgotten and grows again: 64 MiB each. */
const MAX_HELD_STEPS = 16 * 1024 * 1024;
const MAX_STATES = 32_768;
const NEWLINE = "\n";

/** What the machine may be in after some bytes. */
interface State {
	/** Steps that take a byte, ask for the end, or match; ascending. */
	readonly steps: Int32Array;
	/** By byte; undefined where nobody asked yet. */
	readonly next: (State | undefined)[];
	/** Patterns that match where the subject ends here, ascending; undefined where nobody asked yet. */
	matches: readonly number[] | undefined;
}

/**
 * Finds all patterns of a program that match a path, in time linear in its length: a deterministic automaton, made of those states that paths lead to
 * (K. Thompson, "Regular Expression Search Algorithm").
 */
export class Matcher {
	readonly #steps: Int32Array;
	readonly #tables: readonly Uint8Array[];
	readonly #starts: readonly number[];
	/** By step, the last closure that it is in. */
	readonly #marks: Int32Array;
	#mark = 0;
	readonly #states = new Map<string, State>();
	#heldSteps = 0;
	#work = 0;
	#first: State | undefined;
	/** Neighbours are asked for one after the other. */
	#directory: { readonly path: ByteString; readonly state: State } | undefined;

	constructor({ steps, tables, starts }: Program) {
		this.#steps = Int32Array.from(steps);
		this.#tables = tables;
		this.#starts = starts;
		this.#marks = new Int32Array(steps.length / 3);
	}

	/** Numbers of the patterns that match, ascending. Throws `Oci2isoError` SELINUX_POLICY_TOO_SLOW where patterns and paths are made for each other to take forever. */
	matches(path: ByteString): readonly number[] {
		const end = path.lastIndexOf("/") + 1;
		if (this.#directory?.path.length !== end || !path.startsWith(this.#directory.path)) {
			const directory = path.slice(0, end);
			this.#directory = { path: directory, state: this.#after(this.#start(), directory, 0) };
		}
		const { state } = this.#directory;
		if (!path.endsWith(NEWLINE)) return this.#matchesAt(this.#after(state, path, end));
		// an end may stand before it
		const before = this.#after(state, path.slice(0, -1), end);
		const found = [...this.#matchesAt(before), ...this.#matchesAt(this.#after(before, NEWLINE, 0))];
		return [...new Set(found)].sort((a, b) => a - b);
	}

	#start(): State {
		this.#first ??= this.#state(this.#closure(this.#starts, true, false));
		return this.#first;
	}

	#after(from: State, text: ByteString, at: number): State {
		let state = from;
		for (let i = at; i < text.length; i++) {
			const byte = text.charCodeAt(i);
			state = state.next[byte] ?? this.#follow(state, byte);
		}
		return state;
	}

	#follow(state: State, byte: number): State {
		const after: number[] = [];
		for (const step of state.steps) {
			const kind = this.#steps[3 * step];
			// what matched without an end matches whatever follows
			if (kind === STEP.MATCH) after.push(step);
			else if (kind === STEP.BYTES && this.#tables[this.#steps[3 * step + 1] ?? 0]?.[byte] === 1) after.push(step + 1);
		}
		this.#spend(state.steps.length);
		const next = this.#state(this.#closure(after, false, false));
		state.next[byte] = next;
		return next;
	}

	#matchesAt(state: State): readonly number[] {
		if (state.matches !== undefined) return state.matches;
		const found = new Set<number>();
		for (const step of this.#closure(state.steps, false, true))
			if (this.#steps[3 * step] === STEP.MATCH) found.add(this.#steps[3 * step + 1] ?? 0);
		state.matches = [...found].sort((a, b) => a - b);
		return state.matches;
	}

	/** The one with these steps. */
	#state(steps: Int32Array): State {
		const name = Buffer.from(steps.buffer, steps.byteOffset, steps.byteLength).toString("latin1");
		const known = this.#states.get(name);
		if (known !== undefined) return known;
		if (this.#states.size >= MAX_STATES || this.#heldSteps >= MAX_HELD_STEPS) {
			for (const { next } of this.#states.values()) next.length = 0;
			this.#states.clear();
			this.#first = undefined;
			this.#heldSteps = 0;
		}
		const state: State = { steps, next: [], matches: undefined };
		this.#heldSteps += steps.length;
		this.#states.set(name, state);
		return state;
	}

	/** Where the machine can be without another byte; ascending. */
	#closure(from: Iterable<number>, isAtStart: boolean, isAtEnd: boolean): Int32Array {
		const mark = ++this.#mark;
		const reached: number[] = [];
		const pending: number[] = [];
		const visit = (step: number): void => {
			if (this.#marks[step] === mark) return;
			this.#marks[step] = mark;
			pending.push(step);
		};
		let visited = 0;
		for (const first of from) {
			visit(first);
			for (let step = pending.pop(); step !== undefined; step = pending.pop()) {
				visited++;
				const kind = this.#steps[3 * step];
				const operand = this.#steps[3 * step + 1] ?? 0;
				if (kind === STEP.JUMP) visit(operand);
				else if (kind === STEP.SPLIT) {
					visit(operand);
					visit(this.#steps[3 * step + 2] ?? 0);
				} else if (kind === STEP.START) {
					if (isAtStart) visit(step + 1);
				} else {
					reached.push(step);
					if (kind === STEP.END && isAtEnd) visit(step + 1);
				}
			}
		}
		this.#spend(visited);
		return Int32Array.from(reached).sort();
	}

	#spend(work: number): void {
		this.#work += work;
		if (this.#work > MAX_WORK)
			throw new Oci2isoError({
				code: "SELINUX_POLICY_TOO_SLOW",
				kind: "corrupt",
				what: "the path specifications of the SELinux policy take too long to match",
				remedy: "build with --selinux image, which takes labels from layers only",
			});
	}
}

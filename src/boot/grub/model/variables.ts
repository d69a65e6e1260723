import { type ByteString, displayName } from "../../../binary/byte-string.ts";
import { KiB } from "../../../binary/units.ts";
import { notKnown, type Status, type Words } from "./outcome.ts";
import type { GrubWord } from "./script.ts";

const MAX_VALUE_CHARACTERS = 4 * KiB;

/** What the `$name` of a script stand for: variables, parameters of the function that runs, the last command's status. */
export class GrubVariables {
	/** A value that is not known is undefined. */
	readonly environment: Map<string, ByteString | undefined>;
	parameters: Words = [];
	lastStatus: Status = true;
	readonly #spend: (work: number) => void;

	/** `spend` is told how much is expanded, and may end the run. */
	constructor(environment: ReadonlyMap<string, ByteString>, spend: (work: number) => void) {
		this.environment = new Map(environment);
		this.#spend = spend;
	}

	/** Ends the run where the value is not known. */
	known(name: ByteString): ByteString {
		return this.value(name) ?? notKnown(`the value of $${displayName(name)} is not known`);
	}

	/** Words after expansion; a variable outside of quotes is split at blanks. */
	expand(words: readonly GrubWord[]): (ByteString | undefined)[] {
		const all: (ByteString | undefined)[] = [];
		for (const { parts, isQuoted } of words) {
			this.#spend(1);
			let word: ByteString | undefined = "";
			let exists = isQuoted;
			for (const part of parts) {
				this.#spend("text" in part ? part.text.length : 1);
				if ("text" in part) {
					exists = true;
					word = word === undefined ? undefined : word + part.text;
					continue;
				}
				const value = this.value(part.variable);
				this.#spend(value?.length ?? 0);
				if (part.isQuoted && part.variable === "@" && value !== undefined) {
					// Each parameter is a word of its own.
					for (const [index, parameter] of this.parameters.entries()) {
						if (index > 0) {
							all.push(word);
							word = "";
						}
						word = word === undefined || parameter === undefined ? undefined : word + parameter;
					}
				} else if (part.isQuoted || value === undefined) {
					exists = true;
					word = word === undefined || value === undefined ? undefined : word + value;
				} else {
					const fields = value.split(/[ \t\n]+/);
					for (const [index, field] of fields.entries()) {
						if (index > 0) {
							if (exists) all.push(word);
							word = "";
							exists = false;
						}
						if (field !== "") exists = true;
						word = word === undefined ? undefined : word + field;
					}
				}
				if (word !== undefined && word.length > MAX_VALUE_CHARACTERS) notKnown("a value becomes too long");
			}
			if (exists) all.push(word);
		}
		return all;
	}

	value(name: ByteString): ByteString | undefined {
		if (name === "?") return this.lastStatus === undefined ? undefined : this.lastStatus ? "0" : "1";
		if (name === "#") return `${this.parameters.length}`;
		if (name === "@" || name === "*")
			return this.parameters.includes(undefined) ? undefined : this.parameters.join(" ");
		if (/^[0-9]{1,5}$/.test(name)) {
			const index = Number(name) - 1;
			return index < 0 || index >= this.parameters.length ? "" : this.parameters[index];
		}
		return this.environment.has(name) ? this.environment.get(name) : "";
	}

	/** Variables that an unmodelled command gets a value into. */
	forget(words: Words): void {
		for (const [index, word] of words.entries()) {
			const named = word?.startsWith("--set=")
				? word.slice(6)
				: word === "--set" || word === "-s"
					? words[index + 1]
					: undefined;
			if (named !== undefined) this.environment.set(named.slice(named.indexOf(":") + 1), undefined);
		}
	}

	assign(assignment: ByteString | undefined): Status {
		if (assignment === undefined) notKnown("a value that it sets is not known");
		const equals = assignment.indexOf("=");
		if (equals < 0) return false;
		this.set(assignment.slice(0, equals), assignment.slice(equals + 1));
		return true;
	}

	set(name: ByteString, value: ByteString): void {
		this.environment.set(
			name,
			name === "root" && value.startsWith("(") && value.endsWith(")") ? value.slice(1, -1) : value,
		);
	}
}

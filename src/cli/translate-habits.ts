import { join } from "node:path";
import type { Command, Option } from "commander";
import { Oci2isoError } from "../errors.ts";
import { formatPlatform, hostPlatform } from "../oci/platform.ts";
import { TRANSPORTS } from "./completion/model.ts";
import { HABITS, type Meaning, type Reading, VALUES } from "./habits.ts";
import { wordsOf } from "./help.ts";
import { outputNameFor } from "./output-name.ts";
import { commandOf } from "./usage-error.ts";

const MEANINGS: ReadonlyMap<string, Meaning> = new Map(
	HABITS.flatMap(({ options, meaning }) => options.map((option) => [option, meaning] as const)),
);

/**
 * A command line (without the program) in which other tools' options are ours, and ours with one dash have two. Options before the command come after it, and
 * `help COMMAND` and `COMMAND help` are `COMMAND --help`. Throws `Oci2isoError` UNKNOWN_OPTION (exit 2) where there is no such thing here, with what to do instead; what nobody knows stays as it is.
 */
export function translateHabits(program: Command, commandLine: readonly string[]): readonly string[] {
	const args = withHelpLast(program, commandFirst(program, commandLine));
	const words = commandWords(program, args);
	const command = commandOf(program, words);
	// a word that is no command, or help
	if (words.length === 0 || command.commands.length > 0) return args;
	return [...words, ...new Translation(command, program).of(args.slice(words.length))];
}

/** `skopeo --override-arch arm64 copy …`. */
function commandFirst(program: Command, args: readonly string[]): readonly string[] {
	const at = args.findIndex((word) => commandWords(program, [word]).length > 0);
	if (at < 1 || !args[0]?.startsWith("-")) return args;
	const words = commandWords(program, args.slice(at));
	return [...words, ...args.slice(0, at), ...args.slice(at + words.length)];
}

/** `help cache ls`, as commander has it for one word only, and `build help`: an image of that name is `docker://help`. */
function withHelpLast(program: Command, args: readonly string[]): readonly string[] {
	if (args[0] !== "help") {
		const words = commandWords(program, args);
		return words.length > 0 && args.slice(words.length).join(" ") === "help" ? [...words, "--help"] : args;
	}
	const topics = args.slice(1).filter((word) => !word.startsWith("-"));
	if (topics.length === 0 || topics[0] === "help") return ["--help"];
	const words = commandWords(program, topics);
	return words.length === 0 ? args : [...words, "--help"];
}

/** Those at the beginning that name a command, and one of that. */
function commandWords(command: Command, [word, ...rest]: readonly string[]): readonly string[] {
	const next = command.commands.find((other) => other.name() === word);
	return next === undefined ? [] : [next.name(), ...commandWords(next, rest)];
}

class Translation {
	readonly #command: Command;
	readonly #program: Command;
	readonly #made: string[] = [];
	readonly #places: string[] = [];
	readonly #platform = new Map<"os" | "architecture" | "variant", string>();
	readonly #output = new Map<"directory" | "name", string>();
	#paths: readonly string[] = [];
	#arePatterns = false;
	#isStored = false;

	constructor(command: Command, program: Command) {
		this.#command = command;
		this.#program = program;
	}

	of(args: readonly string[]): readonly string[] {
		const rest = [...args];
		while (rest.length > 0) {
			const arg = rest.shift() ?? "";
			if (arg === "--") {
				this.#places.push(...rest);
				this.#made.push(arg, ...rest.splice(0));
			} else if (arg.startsWith("-") && arg !== "-") this.#take(arg, rest);
			else this.#place(arg);
		}
		this.#addPieces();
		return this.#made;
	}

	#take(arg: string, rest: string[]): void {
		const [, name = arg, inline] = /^(-[^=]*)=(.*)$/s.exec(arg) ?? [];
		const own = this.#own(name);
		const long = name.length > 2 ? this.#own(`-${name}`) : undefined;
		const meaning = MEANINGS.get(name);
		const [, short = "", digits] = /^(-[A-Za-z])(\d.*)$/.exec(arg) ?? [];
		const attached = MEANINGS.get(short);
		if (own !== undefined) this.#passOn(name, own, inline, rest);
		else if (meaning !== undefined) this.#translate(name, meaning, inline, rest);
		else if (long !== undefined) this.#passOn(`-${name}`, long, inline, rest);
		else if (attached !== undefined) this.#translate(short, attached, digits, rest);
		else {
			this.#refuseWhatOthersHave(name);
			this.#made.push(arg);
		}
	}

	/** An option of this command; one that takes `true` or `false` takes nothing else from the next word. */
	#passOn(name: string, option: Option, inline: string | undefined, rest: string[]): void {
		const read = VALUES.get(option.long ?? name);
		if (option.required) {
			const value = inline ?? rest.shift();
			if (inline === undefined && value?.startsWith("-") && this.#own(value) !== undefined)
				throw this.#unvalued(name, value);
			// commander says that it is missing
			if (value === undefined) this.#made.push(name);
			else this.#give(name, name, read?.(value) ?? value);
		} else if (option.optional) {
			const isNext = inline === undefined && /^(1|0|[tT]|[fF]|true|false|True|False|TRUE|FALSE)$/.test(rest[0] ?? "");
			this.#made.push(`${name}=${inline ?? (isNext ? rest.shift() : "true")}`);
		} else this.#made.push(inline === undefined ? name : `${name}=${inline}`);
	}

	#translate(name: string, meaning: Meaning, inline: string | undefined, rest: string[]): void {
		const value = (): string => {
			const given = inline ?? rest.shift();
			if (given === undefined) throw this.#unknown(name, "it takes a value");
			return given;
		};
		if ("none" in meaning) throw this.#unknown(name, meaning.none);
		if ("platform" in meaning) this.#platform.set(meaning.platform, value());
		else if ("output" in meaning) this.#output.set(meaning.output, value());
		else if ("image" in meaning) this.#image(value());
		else if ("storage" in meaning) this.#isStored = true;
		else if ("patterns" in meaning) this.#arePatterns = true;
		else if ("paths" in meaning) {
			const end = rest.findIndex((word) => word.startsWith("-"));
			this.#paths = [...this.#paths, ...rest.splice(0, end === -1 ? rest.length : end)];
		} else if ("ours" in meaning) {
			const option = this.#own(meaning.ours);
			if (option === undefined) throw this.#elsewhere(name, meaning.ours);
			if (meaning.value !== undefined) this.#made.push(`${meaning.ours}=${meaning.value}`);
			else if (option.optional) this.#passOn(meaning.ours, option, inline, rest);
			else if (!option.required) this.#made.push(meaning.ours);
			else {
				const given = value();
				this.#give(name, meaning.ours, meaning.read?.(given) ?? given);
			}
		} else if (meaning.values !== undefined) {
			const given = meaning.values.test("")
				? (inline ?? (this.#isValue(meaning, rest[0]) ? rest.shift() : ""))
				: value();
			if (!meaning.values.test(given ?? "")) throw this.#unknown(`${name} ${given}`, meaning.otherwise ?? "");
		}
	}

	/** Of an option whose value may be left out. */
	#isValue({ values }: { readonly values?: RegExp }, next: string | undefined): boolean {
		return next !== undefined && !next.startsWith("-") && values?.test(next) === true;
	}

	#give(theirs: string, ours: string, reading: Reading): void {
		if (typeof reading !== "string") throw this.#unknown(theirs, reading.none);
		this.#made.push(...(ours.startsWith("--") ? [`${ours}=${reading}`] : [ours, reading]));
	}

	#place(word: string): void {
		this.#places.push(word);
		this.#made.push(word);
	}

	#image(reference: string): void {
		if (this.#own("--image") === undefined) this.#place(reference);
		else this.#made.push(`--image=${reference}`);
	}

	#addPieces(): void {
		const [image = ""] = this.#places;
		if (this.#isStored && !TRANSPORTS.some((transport) => image.startsWith(transport)))
			this.#made[this.#made.indexOf(image)] = `containers-storage:${image}`;
		for (const path of this.#paths) this.#made.unshift(`--exclude=${this.#arePatterns ? path : patternFor(path)}`);
		if (this.#platform.size > 0) {
			const host = hostPlatform();
			const { os = host.os, architecture = host.architecture, variant } = Object.fromEntries(this.#platform);
			this.#addPiece("--platform", formatPlatform({ os, architecture, variant }));
		}
		if (this.#output.size > 0) {
			const name = this.#output.get("name") ?? outputNameFor(image);
			const file = name.endsWith(".iso") ? name : `${name}.iso`;
			this.#addPiece("--output", join(this.#output.get("directory") ?? "", file));
		}
	}

	#addPiece(ours: string, value: string): void {
		const { short } = this.#own(ours) ?? {};
		if (this.#own(ours) === undefined) throw this.#elsewhere("what was given", ours);
		if (this.#made.some((word) => word === short || word.startsWith(`${ours}=`)))
			throw this.#unknown(ours, `it is given in two ways, here and as ${value}`);
		this.#made.unshift(`${ours}=${value}`);
	}

	#own(name: string): Option | undefined {
		return this.#command.options.find(({ long, short }) => long === name || short === name);
	}

	/** Ours, but of another command. */
	#refuseWhatOthersHave(name: string): void {
		for (const ours of [name, `-${name}`]) if (this.#commandsWith(ours).length > 0) throw this.#elsewhere(name, ours);
	}

	#commandsWith(ours: string): string[] {
		return this.#program.commands
			.filter(({ options }) => options.some(({ long }) => long === ours))
			.map((c) => c.name());
	}

	#elsewhere(theirs: string, ours: string): Oci2isoError {
		const others = this.#commandsWith(ours).join(", ");
		return this.#unknown(theirs, theirs === ours ? `it is of ${others}` : `it is ${ours}, of ${others}`);
	}

	/** What follows is an option: nobody means it as a value. */
	#unvalued(name: string, next: string): Oci2isoError {
		return new Oci2isoError({
			code: "OPTION_MISSING_ARGUMENT",
			kind: "usage",
			what: `what follows ${name} is the option ${next}`,
			expected: "a value",
			remedy: `give it, as ${name}=${next} if it is that; see ${wordsOf(this.#command)} --help`,
		});
	}

	#unknown(theirs: string, why: string): Oci2isoError {
		const path = wordsOf(this.#command);
		return new Oci2isoError({
			code: "UNKNOWN_OPTION",
			kind: "usage",
			what: `${path} has no ${theirs}`,
			remedy: `${why}; see ${path} --help`,
		});
	}
}

/** A regular expression for each component of a path, for its name and no other. */
function patternFor(path: string): string {
	const components = path.split("/").filter((name) => name !== "");
	return components.map((name) => `^${name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}$`).join("/");
}

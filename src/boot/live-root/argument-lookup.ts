import { withoutTrailing } from "../../binary/trim-end.ts";
import { type KernelArgument, kernelArguments } from "./kernel-command-line.ts";

/** One name that a script asks for, and what it takes its presence for. */
interface AskedName {
	readonly name: string;
	readonly as: "value" | "yes" | "no";
	readonly isDeprecated: boolean;
}

/** The names that one call of dracut's `getarg` or `getargbool` tries, in order: the first that is there counts. */
export type ArgumentLookup = readonly AskedName[];

export interface FoundArgument {
	readonly name: string;
	/** "" where the argument has none. */
	readonly value: string;
	readonly isDeprecated: boolean;
}

/** What an initramfs sees as its arguments: its own, then the kernel's. Of several with one name the last counts. */
export class InitramfsArguments {
	/** In order, each occurrence. */
	readonly list: readonly KernelArgument[];
	readonly #text: string;
	readonly #last: ReadonlyMap<string, KernelArgument>;
	readonly #before: InitramfsArguments | undefined;

	/** `before` are those of lines that end outside of quotes. */
	constructor(lines: readonly string[], before?: InitramfsArguments) {
		this.#text = lines.join(" ");
		const own = kernelArguments(this.#text);
		this.list = before === undefined ? own : [...before.list, ...own];
		this.#last = new Map(own.map((argument) => [argument.name, argument]));
		this.#before = before;
	}

	/** Of an initramfs and one of the many lines that it may be started with. */
	static after(ownLines: readonly string[], line: string): InitramfsArguments {
		const own = known.get(ownLines) ?? new InitramfsArguments(ownLines);
		known.set(ownLines, own);
		// within quotes the line goes on
		const isOpen = own.#text.split('"').length % 2 === 0;
		return isOpen ? new InitramfsArguments([...ownLines, line]) : new InitramfsArguments([line], own);
	}

	/** dracut's `getarg`. `written` comes before all others. */
	find(lookup: ArgumentLookup, written?: KernelArgument): FoundArgument | undefined {
		for (const { name, as, isDeprecated } of lookup) {
			const found = this.#get(name) ?? (written?.name === name ? written : undefined);
			if (found === undefined) continue;
			return { name, isDeprecated, value: as === "value" ? (found.value ?? "") : as === "yes" ? "1" : "0" };
		}
		return undefined;
	}

	value(name: string): string | undefined {
		return this.find([{ name, as: "value", isDeprecated: false }])?.value;
	}

	/** dracut's `getargs`, each value a list with commas. */
	listed(name: string): ReadonlySet<string> {
		return new Set(this.list.flatMap((each) => (each.name === name ? (each.value ?? "").split(",") : [])));
	}

	/** dracut's `getargbool 0`; `written` as of `find`. */
	isSet(lookup: ArgumentLookup, written?: KernelArgument): boolean {
		const found = this.find(lookup, written);
		return found !== undefined && !["0", "no", "off"].includes(found.value);
	}

	#get(name: string): KernelArgument | undefined {
		const before = this.#before;
		return this.#last.get(name) ?? (before === undefined ? undefined : before.#get(name));
	}
}

/** Of lines, those of one initramfs. */
const known = new WeakMap<readonly string[], InitramfsArguments>();

export function lookupOf(...names: readonly string[]): ArgumentLookup {
	return names.map((name) => ({ name, as: "value", isDeprecated: false }));
}

/** No script of dracut's is near this long. */
const MAX_SCRIPT_CHARACTERS = 256 * 1024;

/**
 * The arguments that a shell script of dracut's asks for: by the variable that a call sets, or by the first name of a call that sets none.
 * Reads calls that stand on one line, which all of them do.
 */
export function lookupsIn(script: string): ReadonlyMap<string, ArgumentLookup> {
	const found = new Map<string, ArgumentLookup>();
	for (const line of script.slice(0, MAX_SCRIPT_CHARACTERS).split("\n")) {
		const words = line.trim().split(" ");
		const at = words.findIndex((word) => ["getarg", "getargbool"].includes(word.slice(word.lastIndexOf("(") + 1)));
		const call = words[at];
		if (call === undefined || words[0]?.startsWith("#") === true) continue;
		const start = at + (call.endsWith("getargbool") ? 2 : 1);
		const end = words.findIndex((word, index) => index >= start && ["&&", "||", "|"].includes(word));
		const lookup = askedNames(words.slice(start, end < 0 ? undefined : end));
		const assigned = call.includes("=$(") ? call : words[end + 1];
		const key =
			assigned?.includes("=") === true && !assigned.startsWith("-") ? assigned.slice(0, assigned.indexOf("=")) : "";
		if (lookup[0] !== undefined && !found.has(key)) found.set(key === "" ? lookup[0].name : key, lookup);
	}
	return found;
}

/** `A -d B -d -y C`: `-d` says that the next name is deprecated, `-y` and `-n` that its presence means yes or no. */
function askedNames(words: readonly string[]): ArgumentLookup {
	const names: AskedName[] = [];
	let isDeprecated = false;
	let as: AskedName["as"] = "value";
	for (const word of words) {
		const name = withoutTrailing(word, ";)\"'=").replace(/^["']/, "");
		if (name === "-d") isDeprecated = true;
		else if (name === "-y") as = "yes";
		else if (name === "-n") as = "no";
		else if (name !== "" && !name.startsWith("2>") && !name.startsWith(">")) {
			names.push({ name, as, isDeprecated });
			isDeprecated = false;
			as = "value";
		}
		if (/[;)]$/.test(word)) break;
	}
	return names;
}

import type { ByteString } from "../binary/byte-string.ts";

/** One command of a GRUB script: its words after quotes and escapes, and the commands of its block where it has one. */
export interface GrubCommand {
	readonly words: readonly ByteString[];
	readonly block: readonly GrubCommand[];
}

export interface GrubScript {
	readonly commands: readonly GrubCommand[];
	/** What could not be read, with its line. */
	readonly problems: readonly string[];
}

const MAX_DEPTH = 16;
const MAX_COMMANDS = 100_000;
const MAX_PROBLEMS = 10;

/**
 * Reads the structure of a grub.cfg (GRUB manual, "Shell-like scripting"): commands, quoted words, blocks, comments. Variables stay as
 * they are written; `if` and loops come out as commands of these names, one after the other.
 */
export function readGrubScript(script: ByteString): GrubScript {
	const lexer = new Lexer(script);
	const commands = lexer.commands(0);
	return { commands, problems: lexer.problems };
}

class Lexer {
	readonly problems: string[] = [];
	readonly #script: ByteString;
	#at = 0;
	#commandCount = 0;

	constructor(script: ByteString) {
		this.#script = script;
	}

	commands(depth: number): GrubCommand[] {
		const commands: GrubCommand[] = [];
		while (this.#at < this.#script.length) {
			const c = this.#script.charAt(this.#at);
			if (/[ \t\r\n;&|<>]/.test(c)) this.#at++;
			else if (c === "#") this.#skipLine();
			else if (c === "}") {
				this.#at++;
				if (depth > 0) return commands;
				this.#problem("a stray }");
			} else {
				const command = this.#command(depth);
				if (++this.#commandCount > MAX_COMMANDS) {
					this.#problem("too many commands");
					this.#at = this.#script.length;
				} else commands.push(command);
			}
		}
		if (depth > 0) this.#problem("a block is not closed");
		return commands;
	}

	#command(depth: number): GrubCommand {
		const words: ByteString[] = [];
		while (this.#at < this.#script.length) {
			const c = this.#script.charAt(this.#at);
			if (c === " " || c === "\t" || c === "\r") this.#at++;
			else if (c === "#") this.#skipLine();
			else if (/[\n;&|<>}]/.test(c)) break;
			else if (c === "{") {
				this.#at++;
				if (depth < MAX_DEPTH) return { words, block: this.commands(depth + 1) };
				this.#problem("blocks nest too deep");
				this.#at = this.#script.length;
			} else words.push(this.#word());
		}
		return { words, block: [] };
	}

	#word(): ByteString {
		let word = "";
		let inVariable = false;
		while (this.#at < this.#script.length) {
			const c = this.#script.charAt(this.#at);
			if (/[ \t\r\n;&|<>]/.test(c)) return word;
			if (c === "$" && this.#script.charAt(this.#at + 1) === "{") {
				word += "${";
				this.#at += 2;
				inVariable = true;
				continue;
			}
			if (c === "{" || (c === "}" && !inVariable)) return word;
			if (c === "}") inVariable = false;
			this.#at++;
			if (c === "'") word += this.#until("'");
			else if (c === '"') word += this.#doubleQuoted();
			else if (c === "\\") {
				const next = this.#script.charAt(this.#at++);
				word += next === "\n" ? "" : next;
			} else word += c;
		}
		return word;
	}

	#doubleQuoted(): ByteString {
		let text = "";
		while (this.#at < this.#script.length) {
			const c = this.#script.charAt(this.#at++);
			if (c === '"') return text;
			if (c !== "\\") text += c;
			else {
				const next = this.#script.charAt(this.#at++);
				text += '$"\\'.includes(next) ? next : next === "\n" ? "" : `\\${next}`;
			}
		}
		this.#problem("a double quote is not closed");
		return text;
	}

	#until(end: string): ByteString {
		const stop = this.#script.indexOf(end, this.#at);
		if (stop < 0) this.#problem("a single quote is not closed");
		const text = this.#script.slice(this.#at, stop < 0 ? undefined : stop);
		this.#at = stop < 0 ? this.#script.length : stop + 1;
		return text;
	}

	#skipLine(): void {
		const end = this.#script.indexOf("\n", this.#at);
		this.#at = end < 0 ? this.#script.length : end;
	}

	#problem(what: string): void {
		if (this.problems.length === MAX_PROBLEMS) return;
		const line = this.#script.slice(0, this.#at).split("\n").length;
		this.problems.push(`line ${line}: ${what}`);
	}
}

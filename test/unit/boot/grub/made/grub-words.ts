/** A command of a GRUB script: its words after quotes and escapes, and a block's commands where it has one. */
export interface GrubCommand {
	readonly words: readonly string[];
	readonly block?: readonly GrubCommand[];
}

/**
 * Reads the part of GRUB's script language that a menu uses: simple commands with quoted words, `name { … }` blocks, comments.
 * Throws on anything else, such as a variable, a redirection or an unclosed quote.
 */
export function parseGrubScript(script: string): GrubCommand[] {
	const reader = new ScriptReader(script);
	const commands = reader.commands();
	if (!reader.atEnd) throw new Error(`a stray } at ${reader.at}`);
	return commands;
}

class ScriptReader {
	at = 0;
	readonly #script: string;

	constructor(script: string) {
		this.#script = script;
	}

	get atEnd(): boolean {
		return this.at >= this.#script.length;
	}

	/** Up to the end or a closing brace, which is left. */
	commands(): GrubCommand[] {
		const commands: GrubCommand[] = [];
		for (;;) {
			this.#skip(/[ \t\n;]/);
			const c = this.#peek();
			if (c === "" || c === "}") return commands;
			if (c === "#") this.#skip(/[^\n]/);
			else commands.push(this.#command());
		}
	}

	#command(): GrubCommand {
		const words: string[] = [];
		for (;;) {
			this.#skip(/[ \t]/);
			const c = this.#peek();
			if (c === "#") this.#skip(/[^\n]/);
			else if (c === "" || c === "\n" || c === ";" || c === "}") return { words };
			else if (c === "{") {
				this.at++;
				const block = this.commands();
				if (this.#peek() !== "}") throw new Error("a block is not closed");
				this.at++;
				return { words, block };
			} else words.push(this.#word());
		}
	}

	#word(): string {
		let word = "";
		for (;;) {
			const c = this.#peek();
			if (c === "" || /[ \t\n;{}]/.test(c)) return word;
			if (/[$|&<>]/.test(c)) throw new Error(`an unquoted ${c} at ${this.at}`);
			this.at++;
			if (c === "'") word += this.#until("'");
			else if (c === '"') word += this.#doubleQuoted();
			else if (c === "\\") {
				const next = this.#peek();
				if (next === "") throw new Error("an escape at the end");
				this.at++;
				word += next === "\n" ? "" : next;
			} else word += c;
		}
	}

	#doubleQuoted(): string {
		let text = "";
		for (;;) {
			const c = this.#peek();
			if (c === "") throw new Error("a double quote is not closed");
			if (c === "$") throw new Error("a variable in double quotes");
			this.at++;
			if (c === '"') return text;
			if (c !== "\\") text += c;
			else {
				const next = this.#peek();
				this.at++;
				text += '$"\\'.includes(next) ? next : next === "\n" ? "" : `\\${next}`;
			}
		}
	}

	#until(end: string): string {
		const stop = this.#script.indexOf(end, this.at);
		if (stop < 0) throw new Error(`no closing ${end}`);
		const text = this.#script.slice(this.at, stop);
		this.at = stop + 1;
		return text;
	}

	#skip(pattern: RegExp): void {
		while (this.#peek() !== "" && pattern.test(this.#peek())) this.at++;
	}

	#peek(): string {
		return this.#script.charAt(this.at);
	}
}

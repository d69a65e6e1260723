import type { ByteString } from "../../../binary/byte-string.ts";

/** A piece of a word: text as it stands, or a variable (`$name`, `${name}`). */
type GrubWordPart =
	| { readonly text: ByteString }
	| {
			readonly variable: ByteString;
			/** In double quotes: its value is not split into words. */
			readonly isQuoted: boolean;
	  };

export interface GrubWord {
	readonly parts: readonly GrubWordPart[];
	/** Something in it is quoted or escaped: it is a word although it may be empty, and never a keyword. */
	readonly isQuoted: boolean;
}

export type GrubStatement =
	| {
			readonly type: "command";
			readonly words: readonly GrubWord[];
			/** `{ ... }` behind it, as `menuentry` has it. */
			readonly block: readonly GrubStatement[] | undefined;
	  }
	| {
			readonly type: "if";
			readonly branches: readonly { readonly condition: GrubStatements; readonly body: GrubStatements }[];
			readonly otherwise: GrubStatements;
	  }
	| {
			readonly type: "while";
			readonly isUntil: boolean;
			readonly condition: GrubStatements;
			readonly body: GrubStatements;
	  }
	| {
			readonly type: "for";
			readonly variable: ByteString;
			readonly words: readonly GrubWord[];
			readonly body: GrubStatements;
	  }
	| { readonly type: "function"; readonly name: ByteString; readonly body: GrubStatements };
export type GrubStatements = readonly GrubStatement[];

interface GrubScript {
	readonly statements: GrubStatements;
	/** What could not be read, with its line. */
	readonly problems: readonly string[];
}

const MAX_DEPTH = 32;
const MAX_STATEMENTS = 100_000;
const MAX_PROBLEMS = 10;
const BLANK = " \t\r";
/** Its reader knows them, and no statement has them. */
const OPERATORS = "&|<>";
const ENDS_WORD = ` \t\r\n;${OPERATORS}`;
const ENDS_COMMAND = `\n;${OPERATORS}}`;

/** Reads a grub.cfg (GRUB manual, "Shell-like scripting"). Nothing is expanded here. */
export function readGrubScript(script: ByteString): GrubScript {
	const parser = new Parser(script);
	return { statements: parser.all(), problems: parser.problems };
}

/** The word as it is written, variables as `$name`. */
export function writtenWord({ parts }: GrubWord): ByteString {
	return parts.map((part) => ("text" in part ? part.text : `$${part.variable}`)).join("");
}

/** The commands of a script in order, whatever makes them run; those of blocks (`menuentry`) are not among them. */
export function* commandsOf(statements: GrubStatements): Generator<Extract<GrubStatement, { type: "command" }>> {
	for (const statement of statements) {
		if (statement.type === "command") yield statement;
		else if (statement.type === "if") {
			for (const { condition, body } of statement.branches) {
				yield* commandsOf(condition);
				yield* commandsOf(body);
			}
			yield* commandsOf(statement.otherwise);
		} else {
			if (statement.type === "while") yield* commandsOf(statement.condition);
			yield* commandsOf(statement.body);
		}
	}
}

class Parser {
	readonly problems: string[] = [];
	readonly #script: ByteString;
	#at = 0;
	#count = 0;

	constructor(script: ByteString) {
		this.#script = script;
	}

	all(): GrubStatement[] {
		const statements: GrubStatement[] = [];
		while (this.#at < this.#script.length) {
			for (const statement of this.#list([], 0)) statements.push(statement);
			if (this.#at >= this.#script.length) break;
			// Only what closes something ends a list early.
			const closer = this.#script.charAt(this.#at) === "}" ? "}" : this.#keyword();
			this.#problem(`a stray ${closer}`);
			this.#at += closer.length;
		}
		return statements;
	}

	/** Statements up to one of the keywords or a closing brace, which is left to be read. */
	#list(ends: readonly string[], depth: number): GrubStatement[] {
		const statements: GrubStatement[] = [];
		for (;;) {
			this.#skipBetween();
			if (this.#at >= this.#script.length || this.#script.charAt(this.#at) === "}") return statements;
			const keyword = this.#keyword();
			if (ends.includes(keyword) || CLOSERS.includes(keyword)) return statements;
			if (depth === MAX_DEPTH || ++this.#count > MAX_STATEMENTS) {
				this.#problem(depth === MAX_DEPTH ? "blocks nest too deep" : "there are too many commands");
				this.#at = this.#script.length;
				return statements;
			}
			statements.push(this.#statement(keyword, depth));
		}
	}

	#statement(keyword: string, depth: number): GrubStatement {
		switch (keyword) {
			case "if":
				return this.#if(depth);
			case "while":
			case "until": {
				this.#at += keyword.length;
				const condition = this.#list(["do"], depth + 1);
				return { type: "while", isUntil: keyword === "until", condition, body: this.#loopBody(depth) };
			}
			case "for": {
				this.#at += keyword.length;
				const [variable, , ...words] = this.#words();
				return {
					type: "for",
					variable: variable === undefined ? "" : writtenWord(variable),
					words,
					body: this.#loopBody(depth),
				};
			}
			case "function": {
				this.#at += keyword.length;
				const words = this.#words();
				return {
					type: "function",
					name: words[0] === undefined ? "" : writtenWord(words[0]),
					body: this.#block(depth) ?? [],
				};
			}
			default:
				return { type: "command", words: this.#words(), block: this.#block(depth) };
		}
	}

	#if(depth: number): GrubStatement {
		const branches = [];
		let otherwise: GrubStatement[] = [];
		for (let keyword = "if"; ; keyword = this.#keyword()) {
			if (keyword === "if" || keyword === "elif") {
				this.#at += keyword.length;
				const condition = this.#list(["then"], depth + 1);
				this.#expect("then");
				branches.push({ condition, body: this.#list([], depth + 1) });
			} else if (keyword === "else") {
				this.#at += keyword.length;
				otherwise = this.#list([], depth + 1);
			} else {
				this.#expect("fi");
				return { type: "if", branches, otherwise };
			}
		}
	}

	#loopBody(depth: number): GrubStatement[] {
		this.#skipBetween();
		this.#expect("do");
		const body = this.#list(["done"], depth + 1);
		this.#expect("done");
		return body;
	}

	#block(depth: number): GrubStatement[] | undefined {
		if (this.#script.charAt(this.#at) !== "{") return undefined;
		this.#at++;
		const body: GrubStatement[] = [];
		for (;;) {
			for (const statement of this.#list([], depth + 1)) body.push(statement);
			if (this.#script.charAt(this.#at) === "}") {
				this.#at++;
				return body;
			}
			if (this.#at >= this.#script.length) {
				this.#problem("a block is not closed");
				return body;
			}
			const stray = this.#keyword();
			this.#problem(`a stray ${stray}`);
			this.#at += stray.length;
		}
	}

	#words(): GrubWord[] {
		const words: GrubWord[] = [];
		while (this.#at < this.#script.length) {
			const c = this.#script.charAt(this.#at);
			if (BLANK.includes(c)) this.#at++;
			else if (c === "#") this.#skipLine();
			else if (c === "{" || ENDS_COMMAND.includes(c)) break;
			else words.push(this.#word());
		}
		return words;
	}

	#word(): GrubWord {
		const parts: GrubWordPart[] = [];
		let text = "";
		let isQuoted = false;
		const variable = (inQuotes: boolean): void => {
			const name = this.#variableName();
			if (name === undefined) text += "$";
			else {
				if (text !== "") parts.push({ text });
				text = "";
				parts.push({ variable: name, isQuoted: inQuotes });
			}
		};
		while (this.#at < this.#script.length) {
			const c = this.#script.charAt(this.#at);
			if (ENDS_WORD.includes(c) || c === "{" || c === "}") break;
			this.#at++;
			if (c === "$") variable(false);
			else if (c === "'") {
				isQuoted = true;
				text += this.#until("'");
			} else if (c === "\\") {
				isQuoted = true;
				const next = this.#script.charAt(this.#at++);
				text += next === "\n" ? "" : next;
			} else if (c === '"') {
				isQuoted = true;
				for (;;) {
					const inner = this.#script.charAt(this.#at++);
					if (inner === "") this.#problem("a double quote is not closed");
					if (inner === "" || inner === '"') break;
					if (inner === "$") variable(true);
					else if (inner === "\\") {
						const next = this.#script.charAt(this.#at++);
						text += '$"\\'.includes(next) ? next : next === "\n" ? "" : `\\${next}`;
					} else text += inner;
				}
			} else text += c;
		}
		if (text !== "") parts.push({ text });
		return { parts, isQuoted };
	}

	/** Behind a `$`; undefined where that stands for itself. */
	#variableName(): ByteString | undefined {
		const script = this.#script;
		if (script.charAt(this.#at) === "{") {
			let end = this.#at + 1;
			while (end < script.length && (isNameCharacter(script.charAt(end)) || "?@*#".includes(script.charAt(end)))) end++;
			if (script.charAt(end) !== "}") return undefined;
			const name = script.slice(this.#at + 1, end);
			this.#at = end + 1;
			return name;
		}
		const first = script.charAt(this.#at);
		if (first !== "" && "?@*#".includes(first)) {
			this.#at++;
			return first;
		}
		const isNumber = first >= "0" && first <= "9";
		let end = this.#at;
		while (end < script.length && isNameCharacter(script.charAt(end)) && (!isNumber || isDigit(script.charAt(end))))
			end++;
		if (end === this.#at) return undefined;
		const name = script.slice(this.#at, end);
		this.#at = end;
		return name;
	}

	/** The keyword that begins here as a word of its own, or "". */
	#keyword(): string {
		const script = this.#script;
		let end = this.#at;
		while (end < script.length && end - this.#at < 9 && script.charAt(end) >= "a" && script.charAt(end) <= "z") end++;
		const word = script.slice(this.#at, end);
		const next = script.charAt(end);
		return KEYWORDS.includes(word) && (next === "" || ENDS_WORD.includes(next) || next === "{" || next === "}")
			? word
			: "";
	}

	#expect(keyword: string): void {
		this.#skipBetween();
		if (this.#keyword() === keyword) this.#at += keyword.length;
		else this.#problem(`${keyword} is missing`);
	}

	#skipBetween(): void {
		for (; this.#at < this.#script.length; this.#at++) {
			const c = this.#script.charAt(this.#at);
			if (c === "#") this.#skipLine();
			else if (c === "{") this.#problem("a block without a command");
			else if (OPERATORS.includes(c)) this.#problem(`${c} outside of quotes`);
			else if (!ENDS_WORD.includes(c)) return;
		}
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

/** What ends a list of commands wherever it stands. */
const CLOSERS = ["then", "elif", "else", "fi", "do", "done"];
const KEYWORDS = [...CLOSERS, "if", "while", "until", "for", "function"];

function isDigit(c: string): boolean {
	return c >= "0" && c <= "9";
}

function isNameCharacter(c: string): boolean {
	return isDigit(c) || (c >= "a" && c <= "z") || (c >= "A" && c <= "Z") || c === "_";
}

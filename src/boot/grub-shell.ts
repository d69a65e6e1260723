import { type ByteString, byteStringOf, displayName } from "../binary/byte-string.ts";
import { KiB, MiB } from "../binary/units.ts";
import type { GrubDevice, GrubFileSystem, GrubNode } from "./grub-medium.ts";
import {
	commandsOf,
	type GrubStatement,
	type GrubStatements,
	type GrubWord,
	readGrubScript,
	writtenWord,
} from "./grub-script.ts";

export const MAX_GRUB_CONFIG_BYTES = 1024 * KiB;
const MAX_COMMANDS = 10_000;
/** Characters and words that are read and expanded. */
const MAX_WORK = 8 * MiB;
const MAX_NESTING = 32;
const MAX_LOOKED = 100;
const MAX_VALUE_CHARACTERS = 4 * KiB;
const MAX_TEST_DEPTH = 100;

/** A script file that GRUB ran. */
export interface GrubConfig {
	readonly device: string;
	/** Absolute, without device. */
	readonly path: ByteString;
	readonly script: ByteString;
}

/** How GRUB ends up. */
export type GrubOutcome =
	/** It shows the entries that `config` gave. */
	| { readonly kind: "menu"; readonly config: GrubConfig }
	/** It waits at its prompt, or gives up. */
	| { readonly kind: "prompt"; readonly why: string }
	| { readonly kind: "unknown"; readonly why: string };

/** Ends a run from within. */
export class GrubStop extends Error {
	readonly outcome: GrubOutcome;

	constructor(outcome: GrubOutcome) {
		super(outcome.kind);
		this.outcome = outcome;
	}
}

/** True, false, or not known. */
type Status = boolean | undefined;
/** A word whose text is not known is undefined. */
type Words = readonly (ByteString | undefined)[];

class Leave extends Error {
	readonly from: "loop" | "round" | "function";

	constructor(from: Leave["from"]) {
		super(from);
		this.from = from;
	}
}

export interface GrubShellOptions {
	/** In the order in which `search` goes through them. */
	readonly devices: readonly GrubDevice[];
	/** Names of the built-in modules; undefined where these are not known, and taken to be enough. */
	readonly modules: Iterable<string> | undefined;
	readonly environment: ReadonlyMap<string, ByteString>;
	/** Subdirectory of the prefix with modules: `x86_64-efi`. */
	readonly platform: string;
}

/**
 * Runs GRUB scripts as far as it matters for which menu comes up: variables, files, devices, conditions and what reads other scripts.
 * Commands that are not among these neither fail nor succeed; where the way on depends on one of them, or on a value that is not known,
 * the outcome is `unknown`.
 */
export class GrubShell {
	/** Paths of configurations that were asked for and are not there, with their device, in order, each once. */
	get missing(): readonly ByteString[] {
		return [...this.#missing];
	}
	readonly environment: Map<string, ByteString | undefined>;
	readonly #missing = new Set<ByteString>();
	readonly #devices: readonly GrubDevice[];
	readonly #modules: Set<string> | undefined;
	readonly #platform: string;
	readonly #functions = new Map<ByteString, GrubStatements>();
	/** The menu that is being filled: the script that gave its first entry. */
	#menu: { config: GrubConfig | undefined } = { config: undefined };
	#current: GrubConfig | undefined;
	#parameters: Words = [];
	#commands = 0;
	#work = 0;
	#nesting = 0;
	#calls = 0;
	#loops = 0;
	#lastStatus: Status = true;
	#hasKernel = false;

	constructor({ devices, modules, environment, platform }: GrubShellOptions) {
		this.#devices = devices;
		this.#modules = modules === undefined ? undefined : new Set(modules);
		this.#platform = platform;
		this.environment = new Map(environment);
	}

	hasModule(name: string): boolean {
		return this.#modules === undefined || this.#modules.has(name);
	}

	/** The early configuration, which runs before there is a shell: single commands only. */
	async runEarly(script: ByteString): Promise<void> {
		for (const line of script.split("\n")) {
			const { statements, problems } = readGrubScript(line);
			const [statement] = statements;
			if (statement === undefined && problems.length === 0) continue;
			if (statement?.type !== "command" || statements.length > 1 || problems.length > 0) {
				// Its parser takes `if` and the like for names of commands, which it does not have.
				if (/^\s*(if|then|elif|else|fi|while|until|for|do|done|function|\})\b/.test(line.slice(0, 200))) continue;
				notKnown(`its early configuration has the line "${displayName(line.slice(0, 200))}"`);
			}
			await this.#run([statement]);
		}
	}

	/** `normal`, with a configuration or without one: the menu, or the prompt behind it. */
	async normal(path: ByteString | undefined): Promise<never> {
		const menu = this.#menu;
		this.#menu = { config: undefined };
		if (path !== undefined) await this.#source(path);
		this.#showMenu();
		this.#menu = menu;
		if (this.#hasKernel) notKnown("a kernel is loaded without a menu");
		const why = this.#missing.size > 0 ? "it finds no grub.cfg" : "no menu entry is defined";
		throw new GrubStop({ kind: "prompt", why: path === undefined ? "it has no prefix to look in" : why });
	}

	/** The node at a path with or without device, or undefined. */
	find(path: ByteString): GrubNode | undefined {
		return this.#locate(path)?.node;
	}

	/** A path with or without device. */
	#locate(path: ByteString): { device: string; path: ByteString; node: GrubNode | undefined } | undefined {
		const end = path.startsWith("(") ? path.indexOf(")") : -1;
		const device =
			end < 0
				? this.#known(this.environment.get("root") ?? "", "root", !this.environment.has("root"))
				: path.slice(1, end);
		const rest = path.slice(end + 1);
		if (!rest.startsWith("/")) return undefined;
		return { device, path: rest, node: this.#fileSystem(device)?.find(rest) };
	}

	#miss(path: ByteString): void {
		if (this.#missing.size < MAX_LOOKED && path.endsWith(".cfg")) this.#missing.add(path);
	}

	#fileSystem(name: string): GrubFileSystem | undefined {
		const found = this.#devices.find((device) => device.name === name)?.fileSystem;
		if (found === undefined && this.#opaque.has(name)) notKnown(`it uses the device (${displayName(name)})`);
		return found !== undefined && this.hasModule(found.module) && this.#hasPartitions(name) ? found : undefined;
	}

	#hasPartitions(device: string): boolean {
		return !device.includes(",gpt") || this.hasModule("part_gpt");
	}

	/** Devices that commands made, whose content is not known. */
	readonly #opaque = new Set<string>();

	#known(value: ByteString | undefined, name: string, isUnset = false): ByteString {
		if (value === undefined && !isUnset) notKnown(`the value of $${displayName(name)} is not known`);
		return value ?? "";
	}

	/** Runs a script file in the current environment; false where it is not there. */
	async #source(path: ByteString): Promise<boolean> {
		const found = this.#locate(path);
		if (found?.node?.type !== "file") {
			this.#miss(found?.path === undefined ? path : `(${found.device})${found.path}`);
			return false;
		}
		if (found.node.byteLength > MAX_GRUB_CONFIG_BYTES)
			notKnown(`${displayName(path)} has ${found.node.byteLength} bytes`);
		if (++this.#nesting > MAX_NESTING) notKnown("scripts read each other without an end");
		this.#spend(found.node.byteLength);
		const script = byteStringOf(await found.node.read());
		const config = { device: found.device, path: found.path, script };
		const before = this.#current;
		const names = ["config_file", "config_directory"] as const;
		const values = names.map((name) => [name, this.environment.get(name)] as const);
		this.#current = config;
		const file = `(${config.device})${config.path}`;
		this.environment.set("config_file", file);
		this.environment.set("config_directory", file.slice(0, file.lastIndexOf("/")));
		const { statements, problems } = readGrubScript(script);
		const [problem] = problems;
		if (problem !== undefined) notKnown(`${displayName(path)} is no GRUB script: ${problem}`);
		await this.#run(statements);
		for (const [name, value] of values) {
			if (value === undefined) this.environment.delete(name);
			else this.environment.set(name, value);
		}
		this.#current = before;
		this.#nesting--;
		return true;
	}

	/** Waits at the menu, where there is one. */
	#showMenu(): void {
		if (this.#menu.config !== undefined) throw new GrubStop({ kind: "menu", config: this.#menu.config });
	}

	async #run(statements: GrubStatements): Promise<Status> {
		let status: Status = true;
		for (const statement of statements) {
			status = await this.#statement(statement);
			this.#lastStatus = status;
		}
		return status;
	}

	async #statement(statement: GrubStatement): Promise<Status> {
		switch (statement.type) {
			case "command":
				return this.#command(statement.words, statement.block);
			case "function":
				this.#functions.set(statement.name, statement.body);
				return true;
			case "if":
				for (const [index, { condition, body }] of statement.branches.entries()) {
					const status = await this.#run(condition);
					if (status === true) return this.#run(body);
					if (status === undefined) {
						const rest = statement.branches.slice(index);
						this.#passOver(
							[
								...rest.flatMap((branch) => [...(branch === rest[0] ? [] : branch.condition), ...branch.body]),
								...statement.otherwise,
							],
							condition,
						);
						return undefined;
					}
				}
				return this.#run(statement.otherwise);
			case "while":
				return this.#loop(async () => {
					const status = await this.#run(statement.condition);
					if (status === undefined) this.#passOver(statement.body, statement.condition);
					return status !== undefined && status !== statement.isUntil;
				}, statement.body);
			case "for": {
				const words = this.#expand(statement.words);
				if (words.some((word) => word === undefined || hasWildcard(word))) {
					this.environment.set(statement.variable, undefined);
					this.#passOver(statement.body, []);
					return undefined;
				}
				const values = words[Symbol.iterator]();
				return this.#loop(async () => {
					const { done, value } = values.next();
					if (done !== true) this.environment.set(statement.variable, value);
					return done !== true;
				}, statement.body);
			}
		}
	}

	async #loop(goesOn: () => Promise<boolean>, body: GrubStatements): Promise<Status> {
		let status: Status = true;
		this.#loops++;
		try {
			while (await goesOn()) {
				this.#count();
				try {
					status = await this.#run(body);
				} catch (error) {
					if (!(error instanceof Leave) || error.from !== "round") throw error;
				}
			}
		} catch (error) {
			if (!(error instanceof Leave) || error.from !== "loop") throw error;
		} finally {
			this.#loops--;
		}
		return status;
	}

	/** Statements of which it is not known whether they run: nothing among them may decide which menu comes up. */
	#passOver(statements: GrubStatements, condition: GrubStatements): void {
		for (const { words } of commandsOf(statements)) {
			const name = words[0] === undefined ? "" : writtenWord(words[0]);
			if (DECIDES.has(name) || this.#functions.has(name)) {
				const first = [...commandsOf(condition)].at(-1);
				const on = first === undefined ? "" : ` on "${displayName(first.words.map(writtenWord).join(" "))}"`;
				notKnown(`whether it runs ${displayName(name)} depends${on}`);
			}
			const set =
				name === "set" || name === "unset" ? words[1] && writtenWord(words[1]) : name.includes("=") ? name : undefined;
			if (set !== undefined) this.environment.set(set.split("=")[0] ?? "", undefined);
			this.#forget(words.map(writtenWord));
		}
		for (const statement of statements)
			if (statement.type === "function")
				notKnown("whether a function is defined depends on something that is not known");
	}

	/** Variables that an unmodelled command gets a value into. */
	#forget(words: Words): void {
		for (const [index, word] of words.entries()) {
			const named = word?.startsWith("--set=")
				? word.slice(6)
				: word === "--set" || word === "-s"
					? words[index + 1]
					: undefined;
			if (named !== undefined) this.environment.set(named.slice(named.indexOf(":") + 1), undefined);
		}
	}

	#spend(work: number): void {
		this.#work += work;
		if (this.#work > MAX_WORK) notKnown("its scripts are too long");
	}

	#count(): void {
		if (++this.#commands > MAX_COMMANDS) notKnown("its scripts run too many commands");
	}

	/** Words after expansion; a variable outside of quotes is split at blanks. */
	#expand(words: readonly GrubWord[]): (ByteString | undefined)[] {
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
				const value = this.#value(part.variable);
				this.#spend(value?.length ?? 0);
				if (part.isQuoted || value === undefined) {
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

	#value(name: ByteString): ByteString | undefined {
		if (name === "?") return this.#lastStatus === undefined ? undefined : this.#lastStatus ? "0" : "1";
		if (name === "#") return `${this.#parameters.length}`;
		if (name === "@" || name === "*")
			return this.#parameters.includes(undefined) ? undefined : this.#parameters.join(" ");
		if (/^[0-9]{1,5}$/.test(name)) {
			const index = Number(name) - 1;
			return index < 0 || index >= this.#parameters.length ? "" : this.#parameters[index];
		}
		return this.environment.has(name) ? this.environment.get(name) : "";
	}

	async #command(words: readonly GrubWord[], block: GrubStatements | undefined): Promise<Status> {
		this.#count();
		const expanded = this.#expand(words);
		if (expanded.length === 0) return true;
		if (expanded[0] === "!") {
			const status = await this.#named(expanded.slice(1), block);
			return status === undefined ? undefined : !status;
		}
		return this.#named(expanded, block);
	}

	async #named([name, ...args]: Words, block: GrubStatements | undefined): Promise<Status> {
		if (name === undefined) notKnown("which command it runs is not known");
		const module = MODULES.get(name);
		if (module?.some((each) => !this.hasModule(each))) return false;
		const text = (index: number): ByteString => {
			const word = args[index];
			if (word === undefined && index < args.length) notKnown(`the arguments of ${displayName(name)} are not known`);
			return word ?? "";
		};
		switch (name) {
			case "set":
				return args.length === 0 || this.#assign(args[0]);
			case "unset":
				this.environment.delete(text(0));
				return true;
			case "export":
			case "true":
				return true;
			case "false":
				return false;
			case "insmod":
				return this.loadModule(text(0));
			case "[":
			case "test":
				return this.#test(args);
			case "search":
			case "search.file":
			case "search.fs_label":
			case "search.fs_uuid":
				return this.#search(
					name,
					args.map((_, index) => text(index)),
				);
			case "normal":
				return this.normal(args.length === 0 ? this.defaultConfig() : text(0));
			case ".":
			case "source":
				if (args.length === 0) return false;
				await this.#source(text(0));
				return true;
			case "configfile": {
				if (args.length === 0) return false;
				const [menu, environment] = [this.#menu, new Map(this.environment)];
				this.#menu = { config: undefined };
				await this.#source(text(0));
				this.#showMenu();
				this.#menu = menu;
				this.environment.clear();
				for (const [key, value] of environment) this.environment.set(key, value);
				return true;
			}
			case "menuentry":
			case "submenu":
				if (block === undefined) return false;
				this.#menu.config ??= this.#current;
				return true;
			case "halt":
			case "reboot":
			case "exit":
			case "fwsetup":
				throw new GrubStop({ kind: "prompt", why: `${this.#place()} has ${name} outside of its entries` });
			case "linux":
			case "linuxefi":
			case "chainloader":
			case "multiboot":
			case "multiboot2":
				this.#hasKernel = true;
				return undefined;
			case "boot":
				return this.#hasKernel ? notKnown("it boots without a menu") : false;
			case "return":
				if (this.#calls === 0) return false;
				throw new Leave("function");
			case "break":
			case "continue":
				if (this.#loops === 0) return false;
				throw new Leave(name === "break" ? "loop" : "round");
			case "shift":
				this.#parameters = this.#parameters.slice(1);
				return true;
			case "setparams":
				this.#parameters = args;
				return true;
			case "loopback":
				this.#opaque.add(text(0) === "-d" ? text(1) : text(0));
				return undefined;
			case "load_env":
				return this.find(`${this.#known(this.#value("prefix"), "prefix")}/grubenv`) === undefined && args.length === 0
					? false
					: notKnown("it loads variables from a file");
			default:
		}
		const body = this.#functions.get(name);
		if (body !== undefined) return this.#call(body, args);
		if (DECIDES.has(name)) notKnown(`what ${displayName(name)} does is not modelled`);
		if (name.includes("=")) return this.#assign(name);
		this.#forget(args);
		return undefined;
	}

	async #call(body: GrubStatements, args: Words): Promise<Status> {
		if (++this.#nesting > MAX_NESTING) notKnown("functions call each other without an end");
		const [before, loops] = [this.#parameters, this.#loops];
		this.#parameters = args;
		this.#calls++;
		this.#loops = 0;
		let status: Status = true;
		try {
			status = await this.#run(body);
		} catch (error) {
			if (!(error instanceof Leave) || error.from !== "function") throw error;
			status = this.#lastStatus;
		}
		this.#parameters = before;
		this.#loops = loops;
		this.#calls--;
		this.#nesting--;
		return status;
	}

	#assign(assignment: ByteString | undefined): Status {
		if (assignment === undefined) notKnown("a value that it sets is not known");
		const equals = assignment.indexOf("=");
		if (equals < 0) return false;
		this.setVariable(assignment.slice(0, equals), assignment.slice(equals + 1));
		return true;
	}

	setVariable(name: ByteString, value: ByteString): void {
		this.environment.set(
			name,
			name === "root" && value.startsWith("(") && value.endsWith(")") ? value.slice(1, -1) : value,
		);
	}

	loadModule(name: ByteString): boolean {
		if (this.#modules === undefined || this.#modules.has(name)) return true;
		const path = /[(/]/.test(name)
			? name
			: `${this.#known(this.#value("prefix"), "prefix")}/${this.#platform}/${name}.mod`;
		if (this.find(path)?.type !== "file") return false;
		const base = path.slice(path.lastIndexOf("/") + 1).replace(/\.mod$/, "");
		this.#modules.add(base);
		return true;
	}

	/** Where `normal` looks without an argument. */
	defaultConfig(): ByteString | undefined {
		// GRUB with this variable looks beside itself before it looks under its prefix.
		const beside = this.#value("fw_path") ?? "";
		if (beside !== "" && this.hasModule("normal")) {
			if (this.find(`${beside}/grub.cfg`)?.type === "file") return `${beside}/grub.cfg`;
			this.#miss(`${beside}/grub.cfg`);
		}
		const prefix = this.#known(this.#value("prefix"), "prefix");
		return prefix === "" ? undefined : `${prefix}/grub.cfg`;
	}

	#search(command: string, args: readonly ByteString[]): Status {
		let by = { "search.file": "file", "search.fs_label": "label", "search.fs_uuid": "uuid" }[command] ?? "";
		let variable = command === "search" ? undefined : args[1];
		const words: ByteString[] = [];
		for (let index = 0; index < args.length; index++) {
			const word = args[index] ?? "";
			if (command !== "search" || !word.startsWith("-")) words.push(word);
			else if (word.startsWith("--set")) variable = word.slice(6) || "root";
			else if (word === "--file") by = "file";
			else if (word === "--label" || word === "--fs-label") by = "label";
			else if (word === "--fs-uuid") by = "uuid";
			else if (word.startsWith("--hint")) index += word.includes("=") ? 0 : 1;
			else if (!word.startsWith("--")) {
				if (word.includes("f")) by = "file";
				if (word.includes("l")) by = "label";
				if (word.includes("u")) by = "uuid";
				if (word.includes("s")) variable = "root";
				if (word.includes("h")) index++;
			}
		}
		// `--set NAME TARGET` is understood too.
		const target = command === "search" ? words.at(-1) : words[0];
		if (target === undefined) return false;
		if (by === "uuid") {
			if (variable !== undefined) this.environment.set(variable, undefined);
			return undefined;
		}
		if (by === "") return false;
		for (const { name } of this.#devices) {
			const fileSystem = name === MEMORY_DISK ? undefined : this.#fileSystem(name);
			const found = by === "label" ? fileSystem?.label === target : fileSystem?.find(target)?.type === "file";
			if (fileSystem === undefined || !found) continue;
			if (variable !== undefined) this.setVariable(variable, name);
			return true;
		}
		return false;
	}

	/** `test EXPRESSION`, whose `-a` and `-o` have one precedence after the other, as GRUB evaluates them. */
	#test(words: Words): Status {
		const args = words.at(-1) === "]" ? words.slice(0, -1) : [...words];
		let at = 0;
		let depth = 0;
		const expression = (): Status => {
			let result = term();
			while (args[at] === "-o") {
				at++;
				const other = term();
				result =
					result === true || other === true ? true : result === undefined || other === undefined ? undefined : false;
			}
			return result;
		};
		const term = (): Status => {
			let result = primary();
			while (at < args.length && args[at] !== "-o" && args[at] !== ")") {
				if (args[at] === "-a") at++;
				const other = primary();
				result =
					result === false || other === false ? false : result === undefined || other === undefined ? undefined : true;
			}
			return result;
		};
		const primary = (): Status => {
			if (++depth > MAX_TEST_DEPTH) notKnown("a test is too long");
			const first = args[at++];
			if (first === "!") {
				const inner = primary();
				return inner === undefined ? undefined : !inner;
			}
			if (first === "(") {
				const inner = expression();
				at++;
				return inner;
			}
			const operator = args[at];
			if (operator !== undefined && at + 1 < args.length && (COMPARISONS.has(operator) || /^-[no]t/.test(operator))) {
				const second = args[at + 1];
				at += 2;
				return first === undefined || second === undefined ? undefined : COMPARISONS.get(operator)?.(first, second);
			}
			if (first !== undefined && /^-[defnsz]$/.test(first) && at < args.length) {
				const operand = args[at++];
				if (operand === undefined) return undefined;
				if (first === "-n") return operand !== "";
				if (first === "-z") return operand === "";
				const found = this.#locate(operand);
				if (found !== undefined && found.node === undefined) this.#miss(`(${found.device})${found.path}`);
				const node = found?.node;
				if (first === "-d") return node?.type === "directory";
				if (first === "-e") return node !== undefined;
				return node?.type === "file" && (first === "-f" || node.byteLength > 0);
			}
			return first === undefined ? (at > args.length ? false : undefined) : first !== "";
		};
		return args.length === 0 ? false : expression();
	}

	#place(): string {
		return this.#current === undefined
			? "its early configuration"
			: `(${this.#current.device})${displayName(this.#current.path)}`;
	}
}

export const MEMORY_DISK = "memdisk";

export function notKnown(why: string): never {
	throw new GrubStop({ kind: "unknown", why });
}

function hasWildcard(word: ByteString): boolean {
	return /[*?[]/.test(word);
}

const numbers =
	(compare: (a: bigint, b: bigint) => boolean) =>
	(a: ByteString, b: ByteString): Status =>
		/^-?[0-9]{1,18}$/.test(a) && /^-?[0-9]{1,18}$/.test(b) ? compare(BigInt(a), BigInt(b)) : undefined;
const COMPARISONS = new Map<ByteString, (a: ByteString, b: ByteString) => Status>([
	["=", (a, b) => a === b],
	["==", (a, b) => a === b],
	["!=", (a, b) => a !== b],
	["<", (a, b) => a < b],
	["<=", (a, b) => a <= b],
	[">", (a, b) => a > b],
	[">=", (a, b) => a >= b],
	["-eq", numbers((a, b) => a === b)],
	["-ne", numbers((a, b) => a !== b)],
	["-lt", numbers((a, b) => a < b)],
	["-le", numbers((a, b) => a <= b)],
	["-gt", numbers((a, b) => a > b)],
	["-ge", numbers((a, b) => a >= b)],
]);

/** The modules that a command needs; those not named here are in GRUB's kernel, or not modelled. */
const MODULES: ReadonlyMap<string, readonly string[]> = new Map([
	["[", ["test"]],
	["test", ["test"]],
	["true", ["true"]],
	["false", ["true"]],
	["search", ["search"]],
	["search.file", ["search_fs_file"]],
	["search.fs_label", ["search_label"]],
	["search.fs_uuid", ["search_fs_uuid"]],
	["normal", ["normal"]],
	["configfile", ["configfile"]],
	["source", ["configfile"]],
	[".", ["configfile"]],
	["halt", ["halt"]],
	["reboot", ["reboot"]],
	["loopback", ["loopback"]],
	["load_env", ["loadenv"]],
]);

/** Commands that decide which menu comes up. */
const DECIDES = new Set([
	...[
		"source",
		".",
		"configfile",
		"normal",
		"normal_exit",
		"menuentry",
		"submenu",
		"halt",
		"reboot",
		"exit",
		"fwsetup",
		"boot",
	],
	...[
		"search",
		"search.file",
		"search.fs_label",
		"search.fs_uuid",
		"linux",
		"linuxefi",
		"chainloader",
		"multiboot",
		"multiboot2",
	],
	...[
		"blscfg",
		"eval",
		"legacy_configfile",
		"syslinux_configfile",
		"extract_entries_source",
		"extract_entries_configfile",
	],
	...[
		"extract_legacy_entries_source",
		"legacy_source",
		"syslinux_source",
		"load_env",
		"return",
		"break",
		"continue",
		"setparams",
	],
]);

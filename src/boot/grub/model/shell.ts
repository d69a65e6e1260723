import { type ByteString, byteStringOf, displayName } from "../../../binary/byte-string.ts";
import { KiB, MiB } from "../../../binary/units.ts";
import type { GrubPlatform } from "../../machines.ts";
import { DECIDES, ENDS, LOADS_KERNEL, MODULES } from "./commands.ts";
import { earlyCommands } from "./early-configuration.ts";
import type { GrubDevice } from "./medium.ts";
import { GrubModuleLoader } from "./module-loader.ts";
import { type GrubConfig, GrubStop, Leave, notKnown, STOPS_AT_PROMPT, type Status, type Words } from "./outcome.ts";
import {
	commandsOf,
	type GrubStatement,
	type GrubStatements,
	type GrubWord,
	readGrubScript,
	writtenWord,
} from "./script.ts";
import { runSearch } from "./search.ts";
import { GrubStorage } from "./storage.ts";
import { evaluateTest } from "./test.ts";
import { GrubVariables } from "./variables.ts";

export const MAX_GRUB_CONFIG_BYTES = 1024 * KiB;
const MAX_COMMANDS = 10_000;
/** Characters and words that are read and expanded. */
const MAX_WORK = 8 * MiB;
const MAX_NESTING = 32;

interface GrubShellOptions {
	/** In the order in which `search` goes through them. */
	readonly devices: readonly GrubDevice[];
	/** Names of the built-in modules; undefined where these are not known, and taken to be enough. */
	readonly modules: Iterable<string> | undefined;
	readonly environment: ReadonlyMap<string, ByteString>;
	/** Also the subdirectory of the prefix with modules. */
	readonly platform: GrubPlatform;
}

/**
 * Runs GRUB scripts as far as it matters for which menu comes up: variables, files, devices, conditions and what reads other scripts.
 * Commands that are not among these neither fail nor succeed; where the way on depends on one of them, or on a value that is not known,
 * the outcome is `unknown`.
 */
export class GrubShell {
	readonly #variables: GrubVariables;
	readonly #storage: GrubStorage;
	readonly modules: GrubModuleLoader;
	readonly #functions = new Map<ByteString, GrubStatements>();
	/** The menu that is being filled: the script that gave its first entry. */
	#menu: { config: GrubConfig | undefined } = { config: undefined };
	#current: GrubConfig | undefined;
	#commands = 0;
	#work = 0;
	#nesting = 0;
	#calls = 0;
	#loops = 0;
	#hasKernel = false;

	constructor({ devices, modules, environment, platform }: GrubShellOptions) {
		this.#variables = new GrubVariables(environment, (work) => this.#spend(work));
		this.#storage = new GrubStorage(devices, modules, () => this.#variables.known("root"));
		this.modules = new GrubModuleLoader(this.#storage, platform, () => this.#variables.known("prefix"));
	}

	get missing(): readonly ByteString[] {
		return this.#storage.missing;
	}

	/** The early configuration, which runs before there is a shell: single commands only. */
	async runEarly(script: ByteString): Promise<void> {
		for (const command of earlyCommands(script)) await this.#run([command]);
	}

	/** `normal`, with a configuration or without one: the menu, or the prompt behind it. */
	async normal(path: ByteString | undefined): Promise<never> {
		const menu = this.#menu;
		this.#menu = { config: undefined };
		await this.modules.readCommandList();
		if (path !== undefined) await this.#source(path);
		this.#showMenu();
		this.#menu = menu;
		if (this.#hasKernel) notKnown("a kernel is loaded without a menu");
		const why = this.missing.length > 0 ? "it finds no grub.cfg" : "no menu entry is defined";
		throw new GrubStop({
			kind: "no menu",
			does: STOPS_AT_PROMPT,
			why: path === undefined ? "it has no prefix to look in" : why,
		});
	}

	/** Runs a script file in the current environment; false where it is not there. */
	async #source(path: ByteString): Promise<boolean> {
		const found = this.#storage.locate(path);
		if (found?.node?.type !== "file") {
			this.#storage.miss(found?.path === undefined ? path : `(${found.device})${found.path}`);
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
		const values = names.map((name) => [name, this.#variables.environment.get(name)] as const);
		this.#current = config;
		const file = `(${config.device})${config.path}`;
		this.#variables.environment.set("config_file", file);
		this.#variables.environment.set("config_directory", file.slice(0, file.lastIndexOf("/")));
		const { statements, problems } = readGrubScript(script);
		const [problem] = problems;
		if (problem !== undefined) notKnown(`${displayName(path)} is no GRUB script: ${problem}`);
		await this.#run(statements);
		for (const [name, value] of values) {
			if (value === undefined) this.#variables.environment.delete(name);
			else this.#variables.environment.set(name, value);
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
			this.#variables.lastStatus = status;
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
				const words = this.#variables.expand(statement.words);
				if (words.some((word) => word === undefined || hasWildcard(word))) {
					this.#variables.environment.set(statement.variable, undefined);
					this.#passOver(statement.body, []);
					return undefined;
				}
				const values = words[Symbol.iterator]();
				return this.#loop(async () => {
					const { done, value } = values.next();
					if (done !== true) this.#variables.environment.set(statement.variable, value);
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
					if (!(error instanceof Leave) || error.from !== "round" || error.loops > 1) throw error;
				}
			}
		} catch (error) {
			if (!(error instanceof Leave) || error.from === "function") throw error;
			if (error.loops > 1) throw new Leave(error.from, error.loops - 1);
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
			if (set !== undefined) this.#variables.environment.set(set.split("=")[0] ?? "", undefined);
			this.#variables.forget(words.map(writtenWord));
		}
		for (const statement of statements)
			if (statement.type === "function")
				notKnown("whether a function is defined depends on something that is not known");
	}

	/** As strtoul reads it; what is no plain decimal number is not modelled. */
	#number(text: ByteString): number {
		return /^(0|[1-9][0-9]{0,8})$/.test(text) ? Number(text) : notKnown(`it counts with "${displayName(text)}"`);
	}

	#spend(work: number): void {
		this.#work += work;
		if (this.#work > MAX_WORK) notKnown("its scripts are too long");
	}

	#count(): void {
		if (++this.#commands > MAX_COMMANDS) notKnown("its scripts run too many commands");
	}

	async #command(words: readonly GrubWord[], block: GrubStatements | undefined): Promise<Status> {
		this.#count();
		const expanded = this.#variables.expand(words);
		if (expanded.length === 0) return true;
		if (expanded[0] === "!") {
			const status = await this.#named(expanded.slice(1), block);
			return status === undefined ? undefined : !status;
		}
		return this.#named(expanded, block);
	}

	async #named([name, ...args]: Words, block: GrubStatements | undefined): Promise<Status> {
		if (name === undefined) notKnown("which command it runs is not known");
		if (!(await this.modules.hasModules(name, MODULES.get(name) ?? []))) return false;
		const text = (index: number): ByteString => {
			const word = args[index];
			if (word === undefined && index < args.length) notKnown(`the arguments of ${displayName(name)} are not known`);
			return word ?? "";
		};
		const does = ENDS.get(name);
		if (does !== undefined)
			throw new GrubStop({ kind: "no menu", does, why: `${this.#place()} has ${name} outside of its entries` });
		if (LOADS_KERNEL.has(name)) {
			this.#hasKernel = true;
			return undefined;
		}
		switch (name) {
			case "set":
				return args.length === 0 || this.#variables.assign(args[0]);
			case "unset":
				this.#variables.environment.delete(text(0));
				return true;
			case "export":
			case "true":
				return true;
			case "false":
				return false;
			case "insmod":
				return await this.modules.load(text(0));
			case "[":
			case "test":
				return evaluateTest(args, (path) => this.#storage.lookFor(path));
			case "search":
			case "search.file":
			case "search.fs_label":
			case "search.fs_uuid":
				return runSearch(
					name,
					args.map((_, index) => text(index)),
					this.#storage,
					this.#variables,
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
				const [menu, environment] = [this.#menu, new Map(this.#variables.environment)];
				this.#menu = { config: undefined };
				await this.#source(text(0));
				this.#showMenu();
				this.#menu = menu;
				this.#variables.environment.clear();
				for (const [key, value] of environment) this.#variables.environment.set(key, value);
				return true;
			}
			case "menuentry":
			case "submenu":
				if (block === undefined) return false;
				this.#menu.config ??= this.#current;
				return true;
			case "boot":
				return this.#hasKernel ? notKnown("it boots without a menu") : false;
			case "return":
				if (this.#calls === 0 || args.length > 1) return false;
				if (args.length > 0) this.#variables.lastStatus = this.#number(text(0)) === 0;
				throw new Leave("function");
			case "break":
			case "continue": {
				const count = args.length === 0 ? 1 : this.#number(text(0));
				if (this.#loops === 0 || args.length > 1 || count === 0) return false;
				throw new Leave(name === "break" ? "loop" : "round", Math.min(count, this.#loops));
			}
			case "shift":
				this.#variables.parameters = this.#variables.parameters.slice(1);
				return true;
			case "setparams":
				if (this.#calls === 0) return false;
				this.#variables.parameters = args;
				return true;
			case "loopback":
				this.#storage.addOpaque(text(0) === "-d" ? text(1) : text(0));
				return undefined;
			case "load_env":
				return this.#storage.find(`${this.#variables.known("prefix")}/grubenv`) === undefined && args.length === 0
					? false
					: notKnown("it loads variables from a file");
			default:
		}
		const body = this.#functions.get(name);
		if (body !== undefined) return this.#call(body, args);
		if (DECIDES.has(name)) notKnown(`what ${displayName(name)} does is not modelled`);
		if (name.includes("=")) return this.#variables.assign(name);
		this.#variables.forget(args);
		return undefined;
	}

	async #call(body: GrubStatements, args: Words): Promise<Status> {
		if (++this.#nesting > MAX_NESTING) notKnown("functions call each other without an end");
		const [before, loops] = [this.#variables.parameters, this.#loops];
		this.#variables.parameters = args;
		this.#calls++;
		this.#loops = 0;
		let status: Status = true;
		try {
			status = await this.#run(body);
		} catch (error) {
			if (!(error instanceof Leave) || error.from !== "function") throw error;
			status = this.#variables.lastStatus;
		}
		this.#variables.parameters = before;
		this.#loops = loops;
		this.#calls--;
		this.#nesting--;
		return status;
	}

	/** Where `normal` looks without an argument. */
	defaultConfig(): ByteString | undefined {
		// GRUB with this variable looks beside itself before it looks under its prefix.
		const beside = this.#variables.value("fw_path") ?? "";
		if (beside !== "" && this.#storage.hasModule("normal")) {
			if (this.#storage.find(`${beside}/grub.cfg`)?.type === "file") return `${beside}/grub.cfg`;
			this.#storage.miss(`${beside}/grub.cfg`);
		}
		const prefix = this.#variables.known("prefix");
		return prefix === "" ? undefined : `${prefix}/grub.cfg`;
	}

	#place(): string {
		return this.#current === undefined
			? "its early configuration"
			: `(${this.#current.device})${displayName(this.#current.path)}`;
	}
}

function hasWildcard(word: ByteString): boolean {
	return /[*?[]/.test(word);
}

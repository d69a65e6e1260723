import { type ByteString, byteStringOf, displayName } from "../../../binary/byte-string.ts";
import { MiB } from "../../../binary/units.ts";
import type { GrubPlatform } from "../../machines.ts";
import { readGrubModule } from "./module-file.ts";
import { notKnown } from "./outcome.ts";
import type { GrubStorage } from "./storage.ts";

const MAX_FILE_BYTES = MiB;
const MAX_FILES = 1000;
const MAX_DEPTH = 32;
const COMMAND_LIST = "command.lst";
/** Those that have the commands `linux` and `initrd`, on one platform or the other. */
const LINUX_MODULES = ["linux", "linuxefi"];

/** Loads modules from files, and those of commands when they are called (GRUB's kern/dl.c, normal/dyncmd.c). */
export class GrubModuleLoader {
	readonly #storage: GrubStorage;
	readonly #platform: GrubPlatform;
	readonly #prefix: () => ByteString;
	readonly #files = new Set<ByteString>();
	readonly #broken = new Map<ByteString, string>();
	/** By command; empty before `normal`. */
	readonly #ofCommands = new Map<ByteString, ByteString>();
	#depth = 0;

	constructor(storage: GrubStorage, platform: GrubPlatform, prefix: () => ByteString) {
		this.#storage = storage;
		this.#platform = platform;
		this.#prefix = prefix;
	}

	/** Files that are loaded as modules and are none, with the reason, each once. */
	get broken(): readonly string[] {
		return [...this.#broken.values()];
	}

	/** With all that it depends on, unless it is there; by its name or its path. False where that fails. */
	async load(name: ByteString): Promise<boolean> {
		const areKnown = this.#storage.knowsModules;
		if (areKnown && this.#storage.hasModule(name)) return true;
		const path = /[(/]/.test(name) ? name : `${this.#directory()}/${name}.mod`;
		const node = this.#storage.find(path);
		// Where it is not known what is built in, what has no file is taken to be.
		if (node?.type !== "file") return !areKnown;
		if (this.#broken.has(path)) return false;
		if (this.#files.has(path)) return true;
		this.#files.add(path);
		if (this.#files.size > MAX_FILES) notKnown("it loads too many modules");
		const module =
			node.byteLength > MAX_FILE_BYTES
				? `it has ${node.byteLength} bytes`
				: readGrubModule(await node.read(), this.#platform);
		const fault =
			typeof module === "string" ? `it is no module of GRUB: ${module}` : await this.#missingOf(module.dependencies);
		if (fault !== undefined) {
			this.#broken.set(path, `${displayName(path)}: ${fault}`);
			return false;
		}
		this.#storage.addModule(path.slice(path.lastIndexOf("/") + 1).replace(/\.mod$/, ""));
		return true;
	}

	async #missingOf(names: readonly ByteString[]): Promise<string | undefined> {
		if (++this.#depth > MAX_DEPTH) notKnown("modules need each other without an end");
		try {
			for (const name of names)
				if (!(await this.load(name))) return `it needs the module ${displayName(name)}, which cannot be loaded`;
			return undefined;
		} finally {
			this.#depth--;
		}
	}

	/** Lines of `COMMAND: MODULE`, with a star in front of those that take options. */
	async readCommandList(): Promise<void> {
		if (!this.#storage.knowsModules) return;
		const node = this.#storage.find(`${this.#directory()}/${COMMAND_LIST}`);
		if (node?.type !== "file" || node.byteLength > MAX_FILE_BYTES) return;
		for (const line of byteStringOf(await node.read()).split("\n")) {
			const colon = line.indexOf(":");
			if (colon > 0)
				this.#ofCommands.set(line.slice(line.startsWith("*") ? 1 : 0, colon), line.slice(colon + 1).trim());
		}
	}

	/** Whether a command has the modules that it needs, once those are loaded that it is known to be in. */
	async hasModules(command: ByteString, modules: readonly string[]): Promise<boolean> {
		for (const module of modules)
			if (!this.#storage.hasModule(module) && !(this.#ofCommands.has(command) && (await this.load(module))))
				return false;
		return true;
	}

	/** Why a command that starts Linux fails for want of its module; undefined where it does not, or that is not known. */
	async faultOf(command: ByteString): Promise<string | undefined> {
		const module = this.#ofCommands.get(command);
		if (module === undefined) {
			const isKnown = this.#storage.knowsModules && !LINUX_MODULES.some((name) => this.#storage.hasModule(name));
			return isKnown ? `the command ${displayName(command)} is in no module that it knows of` : undefined;
		}
		if (await this.load(module)) return undefined;
		return `the command ${displayName(command)} needs the module ${displayName(module)}, which cannot be loaded`;
	}

	#directory(): ByteString {
		return `${this.#prefix()}/${this.#platform.name}`;
	}
}

import { type ByteString, displayName } from "../../../binary/byte-string.ts";
import type { GrubDevice, GrubFileSystem, GrubNode } from "./medium.ts";
import { notKnown } from "./outcome.ts";

export const MEMORY_DISK = "memdisk";
const MAX_LOOKED = 100;

/** The devices that GRUB sees with the modules that it has, and which configurations it looked for in vain. */
export class GrubStorage {
	readonly #devices: readonly GrubDevice[];
	readonly #modules: Set<string> | undefined;
	readonly #root: () => ByteString;
	/** Devices that commands made, whose content is not known. */
	readonly #opaque = new Set<string>();
	readonly #missing = new Set<ByteString>();

	/** `root` gives the device of paths without one; `modules` are undefined where they are not known, and taken to be enough. */
	constructor(devices: readonly GrubDevice[], modules: Iterable<string> | undefined, root: () => ByteString) {
		this.#devices = devices;
		this.#modules = modules === undefined ? undefined : new Set(modules);
		this.#root = root;
	}

	/** Paths of configurations that were asked for and are not there, with their device, in order, each once. */
	get missing(): readonly ByteString[] {
		return [...this.#missing];
	}

	hasModule(name: string): boolean {
		return this.#modules === undefined || this.#modules.has(name);
	}

	/** It is known which modules there are. */
	get knowsModules(): boolean {
		return this.#modules !== undefined;
	}

	addModule(name: string): void {
		this.#modules?.add(name);
	}

	addOpaque(device: string): void {
		this.#opaque.add(device);
	}

	/** The node at a path with or without device, or undefined. */
	find(path: ByteString): GrubNode | undefined {
		return this.locate(path)?.node;
	}

	/** A path with or without device. */
	locate(path: ByteString): { device: string; path: ByteString; node: GrubNode | undefined } | undefined {
		const end = path.startsWith("(") ? path.indexOf(")") : -1;
		const device = end < 0 ? this.#root() : path.slice(1, end);
		const rest = path.slice(end + 1);
		if (!rest.startsWith("/")) return undefined;
		const fileSystem = this.#fileSystem(device);
		return { device, path: rest, node: fileSystem && nodeAt(fileSystem, rest) };
	}

	/** As `find`; takes down what is not there. */
	lookFor(path: ByteString): GrubNode | undefined {
		const found = this.locate(path.startsWith("(") && path.endsWith(")") ? `${path}/` : path);
		if (found !== undefined && found.node === undefined) this.miss(`(${found.device})${found.path}`);
		return found?.node;
	}

	miss(path: ByteString): void {
		if (this.#missing.size < MAX_LOOKED && path.endsWith(".cfg")) this.#missing.add(path);
	}

	/** The first device, in order, with such a label or such a file. */
	search(by: "file" | "label", target: ByteString): string | undefined {
		return this.#devices.find(({ name }) => {
			const fileSystem = name === MEMORY_DISK ? undefined : this.#fileSystem(name);
			if (by === "label") return fileSystem?.label === target;
			return target.startsWith("/") && fileSystem !== undefined && nodeAt(fileSystem, target)?.type === "file";
		})?.name;
	}

	#fileSystem(name: string): GrubFileSystem | undefined {
		const found = this.#devices.find((device) => device.name === name)?.fileSystem;
		if (found === undefined && this.#opaque.has(name)) notKnown(`it uses the device (${displayName(name)})`);
		return found !== undefined && this.hasModule(found.module) && this.#hasPartitions(name) ? found : undefined;
	}

	#hasPartitions(device: string): boolean {
		return !device.includes(",gpt") || this.hasModule("part_gpt");
	}
}

/** The node at a path whose `..` go up from directories that are there, at the root to itself. */
function nodeAt(fileSystem: GrubFileSystem, path: ByteString): GrubNode | undefined {
	const names: ByteString[] = [];
	for (const name of path.split("/")) {
		if (name !== "..") names.push(name);
		else if (fileSystem.find(`/${names.join("/")}`)?.type !== "directory") return undefined;
		else names.splice(names.findLastIndex((each) => each !== "" && each !== "."));
	}
	return fileSystem.find(names.join("/"));
}

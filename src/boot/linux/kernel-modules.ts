import type { ByteString } from "../../binary/byte-string.ts";

/** Where a kernel driver or file system is. */
type DriverState = "built-in" | "module" | "missing" | "missing-dependency";

/** modprobe takes - and _ for the same. */
function canonical(name: string): string {
	return name.replaceAll("-", "_");
}

/** Of a module by its file: `kernel/fs/squashfs/squashfs.ko.xz` is squashfs. */
export function moduleNameOf(path: string): string {
	const file = path.slice(path.lastIndexOf("/") + 1);
	return canonical(file.replace(/\.ko(\.(gz|xz|zst))?$/, ""));
}

/** Which drivers a kernel has, from `modules.builtin`, `modules.dep` and a listing (kmod's formats). */
export class KernelModules {
	readonly #builtIn: ReadonlySet<string>;
	/** As written, for few of them are looked at. */
	readonly #dependencies: ReadonlyMap<string, string>;
	readonly #present: ReadonlyMap<string, ByteString>;

	constructor(sources: {
		/** `modules.builtin`: a path per line. */
		readonly builtIn: string;
		/** `modules.dep`: `path: paths`; undefined where there is none, so that dependencies are not known. */
		readonly dependencies: string | undefined;
		/** Paths of the module files that are there. */
		readonly files: Iterable<ByteString>;
	}) {
		this.#builtIn = new Set(
			sources.builtIn
				.split("\n")
				.filter((line) => line !== "")
				.map(moduleNameOf),
		);
		const dependencies = new Map<string, string>();
		for (const line of (sources.dependencies ?? "").split("\n")) {
			const [path, rest = ""] = line.split(":", 2);
			if (path !== undefined && path !== "") dependencies.set(moduleNameOf(path), rest);
		}
		this.#dependencies = dependencies;
		this.#present = new Map([...sources.files].map((path) => [moduleNameOf(path), path]));
	}

	/** Number of module files. */
	get fileCount(): number {
		return this.#present.size;
	}

	isBuiltIn(name: string): boolean {
		return this.#builtIn.has(canonical(name));
	}

	state(name: string): DriverState {
		const module = canonical(name);
		if (this.#builtIn.has(module)) return "built-in";
		if (!this.#present.has(module)) return "missing";
		return this.missingDependencies(name).length === 0 ? "module" : "missing-dependency";
	}

	/** Can be used: built in, or a module with all that it depends on. */
	has(name: string): boolean {
		const state = this.state(name);
		return state === "built-in" || state === "module";
	}

	/** Modules that `name` depends on and that are neither there nor built in. */
	missingDependencies(name: string): string[] {
		return (this.#dependencies.get(canonical(name)) ?? "")
			.split(" ")
			.filter((path) => path !== "")
			.map(moduleNameOf)
			.filter((other) => !this.#present.has(other) && !this.#builtIn.has(other));
	}

	pathOf(name: string): ByteString | undefined {
		return this.#present.get(canonical(name));
	}
}

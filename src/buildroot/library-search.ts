import { type ByteString, byteStringOf, compareByteStrings } from "../binary/byte-string.ts";
import { KiB } from "../binary/units.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import { lookupQuietly } from "../tree/lookup-quietly.ts";
import { lookupFile } from "./executable.ts";

/** Which dynamic loader's rules decide where libraries are. */
export type LoaderKind = "glibc" | "musl";

/** What `$LIB`, `$PLATFORM` and the default directories depend on. */
interface ArchitectureDirectories {
	readonly platform: string;
	/** What `$LIB` stands for, in the distributions' differing opinions. */
	readonly lib: readonly string[];
}

const ARCHITECTURES: Readonly<Record<number, ArchitectureDirectories>> = {
	3: { platform: "i686", lib: ["lib/i386-linux-gnu", "lib"] },
	40: { platform: "v7l", lib: ["lib/arm-linux-gnueabihf", "lib"] },
	62: { platform: "x86_64", lib: ["lib/x86_64-linux-gnu", "lib64"] },
	183: { platform: "aarch64", lib: ["lib/aarch64-linux-gnu", "lib64"] },
	243: { platform: "riscv64", lib: ["lib/riscv64-linux-gnu", "lib64"] },
	258: { platform: "loongarch64", lib: ["lib/loongarch64-linux-gnu", "lib64"] },
	21: { platform: "ppc64le", lib: ["lib/powerpc64le-linux-gnu", "lib64"] },
};

const MAX_CONFIGURATION_FILES = 256;
const MAX_CONFIGURATION_BYTES = 64 * KiB;
const MAX_INCLUDE_DEPTH = 8;
const MAX_DIRECTORIES = 512;
/** Of a path with wildcards. */
const MAX_PATTERN_COMPONENTS = 32;
/** Comparisons of a character with one of a pattern, in all files together: some hundred thousand names. */
const MAX_COMPARISONS = 100_000_000;
/** Linux `PATH_MAX`. */
const MAX_DIRECTORY_BYTES = 4096;

export function loaderKindOf(interpreter: ByteString): LoaderKind {
	return /\/ld-musl-[^/]*$/.test(interpreter) ? "musl" : "glibc";
}

/** The directories that the image's loader searches after those that the files themselves name, in order. */
export async function systemDirectories(
	tree: ImageTree,
	kind: LoaderKind,
	machine: number,
	interpreter: ByteString,
): Promise<readonly ByteString[]> {
	if (kind === "musl") return muslDirectories(tree, interpreter);
	const lib = ARCHITECTURES[machine]?.lib ?? [];
	const multiarch = lib.flatMap((directory) => [`/${directory}`, `/usr/${directory}`]);
	return [
		...new Set([...(await configuredDirectories(tree)), ...multiarch, "/lib64", "/usr/lib64", "/lib", "/usr/lib"]),
	];
}

/**
 * One entry of DT_RPATH or DT_RUNPATH with `$ORIGIN`, `$LIB` and `$PLATFORM` (also in braces) put in: several directories where a
 * token has several meanings. Relative entries and unknown tokens give none.
 */
export function expandDirectory(
	entry: ByteString,
	origins: readonly ByteString[],
	machine: number,
): readonly ByteString[] {
	const architecture = ARCHITECTURES[machine];
	const values: Readonly<Record<string, readonly string[]>> = {
		ORIGIN: origins,
		LIB: architecture?.lib ?? ["lib"],
		PLATFORM: architecture === undefined ? [] : [architecture.platform],
	};
	let expanded: readonly ByteString[] = entry.length > MAX_DIRECTORY_BYTES ? [] : [entry];
	for (const [name, meanings] of Object.entries(values)) {
		const token = new RegExp(`\\$(?:\\{${name}\\}|${name}(?![A-Za-z0-9_]))`, "g");
		expanded = expanded
			.flatMap((text) =>
				text.search(token) < 0 ? [text] : meanings.map((meaning) => text.replace(token, () => meaning)),
			)
			.filter((text) => text.length <= MAX_DIRECTORY_BYTES);
	}
	return expanded.filter((text) => text.startsWith("/") && !text.includes("$"));
}

/** musl reads one file beside itself, `/etc/ld-musl-ARCH.path`, or has three defaults. */
async function muslDirectories(tree: ImageTree, interpreter: ByteString): Promise<readonly ByteString[]> {
	const name = /\/(ld-musl-[^/]*)\.so\.1$/.exec(interpreter)?.[1];
	const text = name === undefined ? undefined : await readText(tree, `/etc/${name}.path`);
	const directories = text?.split(/[:\n]/).filter((directory) => directory.startsWith("/"));
	return (directories ?? ["/lib", "/usr/local/lib", "/usr/lib"]).slice(0, MAX_DIRECTORIES);
}

/** ld.so.conf and what it includes: what ldconfig made the loader's cache from. */
async function configuredDirectories(tree: ImageTree): Promise<readonly ByteString[]> {
	const directories = new Set<ByteString>();
	let filesLeft = MAX_CONFIGURATION_FILES;
	const glob = new Globber(tree);
	const readFile = async (path: ByteString, depth: number): Promise<void> => {
		if (filesLeft-- <= 0 || depth > MAX_INCLUDE_DEPTH) return;
		const text = await readText(tree, path);
		for (const line of text?.split("\n") ?? []) {
			const words = (line.split("#", 1)[0] ?? "").split(/[\s:,]+/).filter((word) => word !== "");
			if (words[0] === "include") {
				for (const pattern of words.slice(1))
					for (const included of glob.paths(pattern.startsWith("/") ? pattern : `/etc/${pattern}`)) {
						if (filesLeft <= 0) return;
						await readFile(included, depth + 1);
					}
			} else if (words[0] !== "hwcap") {
				for (const word of words) if (word.startsWith("/") && directories.size < MAX_DIRECTORIES) directories.add(word);
			}
		}
	};
	await readFile("/etc/ld.so.conf", 0);
	return [...directories];
}

async function readText(tree: ImageTree, path: ByteString): Promise<ByteString | undefined> {
	const file = lookupFile(tree, path);
	if (file === undefined || file.inode.byteLength > MAX_CONFIGURATION_BYTES) return undefined;
	return byteStringOf(await tree.read(file.inode, MAX_CONFIGURATION_BYTES));
}

/** What `include` names. Directories of any size may be asked any number of times: past a bound nothing more is found. */
class Globber {
	readonly #tree: ImageTree;
	#comparisonsLeft = MAX_COMPARISONS;

	constructor(tree: ImageTree) {
		this.#tree = tree;
	}

	/** Paths that match `pattern`, where `*` and `?` may stand in any component, sorted. */
	paths(pattern: ByteString): readonly ByteString[] {
		const components = pattern.split("/").filter((part) => part !== "");
		if (components.length > MAX_PATTERN_COMPONENTS) return [];
		let paths: readonly ByteString[] = [""];
		for (const component of components) {
			if (!/[*?]/.test(component)) paths = paths.map((path) => `${path}/${component}`);
			else {
				const found: ByteString[] = [];
				for (const path of paths) {
					if (found.length >= MAX_CONFIGURATION_FILES) break;
					for (const name of this.#namesIn(path, component)) found.push(`${path}/${name}`);
				}
				paths = found.slice(0, MAX_CONFIGURATION_FILES);
			}
		}
		return paths;
	}

	#namesIn(path: ByteString, component: ByteString): ByteString[] {
		const directory = lookupQuietly(this.#tree, path === "" ? "/" : path);
		if (directory?.inode.type !== "directory") return [];
		const found: ByteString[] = [];
		for (const name of directory.inode.entries.keys()) {
			this.#comparisonsLeft -= (1 + name.length) * component.length;
			if (this.#comparisonsLeft < 0) break;
			if ((component.startsWith(".") || !name.startsWith(".")) && matches(name, component)) found.push(name);
		}
		return found.sort(compareByteStrings).slice(0, MAX_CONFIGURATION_FILES);
	}
}

/** Greedy wildcard match with one point to come back to: at most as many steps as the product of both lengths. */
function matches(name: ByteString, pattern: ByteString): boolean {
	let at = 0;
	let p = 0;
	let star = -1;
	let resume = 0;
	while (at < name.length) {
		if (pattern[p] === "*") {
			star = p++;
			resume = at;
		} else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === name[at])) {
			p++;
			at++;
		} else if (star >= 0) {
			p = star + 1;
			at = ++resume;
		} else {
			return false;
		}
	}
	while (pattern[p] === "*") p++;
	return p === pattern.length;
}

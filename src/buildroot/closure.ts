import { type ByteString, displayName } from "../binary/byte-string.ts";
import { MiB } from "../binary/units.ts";
import { Oci2isoError } from "../errors.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { FileInode } from "../tree/inode.ts";
import { lookupQuietly } from "../tree/lookup-quietly.ts";
import { baseName } from "../tree/path.ts";
import { type ElfFile, foreignArchitecture, parseElf } from "./elf.ts";
import { type FoundFile, lookupFile, readToolFile } from "./executable.ts";
import { expandDirectory, type LoaderKind, loaderKindOf, systemDirectories } from "./library-search.ts";

/** Everything of the image that one executable needs to run. */
export interface ToolClosure {
	/** Canonical path of the executable. */
	readonly tool: ByteString;
	/** Canonical path of its dynamic loader; undefined for a static executable. */
	readonly loader: { readonly path: ByteString; readonly kind: LoaderKind } | undefined;
	/** Canonical directories in which the libraries are, in the order in which they were first needed. */
	readonly libraryDirectories: readonly ByteString[];
	/** Path to put it at (a library's is the name it was asked for by), and content. */
	readonly files: ReadonlyMap<ByteString, FileInode>;
}

/** An object as the dynamic loader links it: who asked for it matters to DT_RPATH. */
interface LoadedObject {
	readonly elf: ElfFile;
	/** What `$ORIGIN` may stand for: where it was found, and where its symbolic links lead. */
	readonly origins: readonly ByteString[];
	readonly requester: LoadedObject | undefined;
}

const MAX_LIBRARIES = 128;
const MAX_FILE_BYTES = 64 * MiB;
const MAX_CLOSURE_BYTES = 256 * MiB;
/** Looked at for all libraries together; a tool of a distribution has a dozen libraries in half a dozen directories. */
const MAX_SEARCHED_DIRECTORIES = 65_536;

/** e_machine of the hosts that can run an executable natively, all little-endian and 64 bits wide. */
const HOST_MACHINES: Readonly<Record<string, number>> = { x64: 62, arm64: 183, riscv64: 243, loong64: 258, ppc64: 21 };

/** Names that musl's loader serves itself, whatever the image holds. */
const MUSL_BUILTIN = /^lib(?:c|pthread|rt|m|dl|util|xnet)\./;

/**
 * Finds the loader and the libraries of `tool` as the image's own dynamic loader would, transitively; glibc-hwcaps variants are not considered.
 * Throws `Oci2isoError` (kind tool) TOOL_IS_SCRIPT, TOOL_MALFORMED, TOOL_FOREIGN_ARCHITECTURE, TOOL_LIBRARY_MISSING or TOOL_TOO_LARGE.
 */
export async function toolClosure(tree: ImageTree, tool: FoundFile): Promise<ToolClosure> {
	const files = new Map<ByteString, FileInode>();
	let byteLength = 0;
	/** Takes the file into the closure, unless it is an ELF file of another class or machine than `like`. */
	const load = async (file: FoundFile, path: ByteString, like?: ElfFile): Promise<ElfFile | undefined> => {
		const bytes = await readToolFile(tree, file, Math.min(MAX_FILE_BYTES, MAX_CLOSURE_BYTES - byteLength));
		if (isScript(bytes)) throw scriptError(file.path, bytes);
		byteLength += bytes.byteLength;
		const elf = parseElf(bytes, displayName(file.path));
		if (like !== undefined && (elf.bits !== like.bits || elf.machine !== like.machine)) return undefined;
		files.set(path, file.inode);
		return elf;
	};
	const loadForHost = async (file: FoundFile): Promise<ElfFile> => {
		const elf = await load(file, file.path);
		if (elf?.bits === 64 && elf.machine === HOST_MACHINES[process.arch]) return elf;
		throw foreignArchitecture(`an executable for ELF machine ${elf?.machine}`, displayName(file.path));
	};

	const elf = await loadForHost(tool);
	if (elf.interpreter === undefined) {
		if (elf.needed.length > 0) throw missing(`a dynamic loader for ${displayName(tool.path)}`, tool.path);
		return { tool: tool.path, loader: undefined, libraryDirectories: [], files };
	}
	const loaderFile = lookupFile(tree, elf.interpreter);
	if (loaderFile === undefined) throw missing(displayName(elf.interpreter), tool.path);
	await loadForHost(loaderFile);

	const kind = loaderKindOf(elf.interpreter);
	const system = await systemDirectories(tree, kind, elf.machine, elf.interpreter);
	const libraryDirectories = new Set<ByteString>();
	let directoriesLeft = MAX_SEARCHED_DIRECTORIES;
	const resolved = new Set<ByteString>([baseName(elf.interpreter)]);
	const queue: LoadedObject[] = [{ elf, origins: [directoryOf(tool.path)], requester: undefined }];
	for (const requester of queue) {
		for (const name of requester.elf.needed) {
			if (resolved.has(name) || (kind === "musl" && MUSL_BUILTIN.test(name))) continue;
			if (resolved.size > MAX_LIBRARIES) throw missing(`more than ${MAX_LIBRARIES} libraries`, tool.path);
			resolved.add(name);
			const directories = searchOrder(requester, kind, system);
			directoriesLeft -= directories.length;
			if (directoriesLeft < 0)
				throw missing(`more than ${MAX_SEARCHED_DIRECTORIES} directories for libraries`, tool.path);
			const library = await findLibrary(tree, name, directories, elf, load);
			if (library === undefined) throw missing(displayName(name), tool.path);
			libraryDirectories.add(library.directory);
			queue.push({ elf: library.elf, origins: library.origins, requester });
		}
	}
	return {
		tool: tool.path,
		loader: { path: loaderFile.path, kind },
		libraryDirectories: [...libraryDirectories],
		files,
	};
}

/**
 * ld.so(8): DT_RPATH of the requester and of those that caused it to be loaded, unless the requester has DT_RUNPATH; then the requester's DT_RUNPATH;
 * then the system's directories. musl makes no difference between the two tags and always asks the whole chain.
 */
function searchOrder(requester: LoadedObject, kind: LoaderKind, system: readonly ByteString[]): readonly ByteString[] {
	const expand = (object: LoadedObject, entries: readonly ByteString[]): readonly ByteString[] =>
		entries.flatMap((entry) => expandDirectory(entry, object.origins, object.elf.machine));
	const directories: ByteString[] = [];
	for (let object: LoadedObject | undefined = requester; object !== undefined; object = object.requester) {
		if (kind === "musl") directories.push(...expand(object, object.elf.runpath ?? object.elf.rpath));
		else if (requester.elf.runpath === undefined) directories.push(...expand(object, object.elf.rpath));
	}
	if (kind === "glibc") directories.push(...expand(requester, requester.elf.runpath ?? []));
	return [...directories, ...system];
}

async function findLibrary(
	tree: ImageTree,
	name: ByteString,
	directories: readonly ByteString[],
	tool: ElfFile,
	load: (file: FoundFile, path: ByteString, like: ElfFile) => Promise<ElfFile | undefined>,
): Promise<{ elf: ElfFile; directory: ByteString; origins: readonly ByteString[] } | undefined> {
	if (name.includes("/") || name === "") return undefined;
	for (const place of new Set(directories)) {
		const directory = lookupQuietly(tree, place);
		if (directory?.inode.type !== "directory") continue;
		const path = `${directory.path === "/" ? "" : directory.path}/${name}`;
		const file = lookupFile(tree, path);
		if (file === undefined) continue;
		// The loader passes over libraries of another class or machine: directories of several architectures may be listed.
		const elf = await load(file, path, tool);
		if (elf === undefined) continue;
		const origins = new Set([directory.path, directoryOf(file.path)]);
		return { elf, directory: directory.path, origins: [...origins] };
	}
	return undefined;
}

function isScript(bytes: Uint8Array): boolean {
	return bytes[0] === 0x23 && bytes[1] === 0x21;
}

function scriptError(path: ByteString, bytes: Uint8Array): Oci2isoError {
	const firstLine = Buffer.from(bytes.subarray(0, 80)).toString("latin1").split("\n")[0] ?? "";
	return new Oci2isoError({
		code: "TOOL_IS_SCRIPT",
		kind: "tool",
		what: `a script (${firstLine}) instead of an executable`,
		where: displayName(path),
		expected: "an ELF executable, because only its own libraries are taken out of the image",
		remedy: "use --tools builtin, or install the distribution's own tool in the image",
	});
}

function missing(what: string, tool: ByteString): Oci2isoError {
	return new Oci2isoError({
		code: "TOOL_LIBRARY_MISSING",
		kind: "tool",
		what: `the image's tool needs ${what}, which cannot be found in the image`,
		where: displayName(tool),
		remedy: "install the tool's package with its dependencies in the image, or use --tools builtin",
	});
}

function directoryOf(path: ByteString): ByteString {
	return path.slice(0, Math.max(1, path.lastIndexOf("/")));
}

import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type ByteString, bytesOf, displayName } from "../binary/byte-string.ts";
import { withoutTrailing } from "../binary/trim-end.ts";
import { MiB } from "../binary/units.ts";
import { Oci2isoError } from "../errors.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { FileInode } from "../tree/inode.ts";
import { lookupQuietly } from "../tree/lookup-quietly.ts";
import { lookupFile, readToolFile } from "./executable.ts";

const MAX_DIRECTORY_FILES = 4096;
const MAX_DIRECTORY_BYTES = 128 * MiB;
const MAX_EXTRACTED_FILE_BYTES = 64 * MiB;

/**
 * Runs `use` with a new directory of which only this user may list or open anything, below `parent` (default: the system's temporary directory).
 * The directory is removed when `use` has settled, whatever the outcome.
 */
export async function withPrivateDirectory<Result>(
	parent: string | undefined,
	use: (directory: string) => Promise<Result>,
): Promise<Result> {
	const place = temporaryPlace(parent);
	const directory = await writing(() => mkdtemp(join(place, "oci2iso-tool-")), place);
	try {
		return await use(directory);
	} finally {
		await rm(directory, { recursive: true, force: true, maxRetries: 3 });
	}
}

/** Where private directories are made. */
export function temporaryPlace(parent: string | undefined): string {
	return resolve(parent ?? tmpdir());
}

/** An image directory of which a tool reads the regular files directly in it, or those of them that it needs. */
export interface ToolDirectory {
	readonly path: ByteString;
	readonly needs?: ((name: ByteString) => boolean) | undefined;
}

/**
 * The regular files directly in an image directory, links followed, keyed by the path each is to be extracted to.
 * Throws `Oci2isoError` (kind tool) TOOL_INPUT_MISSING where it is not a directory, TOOL_TOO_LARGE beyond 4096 files or 128 MiB.
 */
export function filesOfDirectory(tree: ImageTree, { path, needs }: ToolDirectory): ReadonlyMap<ByteString, FileInode> {
	const directory = lookupQuietly(tree, path);
	if (directory?.inode.type !== "directory")
		throw new Oci2isoError({
			code: "TOOL_INPUT_MISSING",
			kind: "tool",
			what: "the image has no such directory",
			where: displayName(path),
		});
	const files = new Map<ByteString, FileInode>();
	let byteLength = 0;
	for (const name of directory.inode.entries.keys()) {
		if (needs?.(name) === false) continue;
		const file = lookupFile(tree, `${directory.path}/${name}`);
		if (file === undefined) continue;
		files.set(`${withoutTrailing(path, "/")}/${name}`, file.inode);
		byteLength += file.inode.byteLength;
		if (files.size > MAX_DIRECTORY_FILES || byteLength > MAX_DIRECTORY_BYTES)
			throw new Oci2isoError({
				code: "TOOL_TOO_LARGE",
				kind: "tool",
				what: `a directory of more than ${MAX_DIRECTORY_FILES} files or ${MAX_DIRECTORY_BYTES} bytes`,
				where: displayName(path),
				remedy: "use --tools builtin",
			});
	}
	return files;
}

/** Writes the files below `root`, read-only, with the directories they need. */
export async function extract(tree: ImageTree, files: ReadonlyMap<ByteString, FileInode>, root: string): Promise<void> {
	const made = new Set<ByteString>();
	for (const [path, inode] of files) {
		const components = path.split("/").slice(1);
		if (!path.startsWith("/") || components.some((name) => ["", ".", ".."].includes(name) || name.includes("\0")))
			throw new Error(`internal invariant broken: ${displayName(path)} is not canonical`);
		const bytes = await readToolFile(tree, { path, inode }, MAX_EXTRACTED_FILE_BYTES);
		await writing(
			async () => {
				for (let depth = 1; depth < components.length; depth++) {
					const directory = components.slice(0, depth).join("/");
					if (made.has(directory)) continue;
					await mkdir(hostPath(root, directory), { recursive: true });
					await chmod(hostPath(root, directory), 0o755);
					made.add(directory);
				}
				const target = hostPath(root, components.join("/"));
				await writeFile(target, bytes, { flag: "wx" });
				await chmod(target, (inode.mode & 0o111) === 0 ? 0o444 : 0o555);
			},
			displayName(path),
			true,
		);
	}
}

/** Of names that an image may have and this host's file system may not, or that are in each other's way. */
const NAME_ERRORS = ["EEXIST", "ENOTDIR", "EISDIR", "ENAMETOOLONG", "EINVAL", "EILSEQ"];
const ROOM_ERRORS = ["ENOSPC", "EDQUOT", "EFBIG"];

/** Runs a write to the temporary directory; its failure is the environment's. `named` says that the image chose the names. */
export async function writing<Result>(write: () => Promise<Result>, where: string, named = false): Promise<Result> {
	try {
		return await write();
	} catch (cause) {
		const errno = String((cause as NodeJS.ErrnoException).code);
		const what = `cannot prepare the files for an image tool: ${cause instanceof Error ? cause.message : String(cause)}`;
		if (named && NAME_ERRORS.includes(errno)) {
			const remedy = "use --tools builtin";
			throw new Oci2isoError({ code: "TOOL_PATH_UNSUPPORTED", kind: "tool", what, where, remedy, cause });
		}
		const isFull = ROOM_ERRORS.includes(errno);
		throw new Oci2isoError({
			code: isFull ? "TEMPORARY_DIRECTORY_FULL" : "TEMPORARY_DIRECTORY_UNWRITABLE",
			kind: "output",
			what,
			where,
			remedy: `point TMPDIR at a directory ${isFull ? "with room" : "that this user may write to"}, or use --tools builtin, which needs none`,
			cause,
		});
	}
}

function hostPath(root: string, relative: ByteString): Buffer {
	return Buffer.concat([Buffer.from(`${root}/`), bytesOf(relative)]);
}

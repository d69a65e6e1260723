import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, type Stats } from "node:fs";
import { type ByteString, byteStringOf, bytesOf } from "../../binary/byte-string.ts";
import { errnoOf } from "../failures.ts";

/** A regular file, open for reading; `close` is for who opened it. */
export interface OpenFile {
	readonly fd: number;
	readonly byteLength: number;
}

/** Linux': to go through a directory takes no right to list it. */
const O_PATH = 0o10000000;
const DIRECTORY_FLAGS = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const FILE_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** As the kernel has it. */
const MAX_LINKS = 40;
/** Each is a descriptor. */
const MAX_DEPTH = 256;

interface OpenDirectory {
	readonly name: ByteString;
	readonly fd: number;
}

/**
 * Files below a directory, and nothing else: names are looked up one after another from open directories, symbolic links of directories lead to where they would with
 * that directory as "/", and what is no regular file is not opened. Directories stay open for the next file until `close`.
 */
export class FilesBelow {
	readonly #root: number;
	readonly #open: OpenDirectory[] = [];

	/** `path` is trusted, `inner` are names below it, which are not. Throws what `open` throws. */
	constructor(path: string, inner: readonly string[]) {
		let fd = openSync(path, O_PATH | constants.O_DIRECTORY);
		try {
			for (const name of inner) {
				const next = openSync(below(fd, name), DIRECTORY_FLAGS);
				closeSync(fd);
				fd = next;
			}
		} catch (error) {
			closeSync(fd);
			throw error;
		}
		this.#root = fd;
	}

	/** Throws system errors as they are, and ENOTDIR, ELOOP or ENAMETOOLONG where the path leads through too much; undefined: there is something that is no regular file. */
	open(path: ByteString): OpenFile | undefined {
		const names = path.split("/").filter((name) => name !== "" && name !== ".");
		const last = names.pop();
		if (last === undefined || last === "..") return undefined;
		const place = below(this.#enter(names), last);
		if (!lstatSync(place).isFile()) return undefined;
		const fd = openSync(place, FILE_FLAGS);
		let status: Stats | undefined;
		try {
			status = fstatSync(fd);
		} finally {
			if (status?.isFile() !== true) closeSync(fd);
		}
		return status.isFile() ? { fd, byteLength: status.size } : undefined;
	}

	close(): void {
		this.#leaveTo(0);
		closeSync(this.#root);
	}

	/** The descriptor of the directory that names lead to from the root. */
	#enter(names: readonly ByteString[]): number {
		let shared = 0;
		while (shared < this.#open.length && this.#open[shared]?.name === names[shared]) shared++;
		this.#leaveTo(shared);
		const left = names.slice(shared).reverse();
		let links = 0;
		for (let name = left.pop(); name !== undefined; name = left.pop()) {
			if (name === "..") this.#leaveTo(Math.max(0, this.#open.length - 1));
			if (name === "" || name === "." || name === "..") continue;
			const target = this.#step(name);
			if (target === undefined) continue;
			if (++links > MAX_LINKS) throw failure("ELOOP");
			if (target.startsWith("/")) this.#leaveTo(0);
			left.push(...target.split("/").reverse());
		}
		return this.#current();
	}

	/** Goes into a directory, or gives the target of the symbolic link that there is instead. */
	#step(name: ByteString): ByteString | undefined {
		if (this.#open.length >= MAX_DEPTH) throw failure("ENAMETOOLONG");
		const place = below(this.#current(), name);
		try {
			this.#open.push({ name, fd: openSync(place, DIRECTORY_FLAGS) });
			return undefined;
		} catch (error) {
			if (errnoOf(error) !== "ENOTDIR" || !lstatSync(place).isSymbolicLink()) throw error;
			return byteStringOf(readlinkSync(place, { encoding: "buffer" }));
		}
	}

	#current(): number {
		return this.#open.at(-1)?.fd ?? this.#root;
	}

	#leaveTo(depth: number): void {
		while (this.#open.length > depth) closeSync(this.#open.pop()?.fd ?? -1);
	}
}

/** A name in an open directory, whatever that directory's path is by now. */
function below(fd: number, name: ByteString): Buffer {
	return bytesOf(`/proc/self/fd/${fd}/${name}`);
}

function failure(code: string): NodeJS.ErrnoException {
	return Object.assign(new Error(`${code}: a path leads through too much`), { code });
}

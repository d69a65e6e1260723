import { randomBytes } from "node:crypto";
import {
	closeSync,
	constants,
	fstatSync,
	lstatSync,
	mkdirSync,
	openSync,
	readdirSync,
	readSync,
	renameSync,
	rmSync,
	type Stats,
	statSync,
	utimesSync,
	writeSync,
} from "node:fs";
import { homedir, hostname } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { sorting } from "../binary/sorting.ts";
import type { Steps } from "../binary/turns.ts";
import { KiB } from "../binary/units.ts";
import { STORE_VERSION } from "./settings.ts";

const WRITABLE_BY_OTHERS = 0o022;
const LAYERS = "layers";
const PACKS = "packs";
const TEMPORARY = /^tmp-(.*)-(\d+)-[0-9a-f]+$/;
/** A temporary file of another machine is somebody's unfinished work for this long. */
const FOREIGN_TEMPORARY_MILLISECONDS = 24 * 3600 * 1000;

/** What is read in a step. */
const PIECE_BYTES = 64 * KiB;

/** One file of the store. */
export interface StoreFile {
	readonly kind: "layer" | "pack";
	readonly name: string;
	readonly path: string;
	readonly byteLength: number;
	readonly lastUseMilliseconds: number;
}

/** A file of the store that is open for reading: it stays readable when somebody removes its name. */
export interface OpenFile {
	readonly path: string;
	/** For those who read it themselves. */
	readonly descriptor: number;
	readonly byteLength: number;
	/** Fewer bytes than asked for where the file ends. */
	read(position: number, into: Buffer): number;
	close(): void;
}

/** Why a file is not looked into; none of these says that it is damaged. */
interface ClosedFile {
	readonly state: "absent" | "foreign" | "unreadable";
	/** In a few words. */
	readonly reason: string;
}

/** Whether a file could be one of ours by its name; somebody's notes are not. */
export function isOfStore({ kind, name }: Pick<StoreFile, "kind" | "name">): boolean {
	return name.endsWith(kind === "layer" ? ".index" : ".pack");
}

/** A file that gets its name when it is whole. */
export interface PendingFile {
	write(position: number, bytes: Uint8Array): void;
	/** Gives it its name; one that has it already is replaced. */
	publish(name: string): void;
	/** Removes what was written; does nothing after `publish`. */
	discard(): void;
}

/** `$XDG_CACHE_HOME/oci2iso`, else `~/.cache/oci2iso`; undefined where neither is known. */
export function defaultStorePath(environment: NodeJS.ProcessEnv = process.env): string | undefined {
	const base = environment["XDG_CACHE_HOME"];
	if (base !== undefined && isAbsolute(base)) return join(base, "oci2iso");
	const home = environment["HOME"] ?? homeOfUser();
	return home !== undefined && isAbsolute(home) && home !== "/" ? join(home, ".cache", "oci2iso") : undefined;
}

/** A user id that the machine does not know, as containers often have, has no home. */
function homeOfUser(): string | undefined {
	try {
		return homedir();
	} catch {
		return undefined;
	}
}

/**
 * The files of a store: who may touch them, how they come and go. Files are written under a temporary name and never changed, so readers need no lock.
 * Every method may throw what `node:fs` throws; no failure of a store is one of the build.
 */
export class StoreDirectory {
	readonly path: string;
	/** Why files could not be read, by path. */
	readonly #unreadable = new Map<string, string>();

	private constructor(path: string) {
		this.path = path;
	}

	/** Opens the store, and makes it where there is none. A string: why it is not used. */
	static open(path: string, options: { readonly create: boolean }): StoreDirectory | string {
		try {
			const root = join(resolve(path), `v${STORE_VERSION}`);
			if (options.create) makeDirectories(root);
			for (const directory of [resolve(path), root]) {
				const reason = distrust(statSync(directory));
				if (reason !== undefined) return `the cache ${directory} ${reason}`;
			}
			for (const part of [LAYERS, PACKS]) if (options.create) makeDirectories(join(root, part));
			return new StoreDirectory(root);
		} catch (error) {
			return `the cache ${path} cannot be used: ${reasonOf(error)}`;
		}
	}

	/** Layer indexes and packs, the one used last first; a file a step. */
	*listing(): Steps<StoreFile[]> {
		const files: StoreFile[] = [];
		for (const kind of ["layer", "pack"] as const)
			for (const name of namesIn(this.#place(kind))) {
				files.push(...this.#stat(kind, name));
				yield;
			}
		return yield* sorting(files, (a, b) => b.lastUseMilliseconds - a.lastUseMilliseconds || (a.name < b.name ? -1 : 1));
	}

	/** Undefined where there is none, none of our own, or none that can be read. */
	openFile(kind: StoreFile["kind"], name: string): OpenFile | undefined {
		const file = this.tryOpen(kind, name);
		return "state" in file ? undefined : file;
	}

	/** Opens a file, or says why not. */
	tryOpen(kind: StoreFile["kind"], name: string): OpenFile | ClosedFile {
		const path = join(this.#place(kind), name);
		if (!isOfStore({ kind, name })) return { state: "foreign", reason: "is no file of the cache" };
		const refused = this.#unreadable.get(path);
		if (refused !== undefined) return { state: "unreadable", reason: refused };
		let descriptor: number;
		try {
			// a named pipe would wait for a writer
			descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
		} catch (error) {
			const reason = reasonOf(error);
			return { state: reason === "ENOENT" ? "absent" : "unreadable", reason };
		}
		const stats = fstatSync(descriptor);
		const distrusted = stats.isFile() ? distrust(stats) : "is no regular file";
		if (distrusted !== undefined) {
			closeSync(descriptor);
			return { state: "foreign", reason: distrusted };
		}
		return {
			path,
			descriptor,
			byteLength: stats.size,
			read: (position, into) => readSync(descriptor, into, 0, into.byteLength, position),
			close: () => closeSync(descriptor),
		};
	}

	/** Leaves a file alone, which may be as it was written, for as long as this object is used. */
	refuse(path: string, reason: string): void {
		this.#unreadable.set(path, reason);
	}

	/** All of a file, if it is there and has at most `maxBytes`, in steps. */
	*readingFile(kind: StoreFile["kind"], name: string, maxBytes: number): Steps<Buffer | undefined> {
		const file = this.openFile(kind, name);
		if (file === undefined) return undefined;
		try {
			if (file.byteLength > maxBytes) return undefined;
			const bytes = Buffer.allocUnsafe(file.byteLength);
			return (yield* readingFully(file, 0, bytes)) ? bytes : undefined;
		} finally {
			file.close();
		}
	}

	create(kind: StoreFile["kind"]): PendingFile {
		const temporary = join(this.path, `tmp-${hostname()}-${process.pid}-${randomBytes(8).toString("hex")}`);
		const descriptor = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
		let isOpen = true;
		let isPublished = false;
		const close = (): void => {
			if (isOpen) closeSync(descriptor);
			isOpen = false;
		};
		return {
			write(position, bytes) {
				for (let done = 0; done < bytes.byteLength; )
					done += writeSync(descriptor, bytes, done, bytes.byteLength - done, position + done);
			},
			publish: (name) => {
				close();
				renameSync(temporary, join(this.#place(kind), name));
				isPublished = true;
			},
			discard() {
				close();
				if (!isPublished) rmSync(temporary, { force: true });
			},
		};
	}

	has(kind: StoreFile["kind"], name: string): boolean {
		return this.#stat(kind, name).length > 0;
	}

	/** Notes that a file was used now. */
	touch(kind: StoreFile["kind"], name: string, now: Date): void {
		try {
			utimesSync(join(this.#place(kind), name), now, now);
		} catch {
			// it was evicted meanwhile
		}
	}

	remove(kind: StoreFile["kind"], name: string): void {
		rmSync(join(this.#place(kind), name), { force: true });
	}

	/** Files that have no name yet: of builds that run, and of those that were killed. */
	unfinished(): number {
		return namesIn(this.path).filter((name) => TEMPORARY.test(name)).length;
	}

	/** Removes temporary files whose writers are gone; a file a step. */
	*removingStaleTemporaries(nowMilliseconds: number): Steps<void> {
		for (const name of namesIn(this.path)) {
			yield;
			const match = TEMPORARY.exec(name);
			if (match === null) continue;
			const path = join(this.path, name);
			const isOurs = match[1] === hostname();
			if (isOurs ? !isAlive(Number(match[2])) : isOlder(path, nowMilliseconds - FOREIGN_TEMPORARY_MILLISECONDS))
				rmSync(path, { force: true });
		}
	}

	#place(kind: StoreFile["kind"]): string {
		return join(this.path, kind === "layer" ? LAYERS : PACKS);
	}

	#stat(kind: StoreFile["kind"], name: string): StoreFile[] {
		const path = join(this.#place(kind), name);
		const stats = lstatSync(path, { throwIfNoEntry: false });
		if (stats === undefined || !stats.isFile()) return [];
		return [{ kind, name, path, byteLength: stats.size, lastUseMilliseconds: stats.mtimeMs }];
	}
}

/** Whether all of `into` could be read. */
export function readFully(file: OpenFile, position: number, into: Buffer): boolean {
	for (let done = 0; done < into.byteLength; ) {
		const count = file.read(position + done, into.subarray(done));
		if (count === 0) return false;
		done += count;
	}
	return true;
}

/** `readFully`, in steps. */
export function* readingFully(file: OpenFile, position: number, into: Buffer): Steps<boolean> {
	for (let at = 0; at < into.byteLength; at += PIECE_BYTES) {
		if (!readFully(file, position + at, into.subarray(at, at + PIECE_BYTES))) return false;
		yield;
	}
	return true;
}

/** Why something of these attributes may not be believed; root's files are no exception for others. */
function distrust(stats: Stats): string | undefined {
	const user = process.getuid?.();
	if (user !== undefined && stats.uid !== user) return `belongs to another user (uid ${stats.uid})`;
	if ((stats.mode & WRITABLE_BY_OTHERS) !== 0) return "can be written by other users";
	return undefined;
}

/** In a few words, for notices. */
export function reasonOf(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	const { code } = error as NodeJS.ErrnoException;
	return code ?? error.message;
}

function namesIn(directory: string): string[] {
	try {
		return readdirSync(directory);
	} catch {
		return [];
	}
}

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === "EPERM";
	}
}

function isOlder(path: string, milliseconds: number): boolean {
	const stats = lstatSync(path, { throwIfNoEntry: false });
	return stats !== undefined && stats.mtimeMs < milliseconds;
}

/** As `mkdir -p`. Node's own recursive way (20.20) never ends on some file systems that take no new directories. */
function makeDirectories(path: string, isParentMade = false): void {
	try {
		mkdirSync(path, { mode: 0o700 });
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === "EEXIST") return;
		if (code !== "ENOENT" || isParentMade) throw error;
		makeDirectories(dirname(path));
		makeDirectories(path, true);
	}
}

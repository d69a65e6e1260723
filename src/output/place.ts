import {
	constants,
	fstatSync,
	lstatSync,
	readFileSync,
	readlinkSync,
	realpathSync,
	type Stats,
	statSync,
} from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import { Oci2isoError } from "../errors.ts";
import { outputError } from "./file-target.ts";

/** Where something is to be written. */
export type Place =
	| { readonly kind: "stdout"; readonly status: Stats | undefined }
	/** A regular file, or nothing yet. Its path is absolute and has no links. */
	| { readonly kind: "file"; readonly path: string; readonly status: Stats | undefined }
	| { readonly kind: "special"; readonly path: string; readonly type: SpecialType; readonly status: Stats };

type SpecialType = "directory" | "pipe" | "block device" | "character device" | "socket";

const MAX_LINKS = 40;

/**
 * What a path names, symbolic links followed: `-`, /dev/stdout and every other name of descriptor 1 are standard output; a link that leads
 * nowhere names what is to be made at its end. Throws `Oci2isoError` (exit 6) where that cannot be said or the directory is missing.
 */
export function resolvePlace(given: string): Place {
	if (given === "-") return { kind: "stdout", status: descriptorStatus(1) };
	try {
		// the kernel says whether this user may follow the link
		const status = statSync(given, { throwIfNoEntry: false });
		const found = followLinks(resolve(given));
		if (found.descriptor === "1") return { kind: "stdout", status: descriptorStatus(1) };
		if (status === undefined && given.endsWith(sep)) throw Object.assign(new Error(), { code: "EISDIR" });
		if (status !== undefined && !status.isFile())
			return { kind: "special", path: found.path, type: typeOf(status), status };
		// such a link's text is no path where the file has none any more
		const path = found.descriptor === undefined ? found.path : realpathSync.native(found.path);
		return { kind: "file", path, status };
	} catch (cause) {
		throw cause instanceof Oci2isoError ? cause : outputError(given, cause);
	}
}

/** Whether writing to both would leave only one of them: the same file by any name, also on a file system that does not tell case apart. */
export function isSamePlace(a: Place, b: Place): boolean {
	if (a.kind === "stdout" && b.kind === "stdout") return true;
	// /dev/null takes everything
	if (a.status?.isCharacterDevice() === true) return false;
	if (a.status !== undefined && b.status !== undefined) return isSameFile(a.status, b.status);
	return a.kind === "file" && b.kind === "file" && folded(a.path) === folded(b.path);
}

/** Whether replacing what is at `place` would take away `input`, a file, or something in it, a directory. */
export function isPartOf(place: Place, input: string): boolean {
	if (place.kind !== "file" || place.status === undefined) return false;
	const status = statSync(input, { throwIfNoEntry: false });
	if (status === undefined) return false;
	return status.isDirectory()
		? place.path.startsWith(realpathSync.native(input) + sep)
		: isSameFile(status, place.status);
}

function descriptorStatus(descriptor: number): Stats | undefined {
	try {
		return fstatSync(descriptor);
	} catch {
		return undefined;
	}
}

const O_ACCMODE = 3;

/** Whether the descriptor was closed when the process began: Node opens /dev/null in its place, to read and write, which no redirection does. */
export function isStandIn(descriptor: number): boolean {
	try {
		if (readlinkSync(`/proc/self/fd/${descriptor}`) !== "/dev/null") return false;
		const [, flags = ""] =
			/^flags:\s*([0-7]{1,20})$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "latin1")) ?? [];
		return (Number.parseInt(flags, 8) & O_ACCMODE) === constants.O_RDWR;
	} catch {
		return false;
	}
}

/** `descriptor`: the path is the name of one of this process's open files. */
function followLinks(start: string): { readonly path: string; readonly descriptor?: string } {
	let path = start;
	for (let links = 0; links < MAX_LINKS; links++) {
		const directory = realpathSync.native(dirname(path));
		const name = basename(path);
		path = join(directory, name);
		if (isDescriptorDirectory(directory)) return { path, descriptor: name };
		if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return { path };
		path = resolve(directory, readlinkSync(path));
	}
	throw Object.assign(new Error("too many links"), { code: "ELOOP" });
}

function isDescriptorDirectory(path: string): boolean {
	if (!path.startsWith("/proc/")) return false;
	return ["/proc/self/fd", "/proc/thread-self/fd"].some((own) => realpathSync.native(own) === path);
}

function typeOf(status: Stats): SpecialType {
	if (status.isDirectory()) return "directory";
	if (status.isFIFO()) return "pipe";
	if (status.isBlockDevice()) return "block device";
	return status.isSocket() ? "socket" : "character device";
}

function isSameFile(a: Stats, b: Stats): boolean {
	return a.dev === b.dev && a.ino === b.ino;
}

function folded(path: string): string {
	return path.normalize("NFC").toLowerCase();
}

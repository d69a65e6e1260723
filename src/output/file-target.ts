import {
	closeSync,
	constants,
	existsSync,
	fstatSync,
	fsync,
	ftruncateSync,
	openSync,
	readSync,
	writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { unexpectedEnd } from "../binary/byte-source.ts";
import { Oci2isoError } from "../errors.ts";
import type { Target } from "./target.ts";

/** A `Target` over one open file. Every failure of the disk is an `Oci2isoError` with exit status 6. */
export class FileTarget implements Target {
	readonly path: string;
	/** What a failed system call on it means. */
	readonly failure: (cause: unknown) => Oci2isoError;
	readonly #descriptor: number;
	#closed = false;

	/** Creates `path`, which must not exist; throws what `failure` makes of it. */
	static create(path: string, failure: FileTarget["failure"] = (cause) => outputError(path, cause)): FileTarget {
		try {
			const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
			return new FileTarget(path, openSync(path, flags, 0o644), failure);
		} catch (cause) {
			throw failure(cause);
		}
	}

	private constructor(path: string, descriptor: number, failure: FileTarget["failure"]) {
		this.path = path;
		this.#descriptor = descriptor;
		this.failure = failure;
	}

	get byteLength(): number {
		return fstatSync(this.#descriptor).size;
	}

	write(position: number, bytes: Uint8Array): void {
		this.#guarded(() => {
			let done = 0;
			while (done < bytes.byteLength) {
				done += writeSync(this.#descriptor, bytes, done, bytes.byteLength - done, position + done);
			}
		});
	}

	truncate(byteLength: number): void {
		this.#guarded(() => ftruncateSync(this.#descriptor, byteLength));
	}

	read(position: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
		try {
			return Promise.resolve(this.readNow(position, length, into));
		} catch (error) {
			return Promise.reject(error);
		}
	}

	readNow(position: number, length: number, into?: Uint8Array): Uint8Array {
		const bytes = into?.subarray(0, length) ?? Buffer.allocUnsafe(length);
		let done = 0;
		while (done < length) {
			const count = this.#guarded(() => readSync(this.#descriptor, bytes, done, length - done, position + done));
			if (count === 0) throw unexpectedEnd(position, length, this.byteLength);
			done += count;
		}
		return bytes;
	}

	/** Of the open file, for those who read it themselves. */
	get descriptor(): number {
		return this.#descriptor;
	}

	/** Resolves when what was written before the call is on the disk. */
	sync(): Promise<void> {
		return new Promise((resolve, reject) => {
			fsync(this.#descriptor, (cause) => {
				if (cause === null) resolve();
				else reject(this.failure(cause));
			});
		});
	}

	close(): void {
		if (this.#closed) return;
		this.#closed = true;
		closeSync(this.#descriptor);
	}

	#guarded<T>(operation: () => T): T {
		try {
			return operation();
		} catch (cause) {
			throw this.failure(cause);
		}
	}
}

type Reason = readonly [code: string, what: string, remedy: string];

const NO_FILES: Reason = ["OUTPUT_UNWRITABLE", "no files can be made in that directory", "choose another place"];

const REASONS: Readonly<Record<string, Reason>> = {
	ENOSPC: ["DISK_FULL", "no space is left", "free some space or choose another place"],
	EDQUOT: ["DISK_FULL", "the disk quota is used up", "free some space or choose another place"],
	EFBIG: ["OUTPUT_TOO_LARGE", "the file system or a limit does not allow a file this large", "choose another place"],
	EACCES: ["OUTPUT_UNWRITABLE", "permission denied", "choose a directory that you may write to"],
	EPERM: ["OUTPUT_UNWRITABLE", "the operation is not permitted", "choose a directory that you may write to"],
	EROFS: ["OUTPUT_UNWRITABLE", "the file system is read-only", "choose another place"],
	ENAMETOOLONG: ["OUTPUT_UNWRITABLE", "the name is longer than the file system takes", "choose a shorter one"],
	ELOOP: ["OUTPUT_UNWRITABLE", "too many symbolic links", "choose another place"],
	EISDIR: ["OUTPUT_NOT_A_FILE", "it names a directory", "name a file in it"],
	ENOENT: ["OUTPUT_UNWRITABLE", "the directory does not exist", "create it first"],
	ENOTDIR: ["OUTPUT_UNWRITABLE", "a part of the path is not a directory", "choose another place"],
	EEXIST: ["OUTPUT_EXISTS", "the file exists", "remove it or give --overwrite"],
	ENXIO: ["OUTPUT_CLOSED", "nobody reads the pipe", "start its reader first"],
	EBADF: ["OUTPUT_CLOSED", "it is closed", "redirect it to a file or a pipe"],
	EPIPE: ["OUTPUT_CLOSED", "the reader went away", "check the command that reads it"],
};

/** What a failed system call on the output means. */
export function outputError(path: string, cause: unknown): Oci2isoError {
	const number = (cause as NodeJS.ErrnoException | undefined)?.code ?? "unknown";
	// proc(5) has directories in which nothing can be made
	const isThere = number === "ENOENT" && existsSync(dirname(path));
	const [code, what, remedy] = (isThere ? NO_FILES : REASONS[number]) ?? [
		"OUTPUT_FAILED",
		`the output failed with ${number}`,
		"check the disk",
	];
	return new Oci2isoError({ code, kind: "output", what, where: path, remedy, cause });
}

import { createReadStream, existsSync, linkSync, renameSync, rmSync, type Stats } from "node:fs";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Oci2isoError } from "../errors.ts";
import { copyOver, mayReplace } from "./existing-file.ts";
import { FileTarget, outputError } from "./file-target.ts";
import { createPartial, removeStalePartials } from "./partial-file.ts";
import { isStandIn, type Place, resolvePlace } from "./place.ts";
import { freeBytesAt, makeScratchDirectory, scratchError } from "./scratch.ts";

/** Where a file goes, under a temporary name until it is whole. */
export interface PendingOutput {
	readonly target: FileTarget;
	/** What the user should know about the place. */
	readonly notices: readonly string[];
	/** Free bytes of the file system that it is written to first; undefined where nobody can say. */
	readonly freeBytes: number | undefined;
	/** It passes through the temporary directory. */
	readonly isSpooled: boolean;
	/** Resolves when what was written so far is where `publish` wants it; beside other work, so that `publish` has little to wait for. */
	flush(): Promise<void>;
	/** Gives the file its final name (or streams it to standard output); nothing is left under the temporary one. */
	publish(): Promise<void>;
	/** Removes what was written. Does nothing after `publish`; never throws. */
	discard(): void;
}

/**
 * Opens the place for a file that is to become `path`, through symbolic links: `-`, or another name of it, means standard output, which spools to the
 * temporary directory first, because the front of an ISO is written last. Throws `Oci2isoError` (exit 6) where it cannot be written, OUTPUT_EXISTS unless
 * `overwrite`, OUTPUT_NOT_A_FILE for devices, pipes and directories.
 */
export function openOutput(path: string, options: { readonly overwrite?: boolean | undefined } = {}): PendingOutput {
	const place = resolvePlace(path);
	switch (place.kind) {
		case "stdout":
			return openSpool();
		case "special":
			throw notAFile(place);
		case "file":
			return openBeside(place.path, place.status, options.overwrite ?? false);
	}
}

function openBeside(path: string, existing: Stats | undefined, overwrite: boolean): PendingOutput {
	if (existing !== undefined) {
		if (!overwrite) throw outputError(path, { code: "EEXIST" });
		mayReplace(path, existing);
	}
	const doubtful = removeStalePartials(path);
	const target = createPartial(path);
	const remove = (): void => rmSync(target.path, { force: true });
	return pending({
		target,
		notices: doubtful.map((left) => `${left} may be what a build left that was killed: remove it if none is running`),
		freeBytes: freeBytesAt(dirname(path)),
		isSpooled: false,
		remove,
		flush: () => target.sync(),
		async publish() {
			await target.sync();
			await (overwrite ? replace(target.path, path) : giveName(target.path, path));
			target.close();
			remove();
		},
	});
}

/** Never takes the name from a file that came meanwhile. */
function giveName(from: string, to: string): void {
	try {
		linkSync(from, to);
	} catch (cause) {
		// the file system has no second names
		if ((cause as NodeJS.ErrnoException).code === "EEXIST" || existsSync(to)) throw outputError(to, { code: "EEXIST" });
		renameSync(from, to);
	}
}

async function replace(from: string, to: string): Promise<void> {
	try {
		renameSync(from, to);
	} catch (cause) {
		// a file mounted into a container keeps its name
		if ((cause as NodeJS.ErrnoException).code !== "EBUSY") throw cause;
		await copyOver(from, to);
	}
}

/** A file in the temporary directory that gets no name: others read it until it is discarded. Throws `Oci2isoError` (exit 6). */
export function openHidden(): PendingOutput {
	return spooled(async () => {});
}

function openSpool(): PendingOutput {
	if (isStandIn(1)) throw outputError("standard output", { code: "EBADF" });
	return spooled(async ({ path }) => {
		try {
			const spool = createReadStream(path, { highWaterMark: 1024 * 1024 });
			await pipeline(spool, process.stdout, { end: false });
		} catch (cause) {
			throw outputError("standard output", cause);
		}
	});
}

function spooled(send: (target: FileTarget) => Promise<void>): PendingOutput {
	const { path, remove } = makeScratchDirectory("iso");
	const target = FileTarget.create(join(path, "output.iso"), (cause) => scratchError(path, cause));
	return pending({
		target,
		notices: [],
		freeBytes: freeBytesAt(path),
		isSpooled: true,
		remove,
		flush: () => Promise.resolve(),
		async publish() {
			await send(target);
			target.close();
			remove();
		},
	});
}

/** Of outputs that have neither their name nor been discarded. */
const unfinished = new Set<() => void>();

function discardAll(): void {
	for (const discard of unfinished) discard();
}

interface Parts extends Omit<PendingOutput, "discard"> {
	readonly remove: () => void;
}

function pending({ remove, publish, ...rest }: Parts): PendingOutput {
	const { target } = rest;
	let published = false;
	const discard = () => {
		unfinished.delete(discard);
		if (published) return;
		target.close();
		remove();
	};
	if (unfinished.size === 0) process.once("exit", discardAll);
	unfinished.add(discard);
	return {
		...rest,
		async publish() {
			try {
				await publish();
				published = true;
				unfinished.delete(discard);
			} catch (cause) {
				throw cause instanceof Oci2isoError ? cause : target.failure(cause);
			}
		},
		discard,
	};
}

/** What is wrong with writing to it as to a file. */
export function notAFile({ path, type }: Extract<Place, { kind: "special" }>): Oci2isoError {
	const remedies: Readonly<Record<typeof type, string>> = {
		directory: "name a file in it",
		pipe: "write to standard output: -o - > PIPE",
		"block device": "build to a file, then copy it to the device: dd if=FILE of=DEVICE bs=4M oflag=direct",
		"character device": "build to a file, or to standard output with -o -",
		socket: "build to a file, or to standard output with -o -",
	};
	return new Oci2isoError({
		code: "OUTPUT_NOT_A_FILE",
		kind: "output",
		what: `the output is a ${type}, not a regular file`,
		where: path,
		remedy: remedies[type],
	});
}

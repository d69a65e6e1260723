import { createReadStream, existsSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { Oci2isoError } from "../errors.ts";
import { FileTarget, outputError } from "./file-target.ts";

/** Where the ISO goes, under a temporary name until it is whole. */
export interface PendingOutput {
	readonly target: FileTarget;
	/** Resolves when what was written so far is where `publish` wants it; beside other work, so that `publish` has little to wait for. */
	flush(): Promise<void>;
	/** Gives the ISO its final name (or streams it to standard output); nothing is left under the temporary one. */
	publish(): Promise<void>;
	/** Removes what was written. Does nothing after `publish`; never throws. */
	discard(): void;
}

/**
 * Opens the place for an ISO that is to become `path`: `-` means standard output, which spools to the temporary directory first, because
 * the front of an ISO is written last. Throws `Oci2isoError` (exit 6) where it cannot be written, OUTPUT_EXISTS unless `overwrite`.
 */
export function openOutput(path: string, options: { readonly overwrite?: boolean } = {}): PendingOutput {
	return path === "-" ? openSpool() : openBeside(resolve(path), options.overwrite ?? false);
}

function openBeside(path: string, overwrite: boolean): PendingOutput {
	if (existsSync(path)) {
		if (!statSync(path).isFile()) {
			throw new Oci2isoError({
				code: "OUTPUT_NOT_A_FILE",
				kind: "output",
				what: "the output exists and is not a regular file",
				where: path,
				remedy: "build to a file, then copy it to the device",
			});
		}
		if (!overwrite) throw outputError(path, { code: "EEXIST" });
	}
	const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.partial`);
	const target = FileTarget.create(temporary);
	return pending(
		target,
		() => rmSync(temporary, { force: true }),
		() => target.sync(),
		async () => {
			await target.sync();
			target.close();
			if (!overwrite && existsSync(path)) throw outputError(path, { code: "EEXIST" });
			renameSync(temporary, path);
		},
	);
}

function openSpool(): PendingOutput {
	const directory = mkdtempSync(join(tmpdir(), "oci2iso-"));
	const remove = () => rmSync(directory, { recursive: true, force: true });
	const target = FileTarget.create(join(directory, "output.iso"));
	return pending(
		target,
		remove,
		() => Promise.resolve(),
		async () => {
			await pipeline(createReadStream(target.path, { highWaterMark: 1024 * 1024 }), process.stdout, { end: false });
			target.close();
			remove();
		},
	);
}

function pending(
	target: FileTarget,
	remove: () => void,
	flush: () => Promise<void>,
	publish: () => Promise<void>,
): PendingOutput {
	let published = false;
	const onExit = () => discard();
	process.once("exit", onExit);
	const discard = () => {
		process.off("exit", onExit);
		if (published) return;
		target.close();
		remove();
	};
	return {
		target,
		flush,
		async publish() {
			try {
				await publish();
				published = true;
				process.off("exit", onExit);
			} catch (cause) {
				throw cause instanceof Oci2isoError ? cause : outputError(target.path, cause);
			}
		},
		discard,
	};
}

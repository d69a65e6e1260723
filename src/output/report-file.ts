import { closeSync, constants, openSync, writeSync } from "node:fs";
import { KiB } from "../binary/units.ts";
import { outputError } from "./file-target.ts";
import { notAFile, openOutput } from "./output-file.ts";
import { resolvePlace } from "./place.ts";

/** A document that is written at the very end, to a place that was found writable at the beginning. */
interface PendingReport {
	/** Resolves when the text is on the disk, or was taken by a pipe or device. Rejects with `Oci2isoError` (exit 6). */
	write(text: string): Promise<void>;
	/** Gives a file its name. */
	publish(): Promise<void>;
	/** Leaves nothing behind but what was published; never throws. */
	discard(): void;
}

/** Most reports are smaller: a disk that has this much at the beginning does not lack it at the end. */
const RESERVED_BYTES = 256 * KiB;

/** Opens a file as `openOutput` does, or a pipe or character device; undefined: standard output. */
export function openReport(
	path: string,
	options: { readonly overwrite?: boolean | undefined },
): PendingReport | undefined {
	const place = resolvePlace(path);
	if (place.kind === "stdout") return undefined;
	if (place.kind === "special") {
		if (place.type !== "pipe" && place.type !== "character device") throw notAFile(place);
		return openStream(path);
	}
	const { target, flush, publish, discard } = openOutput(path, options);
	try {
		target.write(0, Buffer.alloc(RESERVED_BYTES));
	} catch (error) {
		discard();
		throw error;
	}
	return {
		async write(text) {
			const bytes = Buffer.from(text);
			target.write(0, bytes);
			target.truncate(bytes.byteLength);
			await flush();
		},
		publish,
		discard,
	};
}

/** Those of several documents that are no standard output, all of them opened or none. Throws as `openReport`. */
export function openReports<Named extends { readonly path: string }>(
	wanted: readonly Named[],
	options: { readonly overwrite?: boolean | undefined },
) {
	const files: (Named & { readonly file: PendingReport })[] = [];
	const discard = (): void => {
		for (const { file } of files) file.discard();
	};
	try {
		for (const each of wanted) {
			const file = openReport(each.path, options);
			if (file !== undefined) files.push({ ...each, file });
		}
	} catch (error) {
		discard();
		throw error;
	}
	return {
		files: files as readonly (Named & { readonly file: PendingReport })[],
		/** Gives each its name. */
		async publish(): Promise<void> {
			for (const { file } of files) await file.publish();
		},
		/** Leaves nothing behind but what was published; never throws. */
		discard,
	};
}

function openStream(path: string): PendingReport {
	let descriptor: number;
	try {
		// a pipe that nobody reads would be waited for
		const probe = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
		descriptor = openSync(path, constants.O_WRONLY);
		closeSync(probe);
	} catch (cause) {
		throw outputError(path, cause);
	}
	return {
		async write(text) {
			const bytes = Buffer.from(text);
			try {
				for (let done = 0; done < bytes.byteLength; ) done += writeSync(descriptor, bytes, done);
			} catch (cause) {
				throw outputError(path, cause);
			}
		},
		publish: () => Promise.resolve(),
		discard: () => closeSync(descriptor),
	};
}

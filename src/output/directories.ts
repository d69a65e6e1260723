import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { outputError } from "./file-target.ts";

/** Directories that were made for files which are still to come. */
export class MadeDirectories {
	readonly #made: string[] = [];

	/** Makes what is missing of `path`. Throws `Oci2isoError` (exit 6) where that cannot be. */
	make(path: string): void {
		const missing: string[] = [];
		for (let each = resolve(path); !existsSync(each); each = dirname(each)) missing.push(each);
		try {
			for (const each of missing.toReversed()) {
				mkdirSync(each);
				this.#made.push(each);
			}
		} catch (cause) {
			throw outputError(path, cause);
		}
	}

	/** Removes those in which nothing is; never throws. */
	discard(): void {
		for (const each of this.#made.toReversed()) {
			try {
				rmdirSync(each);
			} catch {
				// others have put something into it
			}
		}
	}
}

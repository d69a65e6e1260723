import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory for a store that lasts as long as one build. */
export interface TemporaryStore {
	readonly path: string;
	remove(): void;
}

/** Throws what `node:fs` throws. */
export function makeTemporaryStore(): TemporaryStore {
	const path = mkdtempSync(join(tmpdir(), "oci2iso-cache-"));
	return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

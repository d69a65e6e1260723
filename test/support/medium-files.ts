import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { run } from "./run.ts";

export interface MediumFile {
	readonly sha256: string;
	readonly sizeBytes: number;
}

/** Every regular file of an ISO by path without leading slash, as xorriso reads it back. */
export async function mediumFiles(iso: string): Promise<Map<string, MediumFile>> {
	const scratch = await mkdtemp(join(tmpdir(), "oci2iso-medium-"));
	try {
		const tree = join(scratch, "tree");
		await run("xorriso", ["-osirrox", "on", "-indev", iso, "-extract", "/", tree]);
		await run("chmod", ["-R", "u+rwX", tree]);
		const files = new Map<string, MediumFile>();
		for (const entry of await readdir(tree, { recursive: true, withFileTypes: true })) {
			if (!entry.isFile()) continue;
			const path = join(entry.parentPath, entry.name);
			files.set(relative(tree, path), await hashFile(path));
		}
		return files;
	} finally {
		await rm(scratch, { recursive: true, force: true });
	}
}

export async function hashFile(path: string): Promise<MediumFile> {
	const hash = createHash("sha256");
	let sizeBytes = 0;
	for await (const chunk of createReadStream(path)) {
		hash.update(chunk as Buffer);
		sizeBytes += (chunk as Buffer).length;
	}
	return { sha256: hash.digest("hex"), sizeBytes };
}

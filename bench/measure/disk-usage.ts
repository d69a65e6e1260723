import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Bytes allocated on disk by everything below `path`; a file with several names counts once, one that goes away meanwhile not at all. */
export function diskUsage(path: string): number {
	const seen = new Set<string>();
	const pending = [path];
	let bytes = 0;
	for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
		try {
			const { blocks, dev, ino, nlink } = lstatSync(next, { bigint: true });
			const key = `${dev}:${ino}`;
			if (nlink > 1n && seen.has(key)) continue;
			if (nlink > 1n) seen.add(key);
			bytes += Number(blocks) * 512;
			for (const name of readdirSync(next)) pending.push(join(next, name));
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException;
			if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
		}
	}
	return bytes;
}

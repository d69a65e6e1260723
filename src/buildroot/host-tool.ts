import { constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";

/** The first of `names` that is an executable file on this process's PATH, with its symbolic links resolved. */
export async function findHostTool(names: readonly string[]): Promise<string | undefined> {
	for (const name of names) {
		for (const directory of (process.env["PATH"] ?? "").split(delimiter).filter(isAbsolute)) {
			const path = join(directory, name);
			if (await isExecutableFile(path)) return realpath(path);
		}
	}
	return undefined;
}

async function isExecutableFile(path: string): Promise<boolean> {
	try {
		await access(path, constants.X_OK);
		return (await stat(path)).isFile();
	} catch {
		return false;
	}
}

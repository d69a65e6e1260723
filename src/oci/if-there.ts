import { readdir } from "node:fs/promises";
import { errnoOf } from "./failures.ts";

/** What a path has, or undefined where there is none; `failure` makes of any other reason what is thrown. */
export async function ifThere<Value>(
	read: () => Promise<Value>,
	failure: (error: unknown) => Error,
): Promise<Value | undefined> {
	try {
		return await read();
	} catch (error) {
		const code = errnoOf(error);
		if (code === "ENOENT" || code === "ENOTDIR") return undefined;
		throw failure(error);
	}
}

/** The entries of a directory in order of their names, or none where it does not exist. Throws as `ifThere`. */
export async function namesIn(directory: string, failure: (error: unknown) => Error): Promise<string[]> {
	return ((await ifThere(() => readdir(directory), failure)) ?? []).sort();
}

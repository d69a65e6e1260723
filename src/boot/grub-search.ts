import type { ByteString } from "../binary/byte-string.ts";

/** What a command of the `search` family is to look for; `by` is empty where it does not say. */
export interface GrubSearch {
	readonly by: "file" | "label" | "uuid" | "";
	/** Which variable gets the device. */
	readonly variable: ByteString | undefined;
	readonly target: ByteString | undefined;
}

export function readSearchArguments(command: string, args: readonly ByteString[]): GrubSearch {
	let by: GrubSearch["by"] =
		command === "search.file"
			? "file"
			: command === "search.fs_label"
				? "label"
				: command === "search.fs_uuid"
					? "uuid"
					: "";
	let variable = command === "search" ? undefined : args[1];
	const words: ByteString[] = [];
	for (let index = 0; index < args.length; index++) {
		const word = args[index] ?? "";
		if (command !== "search" || !word.startsWith("-")) words.push(word);
		else if (word.startsWith("--set")) variable = word.slice(6) || "root";
		else if (word === "--file") by = "file";
		else if (word === "--label" || word === "--fs-label") by = "label";
		else if (word === "--fs-uuid") by = "uuid";
		else if (word.startsWith("--hint")) index += word.includes("=") ? 0 : 1;
		else if (!word.startsWith("--")) {
			if (word.includes("f")) by = "file";
			if (word.includes("l")) by = "label";
			if (word.includes("u")) by = "uuid";
			if (word.includes("s")) variable = "root";
			if (word.includes("h")) index++;
		}
	}
	// `--set NAME TARGET` is understood too.
	const target = command === "search" ? words.at(-1) : words[0];
	return { by, variable, target };
}

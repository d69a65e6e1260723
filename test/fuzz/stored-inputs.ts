import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const CORPUS = join(import.meta.dirname, "corpus");
const FOUND = join(import.meta.dirname, "found");
/** Of one target's file, so that all of them stay small. */
const MAX_CORPUS_CHARACTERS = 4500;

/** Base64, one on a line: what was found once, and inputs that reached something which the seeds do not reach. */
export function storedInputs(target: string): Buffer[] {
	return [FOUND, CORPUS]
		.map((directory) => join(directory, `${target}.txt`))
		.flatMap((path) => (existsSync(path) ? readFileSync(path, "latin1").split("\n") : []))
		.filter((line) => line !== "")
		.map((line) => Buffer.from(line, "base64"));
}

/** Keeps the smallest inputs (base64), as many as fit. */
export function saveCorpus(target: string, inputs: readonly string[]): void {
	const lines = [...new Set(inputs)]
		.filter((line) => line !== "")
		.sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
	let characters = 0;
	const kept = lines.filter((line) => {
		characters += line.length + 1;
		return characters <= MAX_CORPUS_CHARACTERS;
	});
	mkdirSync(CORPUS, { recursive: true });
	if (kept.length > 0) writeFileSync(join(CORPUS, `${target}.txt`), `${kept.join("\n")}\n`);
}

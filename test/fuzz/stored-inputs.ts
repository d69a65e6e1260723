import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const CORPUS = join(import.meta.dirname, "corpus");
const FOUND = join(import.meta.dirname, "found");
/** Of one target's file, so that all of them stay small. */
const MAX_CORPUS_CHARACTERS = 4500;

/** Inputs that reached something which the seeds do not reach: base64, one on a line. */
export function corpusOf(target: string): Buffer[] {
	const path = join(CORPUS, `${target}.txt`);
	return existsSync(path) ? inputsIn(readFileSync(path, "latin1")) : [];
}

/** Keeps the smallest inputs, as many as fit. */
export function saveCorpus(target: string, inputs: readonly Uint8Array[]): void {
	const lines = [...new Set(inputs.map((input) => Buffer.from(input).toString("base64")))]
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

/** What was found once: file `TARGET.NAME.txt`, base64 on one line. */
export function foundInputs(): { readonly target: string; readonly name: string; readonly input: Buffer }[] {
	if (!existsSync(FOUND)) return [];
	return readdirSync(FOUND).flatMap((file) => {
		const [target = "", name = ""] = file.split(".");
		return inputsIn(readFileSync(join(FOUND, file), "latin1")).map((input) => ({ target, name, input }));
	});
}

function inputsIn(text: string): Buffer[] {
	return text
		.split("\n")
		.filter((line) => line !== "")
		.map((line) => Buffer.from(line, "base64"));
}

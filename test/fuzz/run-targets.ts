// Fuzzes some targets, one after another, and says on standard output, a line of JSON for each, what came of it.
// node --import tsx test/fuzz/run-targets.ts SECONDS SEED INPUT_FILE TARGET...
import { openSync, writeSync } from "node:fs";
import { Coverage } from "./engine/coverage.ts";
import { corpusOf } from "./stored-inputs.ts";

// Before anything that is measured.
const coverage = new Coverage(/\/src\/|js-yaml|smol-toml/);
const { fuzz } = await import("./engine/fuzz.ts");
const { targets } = await import("./targets.ts");

const [seconds = "1", seed = "1", inputFile = "", ...names] = process.argv.slice(2);
const file = openSync(inputFile, "w");
const head = Buffer.alloc(4);

for (const target of targets.filter(({ name }) => names.includes(name))) {
	process.stdout.write(`${JSON.stringify({ started: target.name })}\n`);
	const result = await fuzz(target, {
		coverage,
		seconds: Number(seconds),
		seed: Number(seed),
		corpus: corpusOf(target.name),
		onInput(input) {
			head.writeUInt32LE(input.byteLength);
			writeSync(file, head, 0, 4, 0);
			writeSync(file, input, 0, input.byteLength, 4);
		},
	});
	const { inputs, blocks, corpus, findings } = result;
	process.stdout.write(
		`${JSON.stringify({
			finished: target.name,
			inputs,
			blocks,
			corpus: corpus.map((input) => input.toString("base64")),
			findings: findings.map(({ input, what }) => ({ input: input.toString("base64"), what })),
		})}\n`,
	);
}

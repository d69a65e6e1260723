// Fuzzes some targets, one after another, and says on standard output, a line of JSON for each, what came of it.
// node --import tsx test/fuzz/run-targets.ts PART PARTS SECONDS SEED INPUT_FILE
import { openSync, writeSync } from "node:fs";
import { Coverage } from "./engine/coverage.ts";
import { storedInputs } from "./stored-inputs.ts";

// Before anything that is measured.
const coverage = new Coverage(/\/src\/|js-yaml|smol-toml/);
const { fuzz } = await import("./engine/fuzz.ts");
const { targets } = await import("./targets.ts");

const [part, parts, seconds, seed] = process.argv.slice(2).map(Number) as [number, number, number, number];
const inputFile = process.argv.at(-1) ?? "";
const file = openSync(inputFile, "w");
const head = Buffer.alloc(4);

for (const target of targets.filter((_, at) => at % parts === part)) {
	const { corpus, findings, ...numbers } = await fuzz(target, {
		coverage,
		seconds: (seconds * parts) / targets.length,
		seed,
		corpus: storedInputs(target.name),
		onInput(input) {
			head.writeUInt32LE(input.byteLength);
			writeSync(file, head, 0, 4, 0);
			writeSync(file, input, 0, input.byteLength, 4);
		},
	});
	const report = {
		...{ target: target.name, ...numbers },
		corpus: corpus.map((input) => input.toString("base64")),
		findings: findings.map(({ input, what }) => `${what}\ninput ${input.toString("base64")}`),
	};
	process.stdout.write(`${JSON.stringify(report)}\n`);
}

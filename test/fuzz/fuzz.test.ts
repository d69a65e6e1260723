import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { fuzzTargets } from "./campaign.ts";
import { saveCorpus } from "./stored-inputs.ts";

/** For all targets together. */
const SECONDS = Number(process.env["OCI2ISO_FUZZ_SECONDS"] ?? 35);
const SEED = Number(process.env["OCI2ISO_FUZZ_SEED"] ?? 1);
/** Keep what reached something new in test/fuzz/corpus. */
const SAVE = process.env["OCI2ISO_FUZZ_SAVE"] === "1";
/** Side by side. */
const PROCESSES = 2;
const MIN_TARGETS = 45;

const work = temporaryDirectory("fuzz");

it("every parser ends, with a result or an error of ours", { timeout: (SECONDS + 600) * 1000 }, async () => {
	const campaigns = await Promise.all(
		Array.from({ length: PROCESSES }, (_, part) =>
			fuzzTargets(part, PROCESSES, SECONDS / PROCESSES, SEED, join(work, `input-${part}`)),
		),
	);
	const finished = campaigns.flatMap((campaign) => campaign.finished);
	for (const { target, inputs, blocks, corpus } of finished) {
		if (SAVE) saveCorpus(target, corpus);
		process.stdout.write(`${target}: ${inputs} inputs, ${blocks} blocks of code\n`);
	}
	expect(finished.flatMap(({ target, findings }) => findings.map((what) => `${target}: ${what}`))).toEqual([]);
	expect(campaigns.flatMap(({ stopped }) => stopped ?? [])).toEqual([]);
	expect(finished.filter(({ inputs, blocks }) => inputs === 0 || blocks === 0)).toEqual([]);
	expect(finished.length).toBeGreaterThanOrEqual(MIN_TARGETS);
});

import { describe, expect, it } from "vitest";
import { Oci2isoError } from "../../src/errors.ts";
import { fuzzTargets } from "./campaign.ts";
import { corpusOf, foundInputs, saveCorpus } from "./stored-inputs.ts";
import { targets } from "./targets.ts";

/** For all targets together. */
const SECONDS = Number(process.env["OCI2ISO_FUZZ_SECONDS"] ?? 35);
const SEED = Number(process.env["OCI2ISO_FUZZ_SEED"] ?? 1);
/** Keep what reached something new in test/fuzz/corpus. */
const SAVE = process.env["OCI2ISO_FUZZ_SAVE"] === "1";
const PROCESSES = 6;

const names = targets.map(({ name }) => name);
const groups = Array.from({ length: PROCESSES }, (_, i) => names.filter((_, at) => at % PROCESSES === i));

const found = foundInputs();

describe.skipIf(found.length === 0)("inputs that were found once", () => {
	it.each(found)("$target survives $name", async ({ target, input }) => {
		const parser = targets.find(({ name }) => name === target);
		expect(parser).toBeDefined();
		try {
			await parser?.run(input);
		} catch (error) {
			expect(error).toBeInstanceOf(Oci2isoError);
		}
	});
});

describe("every parser ends, with a result or an error of ours", () => {
	const secondsEach = SECONDS / targets.length;

	it.each(groups.map((group) => ({ group, title: group.join(", ") })))(
		"$title",
		{ timeout: (SECONDS + 600) * 1000 },
		async ({ group }) => {
			const { finished, stopped } = await fuzzTargets(group, secondsEach, SEED);
			if (SAVE)
				for (const { finished: target, corpus } of finished)
					saveCorpus(target, [...corpusOf(target), ...corpus.map((text) => Buffer.from(text, "base64"))]);
			for (const { finished: target, inputs, blocks } of finished)
				process.stdout.write(`${target}: ${inputs} inputs, ${blocks} blocks of code\n`);
			const findings = finished.flatMap(({ finished: target, findings: found }) =>
				found.map(({ what, input }) => `${target}: ${what}\ninput ${input}`),
			);
			expect(findings).toEqual([]);
			expect(stopped).toBeUndefined();
			expect(finished.map(({ finished: target }) => target).sort()).toEqual([...group].sort());
			expect(finished.filter(({ inputs, blocks }) => inputs === 0 || blocks === 0)).toEqual([]);
		},
	);
});

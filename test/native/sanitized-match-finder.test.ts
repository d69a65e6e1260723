import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { SANITIZE, sanitizersMissing } from "./sanitizers.ts";

const ROUNDS = 300;
const ROOT = join(import.meta.dirname, "..", "..");

const work = temporaryDirectory("match-finder");

/** The same code as three kinds of processor run it. */
const BUILDS = {
	"this processor": [],
	"x86-64 without AVX2": ["-D__builtin_cpu_supports(name)=0"],
	"any processor": ["-D__builtin_cpu_supports(name)=0", "-DOCI2ISO_PORTABLE_LANES"],
};

describe.skipIf(sanitizersMissing(work))("the match finder", () => {
	const programs = new Map<string, string>();

	beforeAll(() => {
		for (const [index, [name, definitions]] of Object.entries(BUILDS).entries()) {
			const program = join(work, `match-finder-${index}`);
			const sources = ["test/native/sanitized-match-finder.cc", "native/match_finder.cc"].map((path) =>
				join(ROOT, path),
			);
			const headers = `-I${join(ROOT, "node_modules/zstd-napi/deps/zstd/lib")}`;
			const flags = ["-std=c++17", "-O1", "-g", ...SANITIZE, ...definitions, headers];
			execFileSync("c++", [...flags, "-o", program, ...sources], { stdio: "inherit" });
			programs.set(name, program);
		}
	}, 180_000);

	function run(name: string, seed: number): { status: number | null; stdout: string } {
		const { status, stdout, stderr } = spawnSync(programs.get(name) ?? "", [String(ROUNDS), String(seed)]);
		expect(stderr.toString().slice(0, 4000)).toBe("");
		return { status, stdout: stdout.toString() };
	}

	it("covers every block with matches that match, reads and writes nothing else, and finds the same everywhere", {
		timeout: 180_000,
	}, () => {
		for (const seed of [1, 2, 3]) {
			const here = run("this processor", seed);
			expect(here).toMatchObject({ status: 0, stdout: expect.stringMatching(/^[0-9a-f]{16} \d+ \d+\n$/) });
			const [, sequences, covered] = here.stdout.split(" ").map(Number);
			expect(sequences).toBeGreaterThan(10_000);
			expect(covered).toBeGreaterThan(1_000_000);
			for (const name of Object.keys(BUILDS)) expect(run(name, seed)).toEqual(here);
		}
	});
});

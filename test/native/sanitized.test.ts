import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { constants, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { requires } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const SECONDS = Number(process.env["OCI2ISO_FUZZ_NATIVE_SECONDS"] ?? 3);
const ROUNDS = 300;
const ROOT = join(import.meta.dirname, "..", "..");
/** With these a wrong access, an overflow or a leak ends the program. */
const SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

const work = temporaryDirectory("sanitized");

/** Some systems have a compiler without the sanitizers' libraries. */
function sanitizersMissing(): string | undefined {
	const missing = requires("c++");
	if (missing !== undefined) return missing;
	writeFileSync(join(work, "empty.cc"), "int main() {}\n");
	const { status } = spawnSync("c++", [...SANITIZE, "-o", join(work, "empty"), join(work, "empty.cc")], {
		stdio: "ignore",
	});
	if (status === 0) return undefined;
	process.stderr.write("SKIPPED: needs a C++ compiler with -fsanitize=address,undefined\n");
	return "needs sanitizers";
}

function compile(name: string, sources: readonly string[], flags: readonly string[]): string {
	const program = join(work, name);
	const files = sources.map((path) => join(ROOT, path));
	execFileSync("c++", ["-std=c++17", "-O1", "-g1", ...SANITIZE, "-o", program, ...files, ...flags], {
		stdio: "inherit",
	});
	return program;
}

function run(program: string, args: readonly string[]): string {
	const { status, stdout, stderr } = spawnSync(program, args);
	expect(`${status} ${stderr.toString().slice(0, 4000)}`).toBe("0 ");
	return stdout.toString();
}

describe.skipIf(sanitizersMissing())("compiled with sanitizers", () => {
	it("the gzip decoder touches no byte that is not its own, whatever it reads", {
		timeout: (SECONDS + 240) * 1000,
	}, () => {
		const sources = ["gzip_decoder.cc", "inflater.cc", "deflate_table.cc"].map((name) => `native/${name}`);
		const program = compile("gzip", ["test/native/sanitized-gzip.cc", ...sources], ["-lz"]);
		const text = Buffer.from(Array.from({ length: 3000 }, (_, i) => `line ${i * i} of a text\n`).join(""));
		const noise = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * i * 31) % 251));
		const seeds = [
			gzipSync(text, { level: 9 }),
			gzipSync(text.subarray(0, 500), { strategy: constants.Z_FIXED }),
			gzipSync(noise, { level: 0 }),
			gzipSync(Buffer.alloc(100_000), { level: 9 }),
			Buffer.concat([gzipSync(noise), gzipSync(text.subarray(0, 3000), { memLevel: 1 }), Buffer.alloc(10)]),
		].map((bytes, i) => {
			const path = join(work, `seed-${i}`);
			writeFileSync(path, bytes);
			return path;
		});
		expect(Number.parseInt(run(program, [String(SECONDS), "1", ...seeds]), 10)).toBeGreaterThan(100);
	});

	it("the match finder covers every block with matches that match, touches nothing else, and finds the same on every processor", () => {
		const sources = ["test/native/sanitized-match-finder.cc", "native/match_finder.cc"];
		const headers = `-I${join(ROOT, "node_modules/zstd-napi/deps/zstd/lib")}`;
		const withoutAvx2 = "-D__builtin_cpu_supports(name)=0";
		const found = [[], [withoutAvx2], [withoutAvx2, "-DOCI2ISO_PORTABLE_LANES"]].map((definitions, i) => {
			const program = compile(`match-finder-${i}`, sources, [headers, ...definitions]);
			return ["1", "2"].map((seed) => run(program, [String(ROUNDS), seed]));
		});
		expect(found).toEqual([found[0], found[0], found[0]]);
		for (const line of found[0] ?? []) {
			expect(line).toMatch(/^[0-9a-f]{16} \d+ \d+\n$/);
			const [, sequences, covered] = line.split(" ").map(Number);
			expect(sequences).toBeGreaterThan(10_000);
			expect(covered).toBeGreaterThan(1_000_000);
		}
	});
});

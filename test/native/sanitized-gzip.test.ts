import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { constants, gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { SANITIZE, sanitizersMissing } from "./sanitizers.ts";

const SECONDS = Number(process.env["OCI2ISO_FUZZ_NATIVE_SECONDS"] ?? 5);
const SOURCES = ["gzip_decoder.cc", "inflater.cc", "deflate_table.cc"];

const work = temporaryDirectory("sanitized");

it.skipIf(sanitizersMissing(work))(
	"the gzip decoder touches no byte that is not its own, whatever it reads",
	{ timeout: (SECONDS + 120) * 1000 },
	() => {
		const native = join(import.meta.dirname, "..", "..", "native");
		const program = join(work, "gzip");
		const files = [join(import.meta.dirname, "sanitized-gzip.cc"), ...SOURCES.map((name) => join(native, name))];
		execFileSync("c++", ["-std=c++17", "-O1", "-g", ...SANITIZE, "-o", program, ...files, "-lz"], { stdio: "inherit" });
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
		const { status, stdout, stderr } = spawnSync(program, [String(SECONDS), "1", ...seeds]);
		expect(`${status} ${stderr.toString().slice(0, 4000)}`).toBe("0 ");
		expect(Number.parseInt(stdout.toString(), 10)).toBeGreaterThan(100);
	},
);

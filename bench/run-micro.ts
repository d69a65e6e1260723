import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Inputs } from "./inputs.ts";
import type { MicroInputs, MicroRow } from "./micro/repeat.ts";
import { storedIso } from "./run-limits.ts";
import { BLOCK_BYTES } from "./settings.ts";

const HOT_FUNCTIONS = ["inflate", "hash", "tar", "compress", "write"];

/** Runs each file of micro/ in a process of its own, over the image's largest layer. */
export async function runMicro(
	inputs: Inputs,
	{ work, warn }: { readonly work: string; readonly warn: (line: string) => void },
): Promise<MicroRow[]> {
	const scratch = join(work, "micro");
	mkdirSync(scratch, { recursive: true });
	const gzipLayer = largestBlob(inputs.layoutDir);
	const tar = join(scratch, "layer.tar");
	inflateTo(gzipLayer, tar);
	const given: MicroInputs = { gzipLayer, tar, iso: storedIso(inputs, work, BLOCK_BYTES), scratch };
	const rows: MicroRow[] = [];
	for (const name of HOT_FUNCTIONS) {
		process.stderr.write(`bench: hot functions: ${name}\n`);
		const script = join(import.meta.dirname, "micro", `${name}.ts`);
		const args = ["--import", "tsx", script, JSON.stringify(given)];
		const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
		for (const line of stderr.split("\n").filter((text) => text.startsWith("SKIPPED"))) warn(line);
		if (status !== 0) warn(`FAILED: hot functions: ${name}: ${stderr.trim()}`);
		rows.push(
			...stdout
				.split("\n")
				.filter(Boolean)
				.map((line) => JSON.parse(line) as MicroRow),
		);
	}
	return rows;
}

function largestBlob(layoutDir: string): string {
	const blobs = join(layoutDir, "blobs/sha256");
	const paths = readdirSync(blobs).map((name) => join(blobs, name));
	const gzip = paths.filter((path) => isGzip(path));
	const [largest] = gzip.sort((a, b) => statSync(b).size - statSync(a).size);
	if (largest === undefined) throw new Error(`${layoutDir} has no gzip layer`);
	return largest;
}

function isGzip(path: string): boolean {
	const head = Buffer.alloc(2);
	const file = openSync(path, "r");
	readSync(file, head, 0, 2, 0);
	closeSync(file);
	return head.readUInt16LE(0) === 0x8b1f;
}

function inflateTo(gzip: string, path: string): void {
	const out = openSync(path, "w");
	execFileSync("gzip", ["-dc", gzip], { stdio: ["ignore", out, "inherit"] });
	closeSync(out);
}

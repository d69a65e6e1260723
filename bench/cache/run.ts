import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { debianFixture } from "../../test/support/fixture.ts";
import { withExtraLayer } from "../../test/support/large-layout.ts";
import { noise } from "../../test/support/registry-images.ts";
import { tarArchive } from "../../test/support/tar-fixtures.ts";

/** `node --import tsx bench/cache/run.ts [LAYOUT [TRIALS]]`: what a cache costs and saves at the reference's settings, with 1 % of the image in a top layer that changes. */
const BUILD = join(import.meta.dirname, "..", "..", "build");
const MAIN = join(import.meta.dirname, "..", "..", "dist", "cli", "main.js");
const SETTINGS = ["--comp", "zstd", "--level", "15", "--block-size", "128K", "--tools", "builtin", "--force"];
const CHANGED_SHARE = 0.01;

interface Trial {
	readonly wallSeconds: number;
	readonly cpuSeconds: number;
}

const [layout = await debianFixture(), trials = "3"] = process.argv.slice(2);
mkdirSync(BUILD, { recursive: true });
const work = mkdtempSync(join(BUILD, "bench-cache-"));
try {
	const images = [];
	const byteLength = Math.floor(CHANGED_SHARE * layerBytes(resolve(layout)));
	for (const version of ["1", "2"]) images.push(await imageWith(version, byteLength));
	const [first = "", second = ""] = images;
	const rows = new Map<string, Trial[]>();
	const note = (name: string, trial: Trial): void => void rows.set(name, [...(rows.get(name) ?? []), trial]);
	let sizes = "";
	for (let round = 0; round < Number(trials); round++) {
		const cache = join(work, "cache");
		const iso = join(work, "x.iso");
		rmSync(cache, { recursive: true, force: true });
		note("cold, --no-cache", build(second, iso, "--no-cache"));
		const expected = sha256(iso);
		note("cold, filling a cache", build(first, iso, "--cache", cache));
		sizes = `store ${bytesIn(cache)} bytes, squashfs ${squashfsBytes(iso)} bytes, ratio ${(bytesIn(cache) / squashfsBytes(iso)).toFixed(3)}`;
		note("top layer of 1 % changed", build(second, iso, "--cache", cache));
		if (sha256(iso) !== expected) throw new Error("the bytes differ");
		note("nothing changed", build(second, iso, "--cache", cache));
		if (sha256(iso) !== expected) throw new Error("the bytes differ");
		note("cp of the ISO", timed("cp", [iso, join(work, "copy.iso")]));
		rmSync(join(work, "copy.iso"));
	}
	const cold = median(rows.get("cold, --no-cache") ?? [], "wallSeconds");
	const coldCpu = median(rows.get("cold, --no-cache") ?? [], "cpuSeconds");
	process.stdout.write("| | wall s | of cold | CPU s | of cold |\n|---|---|---|---|---|\n");
	for (const [name, results] of rows) {
		const [wall, cpu] = [median(results, "wallSeconds"), median(results, "cpuSeconds")];
		const cells = [wall.toFixed(2), (wall / cold).toFixed(3), cpu.toFixed(2), (cpu / coldCpu).toFixed(3)];
		process.stdout.write(`| ${name} | ${cells.join(" | ")} |\n`);
	}
	process.stdout.write(`\n${sizes}\n`);
} finally {
	rmSync(work, { recursive: true, force: true });
}

async function imageWith(version: string, byteLength: number): Promise<string> {
	const half = Math.floor(byteLength / 2);
	const members = [
		{ path: "opt/app/data", content: noise(`data ${version}`, half) },
		...Array.from({ length: 50 }, (_, i) => ({
			path: `opt/app/${i}`,
			content: noise(`${version} ${i}`, Math.floor(half / 50)),
		})),
	];
	return withExtraLayer(resolve(layout), join(work, version), (append) => append(tarArchive(members)));
}

function build(image: string, output: string, ...cache: string[]): Trial {
	const report = ["--report", `${output}.json`];
	const args = [
		MAIN,
		"build",
		image,
		"-o",
		output,
		"--overwrite",
		"--progress",
		"none",
		...report,
		...SETTINGS,
		...cache,
	];
	return timed(process.execPath, args);
}

function timed(command: string, args: readonly string[]): Trial {
	const children = cpuOfChildren();
	const started = performance.now();
	const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
	if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
	const wallSeconds = (performance.now() - started) / 1000;
	return { wallSeconds, cpuSeconds: cpuOfChildren() - children };
}

/** Of all processes that have ended: fields 16 and 17 of /proc/self/stat, in hundredths of a second. */
function cpuOfChildren(): number {
	const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ") ?? [];
	return (Number(fields[13]) + Number(fields[14])) / 100;
}

function median(trials: readonly Trial[], key: keyof Trial): number {
	const values = trials.map((trial) => trial[key]).sort((a, b) => a - b);
	return values[Math.floor(values.length / 2)] ?? Number.NaN;
}

function squashfsBytes(iso: string): number {
	const report: { squashfs: { byteLength: number } } = JSON.parse(readFileSync(`${iso}.json`, "utf8"));
	return report.squashfs.byteLength;
}

function layerBytes(directory: string): number {
	return bytesIn(join(directory, "blobs"));
}

function bytesIn(directory: string): number {
	return readdirSync(directory, { recursive: true, encoding: "utf8" })
		.map((name) => statSync(join(directory, name)))
		.reduce((sum, stats) => sum + (stats.isFile() ? stats.size : 0), 0);
}

function sha256(path: string): string {
	return createHash("sha256").update(readFileSync(path)).digest("hex");
}

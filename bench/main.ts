import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { loadNativeAddon } from "../src/codec/native-addon.ts";
import { debianFixture } from "../test/support/fixture.ts";
import { parseArguments, USAGE } from "./arguments.ts";
import { makePlan, runnable } from "./contenders.ts";
import { type Inputs, openInputs } from "./inputs.ts";
import { describeMachine } from "./machine.ts";
import { toMarkdown } from "./markdown.ts";
import type { MicroRow } from "./micro/repeat.ts";
import type { ImageResults, Results } from "./results.ts";
import { findLimits } from "./run-limits.ts";
import { runMicro } from "./run-micro.ts";
import { runRounds } from "./run-rounds.ts";
import { QUICK_SETTINGS, settings } from "./settings.ts";

const BUILD = join(import.meta.dirname, "..", "build", "bench");

try {
	await main(process.argv.slice(2));
} catch (error) {
	process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
	process.exitCode = 1;
}

async function main(args: readonly string[]): Promise<void> {
	const given = parseArguments(args);
	if (given.help) {
		process.stdout.write(`${USAGE}\n`);
		return;
	}
	const machine = describeMachine();
	const skipped: string[] = [];
	const warn = (line: string): void => {
		if (skipped.includes(line)) return;
		skipped.push(line);
		process.stderr.write(`${line}\n`);
	};
	const gzip = loadNativeAddon().addon?.codecs.gzip?.encoder ?? "zlib";
	const known = settings(gzip);
	const wanted = given.settings ?? (given.full ? known.map(({ name }) => name) : QUICK_SETTINGS);
	const chosen = wanted.map((name) => {
		const setting = known.find((one) => one.name === name);
		if (setting === undefined) throw new Error(`no setting ${name}: ${known.map((one) => one.name).join(", ")}`);
		return setting;
	});
	const plan = makePlan(chosen, { rootless: given.rootless, scaling: given.parts.includes("threads") });
	const measured = given.parts.includes("pipelines") ? plan : { ...plan, comparisons: [] };
	const contenders = runnable(measured, warn);

	const work = resolve(given.work ?? join(BUILD, "work"));
	const images: ImageResults[] = [];
	let micro: MicroRow[] = [];
	for (const { name, reference } of await imagesFor(given)) {
		rmSync(work, { recursive: true, force: true });
		mkdirSync(work, { recursive: true });
		try {
			process.stderr.write(`bench: ${name}: preparing\n`);
			const inputs = await openInputs(name, reference, work);
			if (contenders.some(({ makes }) => makes !== "iso")) await inputs.prepare({ rootless: given.rootless });
			const rounds = await runRounds(contenders, inputs, { work, trials: given.trials, warn });
			images.push({
				name,
				layerBytes: layerBytes(inputs),
				rounds,
				comparisons: measured.comparisons.map(({ title, ours, peers }) => ({
					title,
					ours: ours.name,
					peers: peers.map((peer) => peer.name),
				})),
				scaling: measured.scaling.map(({ threads, contender }) => ({ threads, name: contender.name })),
				limits: given.parts.includes("limit") ? await findLimits(rounds, inputs, { work, warn }) : {},
			});
			if (given.parts.includes("micro") && micro.length === 0) micro = await runMicro(inputs, { work, warn });
		} finally {
			rmSync(work, { recursive: true, force: true });
		}
	}
	const command = ["npm run bench", ...(args.length > 0 ? ["--", ...args] : [])].join(" ");
	write({ command, machine, trials: given.trials, images, micro, skipped }, resolve(given.out ?? BUILD));
}

async function imagesFor({ image, large }: { image: string | undefined; large: boolean }) {
	if (image !== undefined) return [{ name: image, reference: image }];
	const profiles = ["debian", ...(large ? ["large"] : [])];
	const images = [];
	for (const profile of profiles) {
		const layout = await debianFixture(profile);
		images.push({ name: `fixture ${profile}`, reference: `oci:${layout}:latest` });
	}
	return images;
}

function layerBytes({ layoutDir }: Inputs): number {
	const blobs = join(layoutDir, "blobs/sha256");
	return readdirSync(blobs).reduce((sum, name) => sum + statSync(join(blobs, name)).size, 0);
}

function write(results: Results, out: string): void {
	const markdown = toMarkdown(results);
	mkdirSync(out, { recursive: true });
	writeFileSync(join(out, "results.md"), markdown);
	writeFileSync(join(out, "results.json"), `${JSON.stringify(results, undefined, "\t")}\n`);
	process.stdout.write(markdown);
	process.stderr.write(`bench: ${join(out, "results.md")} and results.json\n`);
}

import { spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { BuildReport } from "../src/build/report.ts";
import {
	buildReferenceIso,
	makeSquashfs,
	type ReferenceOptions,
	type SquashfsOptions,
} from "../test/support/reference-pipeline.ts";
import type { TrialPlaces } from "./contenders.ts";
import { type Measurement, measure } from "./measure/measure.ts";

// One trial in a process of its own: `trial.ts PLACES SPEC`, both JSON, prints one `TrialResult` as JSON.

export type TrialSpec =
	| {
			readonly kind: "command";
			readonly command: readonly string[];
			/** File that becomes its standard input. */
			readonly stdin?: string;
			/** Where oci2iso writes its build report. */
			readonly report?: string;
	  }
	| {
			readonly kind: "pipeline";
			readonly layoutDir: string;
			readonly workDir: string;
			readonly options: ReferenceOptions;
	  }
	| { readonly kind: "mksquashfs"; readonly rootfs: string; readonly options: SquashfsOptions };

export interface TrialResult extends Measurement {
	/** Wall time in seconds per step or phase, in order, as the contender itself counts them. */
	readonly phases: Readonly<Record<string, number>>;
	readonly squashfsBytes?: number | undefined;
	/** Of all layers that oci2iso read, before compression. */
	readonly tarBytes?: number | undefined;
	/** How oci2iso compressed. */
	readonly squashfs?: BuildReport["squashfs"] | undefined;
}

const [places, spec] = process.argv.slice(2).map((text) => JSON.parse(text));
process.stdout.write(`${JSON.stringify(await runTrial(places as TrialPlaces, spec as TrialSpec))}\n`);

async function runTrial({ output, scratch }: TrialPlaces, trial: TrialSpec): Promise<TrialResult> {
	const directories = [join(output, ".."), scratch];
	const phases: Record<string, number> = {};
	const measured = await measure({ output, directories }, async () => {
		if (trial.kind === "command") await runCommand(trial.command, trial.stdin);
		else if (trial.kind === "mksquashfs") await makeSquashfs(trial.rootfs, output, trial.options);
		else {
			mkdirSync(trial.workDir);
			const { stepMs } = await buildReferenceIso(trial.layoutDir, output, { ...trial.options, workDir: trial.workDir });
			for (const [step, milliseconds] of Object.entries(stepMs)) phases[step] = milliseconds / 1000;
		}
	});
	if (trial.kind === "command" && trial.report !== undefined) {
		const report = JSON.parse(readFileSync(trial.report, "utf8")) as BuildReport;
		for (const { phase, milliseconds } of report.phases) phases[phase] = milliseconds / 1000;
		const tarBytes = report.layers.reduce((sum, layer) => sum + layer.tarBytes, 0);
		return { ...measured, phases, tarBytes, squashfsBytes: report.squashfs.byteLength, squashfs: report.squashfs };
	}
	const squashfs = trial.kind === "pipeline" ? join(trial.workDir, "iso/LiveOS/squashfs.img") : undefined;
	return { ...measured, phases, squashfsBytes: squashfs === undefined ? undefined : statSync(squashfs).size };
}

async function runCommand([program = "", ...args]: readonly string[], stdin: string | undefined): Promise<void> {
	const input = stdin === undefined ? "ignore" : openSync(stdin, "r");
	const child = spawn(program, args, { stdio: [input, "ignore", "pipe"] });
	let complaint = "";
	child.stderr?.on("data", (chunk: Buffer) => {
		complaint += chunk.toString();
	});
	const status = await new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
	if (status !== 0) throw new Error(`${program} ${args.join(" ")}\nended with ${status}:\n${complaint}`);
}

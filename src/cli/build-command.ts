import { createReadStream } from "node:fs";
import { type Command, Option } from "commander";
import { formatSize } from "../binary/format-size.ts";
import { requireDistinctPlaces, writtenPlaces } from "../build/places.ts";
import type { BuildPlan } from "../build/plan.ts";
import type { BuildDetails, BuildReport } from "../build/report.ts";
import { defaultStorePath } from "../cache/store-directory.ts";
import { Oci2isoError } from "../errors.ts";
import { parseDestinations } from "../output/destination.ts";
import { resolvePlace } from "../output/place.ts";
import { openReport } from "../output/report-file.ts";
import { interruptSignal } from "./interrupt.ts";
import { addGroups, CONTENT_GROUPS, IMAGE_GROUPS, type ValuesOf, withFlags } from "./option-groups.ts";
import { outputNameFor } from "./output-name.ts";
import { onStandardOutput, printJson, printLine, printLines } from "./print.ts";
import { createProgress, type ProgressStyle } from "./progress.ts";
import { isPage } from "./report-page.ts";
import { formatDuration } from "./values.ts";

const GROUPS = [
	"output",
	...CONTENT_GROUPS,
	"payload",
	"also",
	"work",
	"medium",
	...IMAGE_GROUPS,
	"store",
	"storeSize",
	"sharedCache",
	"common",
] as const;

interface BuildArguments extends Omit<ValuesOf<(typeof GROUPS)[number]>, "cache"> {
	readonly cache?: string | false;
	readonly plan?: string;
	readonly printPlan?: boolean;
	readonly printLayout?: boolean;
	readonly report?: string;
	readonly progress: ProgressStyle;
}

/** Adds `oci2iso build IMAGE`. */
export function registerBuild(program: Command): void {
	const command = program
		.command("build")
		.description("read IMAGE and write a bootable ISO")
		.argument(
			"[image]",
			"[docker://]HOST/NAME[:TAG|@DIGEST], oci:DIR[:TAG|@DIGEST], oci-archive:FILE, docker-archive:FILE, dir:DIR, containers-storage:NAME, podman:NAME or docker-daemon:NAME",
		);
	addGroups(command, ...GROUPS)
		.addOption(new Option("--no-cache", "neither use nor fill the cache").helpGroup("Cache:"))
		.addOption(
			new Option("--plan <file>", "run a plan, - for standard input, in place of an image and options")
				.conflicts("printPlan")
				.helpGroup("How it is made:"),
		)
		.addOption(
			new Option("--print-plan", "print what decides every byte of the ISO, as JSON, and build nothing").helpGroup(
				"How it is made:",
			),
		)
		.addOption(new Option("--print-layout", "print what goes at which block of the ISO").helpGroup("Messages:"))
		.addOption(
			new Option(
				"--report <file>",
				"write a build report: a page of HTML where it is called .html, else JSON; - for standard output",
			).helpGroup("Output:"),
		)
		.addOption(
			new Option("--progress <style>", "how to show progress on standard error")
				.choices(["auto", "plain", "json", "none"])
				.default("auto")
				.helpGroup("Messages:"),
		)
		.action(async (image: string | undefined, given: BuildArguments) => {
			try {
				await run(image, withoutDefaults(given, command), command);
			} catch (error) {
				throw withFlags(error, command);
			}
		});
}

/** What `--no-...` is not given for has a value all the same, and a plan takes none beside it. */
function withoutDefaults(given: BuildArguments, command: Command): BuildArguments {
	const isSet = (name: string): boolean => name === "progress" || command.getOptionValueSource(name) !== "default";
	return { progress: given.progress, ...Object.fromEntries(Object.entries(given).filter(([name]) => isSet(name))) };
}

async function run(image: string | undefined, given: BuildArguments, command: Command): Promise<void> {
	if (given.plan !== undefined) {
		const plan = await readPlan(given.plan);
		return await build(plan.image.reference, { plan, ...(image === undefined ? {} : { image }) }, given);
	}
	if (image === undefined)
		command.error("error: missing required argument 'image'", { code: "commander.missingArgument" });
	if (given.printPlan !== true) return await build(image, { image }, given);
	const interrupt = interruptSignal();
	try {
		const { planBuild } = await import("../build/build.ts");
		const plan = await planBuild({ ...optionsOf(given), image, signal: interrupt.signal });
		await onStandardOutput((out) => printJson(out, plan, 2));
	} finally {
		interrupt.dispose();
	}
}

/** What of the command line is the library's. */
function optionsOf(given: BuildArguments) {
	const {
		report: _r,
		progress: _p,
		quiet: _q,
		plan: _f,
		printPlan: _pp,
		printLayout: _l,
		verbose: _v,
		...rest
	} = given;
	const { cache, ...options } = rest;
	return { ...options, cache: cache === false ? undefined : (cache ?? defaultStorePath()) };
}

/** `subject` is the image, or the plan with whatever image was given beside it, which the library refuses. */
async function build(
	reference: string,
	subject: { readonly image: string } | { readonly plan: BuildPlan },
	given: BuildArguments,
): Promise<void> {
	const { report, printLayout, plan: planFile } = given;
	const options = { ...optionsOf(given), output: given.output ?? [outputNameFor(reference)] };
	const outputs = parseDestinations(options.output);
	const style = given.quiet === true ? "none" : given.progress;
	const startedMilliseconds = performance.now();
	const places = writtenPlaces({ ...options, outputs });
	if (report !== undefined) places.push({ name: "--report", path: report });
	requireDistinctPlaces(places, {
		...options,
		also: options.also?.map(({ image }) => image),
		image: reference,
		planFile,
	});
	const isPiped = outputs.some((to) => to.kind === "iso" && resolvePlace(to.path).kind === "stdout");
	if (isPiped && process.stdout.isTTY === true) {
		throw new Oci2isoError({
			code: "OUTPUT_IS_TERMINAL",
			kind: "usage",
			what: "an ISO is not written to a terminal",
			where: "-o -",
			remedy: "redirect standard output or name a file",
		});
	}
	const reportFile = report === undefined ? undefined : openReport(report, options);
	const writeReport = async (result: BuildReport, details: BuildDetails): Promise<void> => {
		if (report === undefined || reportFile === undefined) return onStandardOutput((out) => printJson(out, result, 2));
		if (!isPage(report)) return reportFile.write(`${JSON.stringify(result, undefined, 2)}\n`);
		const { buildPage } = await import("../page/build-page.ts");
		await reportFile.write(await buildPage(result, details));
	};
	const progress = createProgress(style, process.stderr, () => performance.now());
	const interrupt = interruptSignal();
	try {
		const { buildIso } = await import("../build/build.ts");
		const result = await buildIso({
			...options,
			...subject,
			onEvent: progress.onEvent,
			onLayout: printLayout === true ? (layout) => printLines(process.stderr, layout) : undefined,
			onReport: report === undefined ? undefined : writeReport,
			signal: interrupt.signal,
		});
		await reportFile?.publish();
		progress.finish();
		const { iso, registries, pxe } = result;
		if (style === "json") printJson(process.stderr, { type: "done", iso, registries, pxe });
		else if (style !== "none") {
			const time = formatDuration((performance.now() - startedMilliseconds) / 1000);
			for (const line of describeResult(result)) printLine(process.stderr, `oci2iso: ${line}, made in ${time}`);
		}
	} finally {
		reportFile?.discard();
		progress.finish();
		interrupt.dispose();
	}
}

function describeResult({ iso, pxe = [], registries = [], contract: { label } }: BuildReport): string[] {
	const paths = iso === undefined ? [] : [iso.path, ...(iso.furtherPaths ?? [])];
	const isos = [...paths.filter((path) => path !== ""), ...registries.map(({ reference }) => reference)];
	return [
		...isos.map((path) => `${path === "-" ? "ISO" : path}: ${formatSize(iso?.byteLength ?? 0)}, label ${label}`),
		...pxe.map(({ directory, files }) => {
			const byteLength = files.reduce((sum, file) => sum + file.byteLength, 0);
			return `${directory}: ${files.length} files for network boot, ${formatSize(byteLength)}`;
		}),
	];
}

/** Throws `Oci2isoError` (exit 2): PLAN_UNREADABLE, and as `parsePlan`. */
async function readPlan(path: string): Promise<BuildPlan> {
	const { MAX_PLAN_BYTES, parsePlan } = await import("../build/plan.ts");
	const pieces: Buffer[] = [];
	let byteLength = 0;
	try {
		for await (const piece of path === "-" ? process.stdin : createReadStream(path)) {
			pieces.push(piece);
			byteLength += piece.byteLength;
			if (byteLength > MAX_PLAN_BYTES) break;
		}
	} catch (cause) {
		const what = `the plan cannot be read: ${(cause as NodeJS.ErrnoException).code ?? "unknown error"}`;
		throw new Oci2isoError({ code: "PLAN_UNREADABLE", kind: "usage", what, where: path, cause });
	}
	return parsePlan(Buffer.concat(pieces));
}

import { type Command, Option } from "commander";
import { requireDistinctPlaces } from "../build/places.ts";
import type { BuildReport } from "../build/report.ts";
import { defaultStorePath } from "../cache/store-directory.ts";
import { Oci2isoError } from "../errors.ts";
import { resolvePlace } from "../output/place.ts";
import { openReport } from "../output/report-file.ts";
import { interruptSignal } from "./interrupt.ts";
import { addGroups, collect, type ImageValues, withFlags } from "./option-groups.ts";
import { outputNameFor } from "./output-name.ts";
import { onStandardOutput, printJson, printLine, printLines } from "./print.ts";
import { createProgress, type ProgressStyle } from "./progress.ts";
import { formatDuration, formatSize, parseInteger, parseSize } from "./values.ts";

interface BuildArguments extends ImageValues {
	readonly output?: string;
	readonly report?: string;
	readonly progress: ProgressStyle;
	readonly quiet?: boolean;
	readonly printPlan?: boolean;
	readonly tools?: "auto" | "buildroot" | "host" | "builtin";
	readonly allowUnconfinedTools?: boolean;
	readonly cache?: string | false;
	readonly cacheSize?: number;
	readonly cacheFrom?: string[];
	readonly cacheTo?: string;
	readonly cacheKeyFile?: string;
	readonly jobs?: number;
	readonly sourceDateEpoch?: number;
	readonly overwrite?: boolean;
	readonly force?: boolean;
}

/** Adds `oci2iso build IMAGE`. */
export function registerBuild(program: Command): void {
	const command = program
		.command("build")
		.description("read IMAGE and write a bootable ISO")
		.argument(
			"<image>",
			"[docker://]HOST/NAME[:TAG|@DIGEST], oci:DIR[:TAG|@DIGEST], oci-archive:FILE, docker-archive:FILE or dir:DIR",
		)
		.option("-o, --output <file>", "the ISO to write, - for standard output (default: the image's name and tag, .iso)")
		.option("--overwrite", "replace an existing output or report")
		.option("--force", "build although the image would not boot")
		.option("--report <file>", "write a JSON build report, - for standard output")
		.addOption(
			new Option("--progress <style>", "how to show progress on standard error")
				.choices(["auto", "plain", "json", "none"])
				.default("auto"),
		)
		.option("-q, --quiet", "print nothing but errors, as --progress none does")
		.option("--print-plan", "print what goes at which block of the ISO")
		.addOption(
			new Option("--tools <source>", "who makes the BIOS core image and the media checksum").choices([
				"auto",
				"buildroot",
				"host",
				"builtin",
			]),
		)
		.option("--allow-unconfined-tools", "run the image's tools even where they cannot be confined")
		.option("--jobs <n>", "compression threads (default: one per processor)", parseInteger)
		.option("--source-date-epoch <seconds>", "time of every stamp that is not the image's", parseInteger);
	addGroups(command, "common", "boot", "squashfs", "tree", "image", "registry");
	command
		.optionsGroup("Cache:")
		.option(
			"--cache <dir>",
			"keep compressed blocks here for later builds (default: oci2iso in $XDG_CACHE_HOME or ~/.cache)",
		)
		.option("--no-cache", "neither use nor fill the cache")
		.option("--cache-size <size>", "what the cache may hold after the build (default: 10G)", parseSize)
		.option("--cache-from <ref>", "take compressed blocks from an artifact in a registry; repeatable", collect)
		.option("--cache-to <ref>", "push this build's compressed blocks to a tag in a registry")
		.option("--cache-key-file <file>", "a secret: use of --cache-from only what was pushed with it, and push with it")
		.action(async (image: string, given: BuildArguments) => {
			try {
				await build(image, given);
			} catch (error) {
				throw withFlags(error, command);
			}
		});
}

async function build(image: string, given: BuildArguments): Promise<void> {
	const { output: givenOutput, report, progress: askedStyle, quiet, printPlan, verbose: _, cache, ...options } = given;
	const style = quiet === true ? "none" : askedStyle;
	const output = givenOutput ?? outputNameFor(image);
	const startedMilliseconds = performance.now();
	const places = [{ name: "the output", path: output }];
	if (report !== undefined) places.push({ name: "--report", path: report });
	requireDistinctPlaces(places, { image, cache, ...options });
	if (resolvePlace(output).kind === "stdout" && process.stdout.isTTY === true) {
		throw new Oci2isoError({
			code: "OUTPUT_IS_TERMINAL",
			kind: "usage",
			what: "an ISO is not written to a terminal",
			where: "-o -",
			remedy: "redirect standard output or name a file",
		});
	}
	const reportFile = report === undefined ? undefined : openReport(report, options);
	const writeReport = (result: BuildReport): Promise<void> =>
		reportFile === undefined
			? onStandardOutput((out) => printJson(out, result, 2))
			: reportFile.write(`${JSON.stringify(result, undefined, 2)}\n`);
	const progress = createProgress(style, process.stderr, () => performance.now());
	const interrupt = interruptSignal();
	try {
		const { buildIso } = await import("../build/build.ts");
		const result = await buildIso({
			...options,
			cache: cache === false ? undefined : (cache ?? defaultStorePath()),
			image,
			output,
			onEvent: progress.onEvent,
			onPlan: printPlan === true ? (plan) => printLines(process.stderr, plan) : undefined,
			onReport: report === undefined ? undefined : writeReport,
			signal: interrupt.signal,
		});
		await reportFile?.publish();
		progress.finish();
		if (style === "json") printJson(process.stderr, { type: "done", iso: result.iso });
		else if (style !== "none") {
			const name = output === "-" ? "ISO" : output;
			const { byteLength, volumeIdentifier } = result.iso;
			const time = formatDuration((performance.now() - startedMilliseconds) / 1000);
			printLine(
				process.stderr,
				`oci2iso: ${name}: ${formatSize(byteLength)}, label ${volumeIdentifier}, made in ${time}`,
			);
		}
	} finally {
		reportFile?.discard();
		progress.finish();
		interrupt.dispose();
	}
}

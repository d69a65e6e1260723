import { Command, CommanderError, Option } from "commander";
import { requireDistinctPlaces } from "../assemble/places.ts";
import { PRESET_NAMES } from "../assemble/presets.ts";
import { VERSION } from "../assemble/version.ts";
import { defaultStorePath } from "../cache/store-directory.ts";
import { EXIT_STATUS, Oci2isoError } from "../errors.ts";
import { resolvePlace } from "../output/place.ts";
import { openReport } from "../output/report-file.ts";
import { registerCache } from "./cache-command.ts";
import { registerInspect } from "./inspect-command.ts";
import { interruptSignal } from "./interrupt.ts";
import { outputNameFor } from "./output-name.ts";
import { onStandardOutput, printJson, printLine, printLines } from "./print.ts";
import { createProgress, type ProgressStyle } from "./progress.ts";
import { usageError } from "./usage-error.ts";
import { formatSize, parseBoolean, parseCount, parseInteger, parseSize } from "./values.ts";
import { registerVerify } from "./verify-command.ts";

interface BuildArguments {
	readonly output?: string;
	readonly report?: string;
	readonly progress: ProgressStyle;
	readonly printPlan?: boolean;
	readonly verbose?: boolean;
	readonly defaultExcludes: boolean;
	readonly exclude?: string[];
	readonly dropXattr?: string[];
	readonly platform?: string;
	readonly label?: string;
	readonly kernel?: string;
	readonly vendor?: string;
	readonly preset?: "fast" | "balanced" | "small" | "reference";
	readonly comp?: "zstd" | "xz" | "gzip" | "lz4" | "none";
	readonly level?: number;
	readonly blockSize?: number;
	readonly tools?: "auto" | "buildroot" | "host" | "builtin";
	readonly allowUnconfinedTools?: boolean;
	readonly cache?: string | false;
	readonly cacheSize?: number;
	readonly cacheFrom?: string[];
	readonly cacheTo?: string;
	readonly jobs?: number;
	readonly sourceDateEpoch?: number;
	readonly authfile?: string;
	readonly creds?: string;
	readonly tlsVerify?: boolean;
	readonly certDir?: string;
	readonly overwrite?: boolean;
	readonly requireSecureBoot?: boolean;
	readonly maxLayerBytes?: number;
	readonly maxInodes?: number;
	readonly force?: boolean;
}

const collect = (value: string, earlier: string[] = []): string[] => [...earlier, value];

/** Does what a command line asks for; what is wrong, with the command line itself too, is thrown as `Oci2isoError`. */
export async function runProgram(commandLine: readonly string[]): Promise<void> {
	let shown = "";
	const program = createProgram((text) => {
		shown += text;
	});
	try {
		await program.parseAsync(commandLine);
	} catch (error) {
		if (!(error instanceof CommanderError)) throw error;
		if (error.exitCode === 0) return await onStandardOutput((out) => printLines(out, shown));
		if (error.code !== "commander.help") throw usageError(error, commandNameOf(program, commandLine.slice(2)));
		printLines(process.stderr, shown);
		process.exitCode = EXIT_STATUS.usage;
	}
}

function commandNameOf(command: Command, [word, ...rest]: readonly string[]): string {
	const next = command.commands.find((other) => other.name() === word);
	return next === undefined ? command.name() : `${command.name()} ${commandNameOf(next, rest)}`;
}

function createProgram(show: (text: string) => void): Command {
	const program = new Command("oci2iso")
		.description(
			"Make a bootable live ISO out of an OCI image: no root, no podman, no loop devices, no mksquashfs, no xorriso.",
		)
		.version(VERSION, "--version", "print the version")
		.enablePositionalOptions()
		.exitOverride()
		.configureOutput({ writeOut: show, writeErr: show, outputError: () => {} });
	program
		.command("build")
		.description("read IMAGE and write a bootable ISO")
		.argument(
			"<image>",
			"[docker://]HOST/NAME[:TAG|@DIGEST], oci:DIR[:TAG|@DIGEST], oci-archive:FILE, docker-archive:FILE or dir:DIR",
		)
		.option("-o, --output <file>", "the ISO to write, - for standard output (default: the image's name and tag, .iso)")
		.option("--platform <os/arch[/variant]>", "which image of an index (default: linux on this architecture)")
		.option("--label <label>", "volume label, at most 32 characters")
		.option("--kernel <version>", "directory under /usr/lib/modules to boot")
		.option("--vendor <name>", "EFI vendor directory")
		.addOption(
			new Option("--preset <name>", "squashfs compressor, level and block size together (default: balanced)").choices(
				PRESET_NAMES,
			),
		)
		.addOption(new Option("--comp <name>", "squashfs compressor").choices(["zstd", "xz", "gzip", "lz4", "none"]))
		.option(
			"--level <n>",
			"compression level (default: the preset's for its compressor, mksquashfs's for another)",
			parseInteger,
		)
		.option("--block-size <size>", "squashfs block size, 4K to 1M (default: the preset's)", parseSize)
		.option("--exclude <pattern>", "leave paths out of the squashfs, as mksquashfs -regex -e does; repeatable", collect)
		.option("--no-default-excludes", "keep what the reference converter leaves out")
		.option(
			"--drop-xattr <pattern>",
			"leave extended attributes out, by shell pattern: security.selinux, user.*; repeatable",
			collect,
		)
		.addOption(
			new Option("--tools <source>", "who makes the BIOS core image and the media checksum").choices([
				"auto",
				"buildroot",
				"host",
				"builtin",
			]),
		)
		.option("--allow-unconfined-tools", "run the image's tools even where they cannot be confined")
		.option(
			"--cache <dir>",
			"keep compressed blocks here for later builds (default: oci2iso in $XDG_CACHE_HOME or ~/.cache)",
		)
		.option("--no-cache", "neither use nor fill the cache")
		.option("--cache-size <size>", "what the cache may hold after the build (default: 10G)", parseSize)
		.option("--cache-from <ref>", "take compressed blocks from an artifact in a registry; repeatable", collect)
		.option("--cache-to <ref>", "push this build's compressed blocks to a tag in a registry")
		.option("--jobs <n>", "compression threads (default: one per processor)", parseInteger)
		.option(
			"--authfile <file>",
			"credentials, as podman login or docker login writes them (default: REGISTRY_AUTH_FILE, else their places)",
		)
		.option("--creds <user:password>", "credentials; other users of this machine can see them, --authfile hides them")
		.option("--tls-verify [bool]", "false: accept any certificate, and plain HTTP", parseBoolean)
		.option("--cert-dir <dir>", "the registry's CA and client certificates: *.crt, *.cert, *.key")
		.option(
			"--max-layer-bytes <size>",
			"refuse a layer that is larger when uncompressed (default: by its size, 4G to 64G)",
			parseSize,
		)
		.option("--max-inodes <n>", "refuse an image with more entries in all layers (default: 4000000)", parseCount)
		.option("--report <file>", "write a JSON build report, - for standard output")
		.addOption(
			new Option("--progress <style>", "how to show progress on standard error")
				.choices(["auto", "plain", "json", "none"])
				.default("auto"),
		)
		.option("--print-plan", "print what goes at which block of the ISO")
		.option("--source-date-epoch <seconds>", "time of every stamp that is not the image's", parseInteger)
		.option("--overwrite", "replace an existing output")
		.option("--require-secure-boot", "refuse an image that UEFI Secure Boot would refuse")
		.option("--force", "build although the image would not boot")
		.option("--verbose", "print the causes of an error too")
		.exitOverride()
		.action(build);
	registerInspect(program);
	registerCache(program);
	registerVerify(program);
	return program;
}

async function build(image: string, given: BuildArguments): Promise<void> {
	const { output: givenOutput, report, progress: style, printPlan, verbose: _, authfile, cache, ...options } = given;
	const output = givenOutput ?? outputNameFor(image);
	const places = [{ name: "the output", path: output }];
	if (report !== undefined) places.push({ name: "--report", path: report });
	requireDistinctPlaces(places, { image, authFile: authfile });
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
	const progress = createProgress(style, process.stderr, () => performance.now());
	const interrupt = interruptSignal();
	try {
		const { buildIso } = await import("../assemble/build.ts");
		const result = await buildIso({
			...options,
			authFile: authfile,
			cache: cache === false ? undefined : (cache ?? defaultStorePath()),
			image,
			output,
			onEvent: progress.onEvent,
			onPlan: printPlan === true ? (plan) => printLines(process.stderr, plan) : undefined,
			signal: interrupt.signal,
		});
		progress.finish();
		if (report !== undefined) {
			if (reportFile === undefined) await onStandardOutput((out) => printJson(out, result, 2));
			else await reportFile.write(`${JSON.stringify(result, undefined, 2)}\n`);
		}
		if (style === "json") printJson(process.stderr, { type: "done", iso: result.iso });
		else if (style !== "none") {
			const name = output === "-" ? "ISO" : output;
			const { byteLength, volumeIdentifier } = result.iso;
			printLine(process.stderr, `oci2iso: ${name}: ${formatSize(byteLength)}, label ${volumeIdentifier}`);
		}
	} finally {
		reportFile?.discard();
		progress.finish();
		interrupt.dispose();
	}
}

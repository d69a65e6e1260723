import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Inputs } from "./inputs.ts";
import { missingCommands } from "./machine.ts";
import { BLOCK_BYTES, REFERENCE_SETTING, type Setting } from "./settings.ts";
import type { TrialSpec } from "./trial.ts";

/** One thing to run and measure. */
export interface Contender {
	/** Unique; what the tables show. */
	readonly name: string;
	/** Commands without which it cannot run here; `root` is one. */
	readonly needs: readonly string[];
	readonly makes: "iso" | "squashfs" | "erofs";
	/** Processor seconds per million bytes of gzip layers, roughly. */
	readonly expected: number;
	spec(inputs: Inputs, places: TrialPlaces): TrialSpec;
}

export interface TrialPlaces {
	readonly output: string;
	readonly scratch: string;
}

/** One of ours and those that do the same work. */
export interface Comparison {
	readonly title: string;
	readonly ours: Contender;
	readonly peers: readonly Contender[];
}

export interface Plan {
	readonly comparisons: readonly Comparison[];
	/** The same build with more and more threads. */
	readonly scaling: readonly { readonly threads: number; readonly contender: Contender }[];
}

const MAIN = join(import.meta.dirname, "..", "dist", "cli", "main.js");
const EROFS_CLUSTER_BYTES = 65_536;
const DEFAULT_EXPECTED = 0.035;
/** A peer that does only a part of the work is left out where one trial takes longer; so is a whole setting beyond the second. */
const LONG_PART_SECONDS = 75;
const LONG_SETTING_SECONDS = 120;

/** `trialSeconds` says how long a trial with that expectation takes here; undefined: leave nothing out. */
export function makePlan(
	given: readonly Setting[],
	options: {
		readonly rootless: boolean;
		readonly scaling: boolean;
		readonly trialSeconds?: ((expected: number) => number) | undefined;
	},
): Plan {
	const seconds = options.trialSeconds ?? (() => 0);
	const chosen = given.filter(({ expected }) => seconds(expected.peers) <= LONG_SETTING_SECONDS);
	const reference = pipeline(REFERENCE_SETTING, options.rootless);
	const comparisons = chosen.map((setting) => ({
		title: `${setting.name}, 128 KiB blocks`,
		ours: oci2iso(`oci2iso ${setting.name}`, settingArguments(setting), setting.expected.ours),
		peers: [
			setting === REFERENCE_SETTING ? reference : pipeline(setting, options.rootless),
			...(seconds(setting.expected.peers) > LONG_PART_SECONDS ? [] : parts(setting, options.rootless)),
		],
	}));
	const byDefault = {
		title: "oci2iso's default against the reference's settings",
		ours: oci2iso("oci2iso, default", [], DEFAULT_EXPECTED),
		peers: [reference],
	};
	const fast = chosen.find(({ name }) => name === "zstd 3") ?? chosen[0];
	const scaling = options.scaling && fast !== undefined ? threadCounts(availableParallelism()) : [];
	return {
		comparisons: [byDefault, ...comparisons],
		scaling: scaling.map((threads) => ({
			threads,
			contender: oci2iso(
				`oci2iso ${fast?.name}, --jobs ${threads}`,
				[...(fast === undefined ? [] : settingArguments(fast)), ...["--jobs", String(threads)]],
				fast?.expected.ours ?? DEFAULT_EXPECTED,
			),
		})),
	};
}

/** Those that do a part of the work. */
function parts(setting: Setting, rootless: boolean): Contender[] {
	return [
		mksquashfs(setting, rootless),
		tar2sqfs(setting, rootless),
		...(setting.codec === "lz4" ? [mkfsErofs(rootless)] : []),
	];
}

/** Each contender once, neighbours staying neighbours, and a line for each that cannot run here. */
export function runnable(plan: Plan, warn: (line: string) => void): Contender[] {
	const byName = new Map<string, Contender>();
	for (const { ours, peers } of plan.comparisons)
		for (const one of [ours, ...peers]) if (!byName.has(one.name)) byName.set(one.name, one);
	for (const { contender } of plan.scaling) byName.set(contender.name, contender);
	return [...byName.values()].filter(({ name, needs }) => {
		const missing = missingCommands(needs);
		if (missing.length > 0) warn(`SKIPPED: ${name}: needs ${missing.join(", ")}`);
		return missing.length === 0;
	});
}

export function threadCounts(processors: number): number[] {
	const counts = [];
	for (let threads = 1; threads < processors; threads *= 2) counts.push(threads);
	return [...counts, processors];
}

function settingArguments({ codec, level, ourLevel }: Setting): string[] {
	const number = ourLevel ?? level;
	const tuning = number === undefined ? [] : ["--level", String(number)];
	return ["--comp", codec, ...tuning, "--block-size", String(BLOCK_BYTES)];
}

export function oci2iso(name: string, args: readonly string[], expected = 0): Contender {
	return {
		name,
		expected,
		needs: [],
		makes: "iso",
		spec: ({ layoutDir }, { output, scratch }) => ({
			kind: "command",
			report: join(scratch, "report.json"),
			command: [
				...[
					process.execPath,
					MAIN,
					"build",
					`oci:${layoutDir}:latest`,
					"-o",
					output,
					"--progress",
					"none",
					"--no-cache",
				],
				...["--report", join(scratch, "report.json"), ...args],
			],
		}),
	};
}

function pipeline(setting: Setting, rootless: boolean): Contender {
	const { codec: compression, level } = setting;
	const tools = ["skopeo", "umoci", "mksquashfs", "mkfs.fat", "mcopy", "xorrisofs", "implantisomd5", "chroot"];
	return {
		name: `pipeline ${setting.name}`,
		needs: [...tools, ...(rootless ? ["unshare"] : ["root"])],
		makes: "iso",
		expected: setting.expected.peers,
		spec: ({ layoutDir }, { scratch }) => ({
			kind: "pipeline",
			layoutDir,
			workDir: join(scratch, "pipeline"),
			options: { compression, rootless, ...(level === undefined ? {} : { level }) },
		}),
	};
}

function mksquashfs(setting: Setting, rootless: boolean): Contender {
	const { codec: compression, level } = setting;
	return {
		name: `mksquashfs ${setting.name}, of the unpacked tree`,
		needs: ["umoci", "mksquashfs", ...(rootless ? [] : ["root"])],
		makes: "squashfs",
		expected: setting.expected.peers,
		spec: ({ rootfs }) => ({
			kind: "mksquashfs",
			rootfs: rootfs(),
			options: { compression, ...(level === undefined ? {} : { level }) },
		}),
	};
}

function tar2sqfs({ name, codec, level, expected }: Setting, rootless: boolean): Contender {
	const tuning = level === undefined ? [] : ["-X", `level=${level}`];
	return {
		name: `tar2sqfs ${name}, of the merged tar`,
		needs: ["umoci", "tar", "tar2sqfs", ...(rootless ? [] : ["root"])],
		makes: "squashfs",
		expected: expected.peers,
		spec: ({ mergedTar }, { output }) => ({
			kind: "command",
			command: ["tar2sqfs", "--quiet", "--compressor", codec, ...tuning, output],
			stdin: mergedTar(),
		}),
	};
}

function mkfsErofs(rootless: boolean): Contender {
	return {
		name: "mkfs.erofs lz4, of the unpacked tree",
		needs: ["umoci", "mkfs.erofs", ...(rootless ? [] : ["root"])],
		makes: "erofs",
		expected: DEFAULT_EXPECTED,
		spec: ({ rootfs }, { output }) => ({
			kind: "command",
			command: ["mkfs.erofs", "--quiet", "-zlz4", `-C${EROFS_CLUSTER_BYTES}`, output, rootfs()],
		}),
	};
}

import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { loadNativeAddon } from "../src/native/addon.ts";
import { requires } from "../test/support/requires.ts";
import { type AgainstResults, measureAgainst } from "./against/run.ts";
import { type Arguments, DEFAULT_PARTS } from "./arguments.ts";
import { type CacheResults, measureCache } from "./cache/run.ts";
import { makePlan, runnable } from "./contenders.ts";
import { type Inputs, openInputs } from "./inputs.ts";
import { type MemoryResults, measureMemory } from "./memory/run.ts";
import type { MicroRow } from "./micro/repeat.ts";
import { measurePayload, type PayloadResults } from "./payload/run.ts";
import type { ImagePresets } from "./presets/results.ts";
import { weighPresets } from "./presets/run.ts";
import type { ImageResults } from "./results.ts";
import { findLimits } from "./run-limits.ts";
import { runMicro } from "./run-micro.ts";
import { expectedSeconds, runRounds } from "./run-rounds.ts";
import { QUICK_SETTINGS, type Setting, settings } from "./settings.ts";
import { measureShared, type SharedResults } from "./shared/run.ts";

/** One run of the benchmark, image after image in the directory `work`, which is emptied. */
export class Run {
	readonly images: ImageResults[] = [];
	readonly weighed: ImagePresets[] = [];
	readonly cached: CacheResults[] = [];
	readonly shared: SharedResults[] = [];
	readonly memory: MemoryResults[] = [];
	readonly payload: PayloadResults[] = [];
	readonly against: AgainstResults[] = [];
	micro: MicroRow[] = [];
	readonly #given: Arguments;
	readonly #processors: number;
	readonly #warn: (line: string) => void;
	readonly #known: readonly Setting[];
	readonly #work: string;

	constructor(given: Arguments, work: string, processors: number, warn: (line: string) => void) {
		this.#given = given;
		this.#processors = processors;
		this.#warn = warn;
		this.#known = settings(loadNativeAddon().addon?.codecs.gzip?.encoder ?? "zlib");
		this.#work = work;
	}

	async measure(name: string, reference: string, isFixture: boolean): Promise<void> {
		const work = this.#work;
		rmSync(work, { recursive: true, force: true });
		mkdirSync(work, { recursive: true });
		try {
			process.stderr.write(`bench: ${name}: preparing\n`);
			const inputs = await openInputs(name, reference, work);
			const { parts } = this.#given;
			if (parts.some((part) => DEFAULT_PARTS.includes(part))) await this.#compare(inputs);
			const weighs = parts.filter((part) => part === "presets" || part === "boot");
			if (weighs.length > 0) await this.#weigh(inputs, weighs, isFixture);
			if (parts.includes("cache")) {
				const { layoutDir: layout } = inputs;
				const { trials } = this.#given;
				this.cached.push(await measureCache({ name, layout, trials }, join(work, "cache")));
			}
			if (parts.includes("shared")) await this.#share(inputs);
			const { build } = this.#given;
			if (build !== undefined) {
				const { layoutDir: layout } = inputs;
				const given = { name, layout, layerBytes: layerBytes(inputs), build, trials: this.#given.trials };
				this.against.push(await measureAgainst(given, join(work, "against")));
			}
			if (parts.includes("payload")) {
				const given = { name, layout: inputs.layoutDir, layerBytes: layerBytes(inputs), trials: this.#given.trials };
				this.payload.push(await measurePayload(given, join(work, "payload")));
			}
			if (parts.includes("memory"))
				this.memory.push(await measureMemory(inputs, this.#given.trials, join(work, "memory")));
		} finally {
			rmSync(work, { recursive: true, force: true });
		}
	}

	async #compare(inputs: Inputs): Promise<void> {
		const { parts, rootless, trials, settings: named } = this.#given;
		const bytes = layerBytes(inputs);
		const trialSeconds = (expected: number): number => (expected * bytes) / 1e6 / this.#processors;
		const plan = makePlan(this.#chosen(), {
			rootless,
			scaling: parts.includes("threads"),
			trialSeconds: named === undefined ? trialSeconds : undefined,
		});
		const measured = parts.includes("pipelines") ? plan : { ...plan, comparisons: [] };
		const contenders = runnable(measured, this.#warn);
		const minutes = expectedSeconds(contenders, trials, trialSeconds) / 60;
		process.stderr.write(`bench: ${inputs.name}: rounds take about ${minutes.toFixed(0)} minutes here\n`);

		const options = { work: this.#work, trials, warn: this.#warn };
		if (contenders.some(({ makes }) => makes !== "iso")) await inputs.prepare({ rootless });
		const rounds = await runRounds(contenders, inputs, options);
		this.images.push({
			name: inputs.name,
			layerBytes: bytes,
			rounds,
			comparisons: measured.comparisons.map(({ title, ours, peers }) => ({
				title,
				ours: ours.name,
				peers: peers.map((peer) => peer.name),
			})),
			scaling: measured.scaling.map(({ threads, contender }) => ({ threads, name: contender.name })),
			limits: parts.includes("limit") ? await findLimits(rounds, inputs, options) : {},
		});
		if (parts.includes("micro") && this.micro.length === 0) this.micro = await runMicro(inputs, options);
	}

	async #weigh(inputs: Inputs, parts: readonly ("presets" | "boot")[], isFixture: boolean): Promise<void> {
		const { trials, rootless } = this.#given;
		const weighed = await weighPresets(inputs, {
			...{ parts, trials, rootless, warn: this.#warn, work: this.#work },
			layerBytes: layerBytes(inputs),
			settings: this.#given.settings === undefined ? this.#known : this.#chosen(),
			runPrograms: isFixture,
			smaller: this.weighed[0],
		});
		this.weighed.push(weighed);
	}

	async #share({ name, layoutDir }: Inputs): Promise<void> {
		const missing = requires("docker-registry", "skopeo");
		if (missing !== undefined) this.#warn(`SKIPPED: caches in a registry: ${missing}`);
		else this.shared.push(await measureShared(name, layoutDir, join(this.#work, "shared")));
	}

	#chosen(): Setting[] {
		const { settings: named, full } = this.#given;
		return (named ?? (full ? this.#known.map(({ name }) => name) : QUICK_SETTINGS)).map((name) => {
			const setting = this.#known.find((one) => one.name === name);
			if (setting === undefined)
				throw new Error(`no setting ${name}: ${this.#known.map((one) => one.name).join(", ")}`);
			return setting;
		});
	}
}

function layerBytes({ layoutDir }: Inputs): number {
	const blobs = join(layoutDir, "blobs/sha256");
	return readdirSync(blobs).reduce((sum, name) => sum + statSync(join(blobs, name)).size, 0);
}

import { spawn } from "node:child_process";
import { linkSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { STORE_VERSION } from "../../src/cache/settings.ts";
import { ArchiveWriter } from "../support/archive-writer.ts";
import { COMPILED_MAIN } from "../support/compiled.ts";
import { HOST_GRUB } from "../support/contract-image.ts";
import { streamContractLayout } from "../support/contract-layout.ts";
import { cpuSecondsOf } from "../support/hostile-cli.ts";
import { requires } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const noGrub = requires(HOST_GRUB) !== undefined;

const FILES = 100_000;
/** What a command may still compute after the signal: a machine that is busy with other things takes longer for the same. */
const MAX_CPU_SECONDS = 1.5;
const INDEX_COPIES = 24;
/** That `cache prune` looks at. */
const STORE_FILES = 60_000;
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

interface Ended {
	readonly status: number | null;
	readonly stderr: string;
	readonly cpuSeconds: number;
	/** Of it, after the signal; undefined where the process had ended before. */
	readonly afterSignal: number | undefined;
}

describe.skipIf(noGrub)("a signal ends work on very many names within a second:", () => {
	const work = temporaryDirectory("interrupt");
	const [cache, temporary, iso] = [join(work, "cache"), join(work, "tmp"), join(work, "whole.iso")];
	let image = "";
	/** Of a whole build. */
	let buildSeconds = 0;

	/** Runs a command, and sends the signal when it has computed for so long. */
	function run(args: readonly string[], signal: NodeJS.Signals, atCpuSeconds: number): Promise<Ended> {
		const child = spawn(process.execPath, [COMPILED_MAIN, ...args], {
			env: { ...process.env, TMPDIR: temporary },
			stdio: ["ignore", "ignore", "pipe"],
		});
		let [stderr, cpuSeconds] = ["", 0];
		let sentAt: number | undefined;
		child.stderr.on("data", (chunk: Buffer) => {
			stderr += chunk.toString();
		});
		const sampler = setInterval(() => {
			cpuSeconds = Math.max(cpuSeconds, cpuSecondsOf(child.pid));
			if (sentAt !== undefined || cpuSeconds < atCpuSeconds) return;
			sentAt = cpuSeconds;
			child.kill(signal);
		}, 10);
		return new Promise((resolve, reject) => {
			child.once("error", reject);
			child.once("close", (status) => {
				clearInterval(sampler);
				resolve({ status, stderr, cpuSeconds, afterSignal: sentAt === undefined ? undefined : cpuSeconds - sentAt });
			});
		});
	}

	/** Sends signals at these moments, in CPU seconds; `args` gets a number of its own for each run. */
	async function interruptAt(moments: readonly number[], args: (run: number) => readonly string[]): Promise<void> {
		const runs = moments.map(async (moment, i) => {
			const signal = SIGNALS[i % SIGNALS.length] ?? "SIGINT";
			const { status, stderr, afterSignal } = await run(args(i), signal, moment);
			expect(afterSignal, `it ended before ${moment} s: ${stderr}`).toBeDefined();
			expect([status, stderr]).toEqual([
				128 + constants.signals[signal],
				`oci2iso: INTERRUPTED: stopped by ${signal}; nothing was left behind\n`,
			]);
			expect(afterSignal, `after ${signal} at ${moment} s`).toBeLessThan(MAX_CPU_SECONDS);
		});
		await Promise.all(runs);
		expect(readdirSync(temporary)).toEqual([]);
	}

	const buildArguments = (output: string, store: string): string[] => {
		const fast = ["--comp", "none", "--tools", "builtin", "--force", "--progress", "none"];
		return ["build", image, "-o", output, "--cache", store, ...fast];
	};

	beforeAll(async () => {
		mkdirSync(temporary);
		image = await streamContractLayout(join(work, "image"), async (append) => {
			const archive = new ArchiveWriter(append);
			for (let i = 0; i < FILES; i++) {
				// half of them in one directory, in no order
				const directory = i % 2 === 0 ? "crowd/one" : `crowd/few/${i % 7}`;
				const key = (Math.imul(i, 0x9e37_79b1) >>> 0).toString(16);
				await archive.add({ name: `${directory}/${key}-as-long-as-names-of-cached-packages-are-${i}`, mtime: i }, "");
			}
			await archive.finish();
		});
		const { status, cpuSeconds } = await run(buildArguments(iso, cache), "SIGKILL", Number.POSITIVE_INFINITY);
		expect(status).toBe(0);
		buildSeconds = cpuSeconds;
	});

	it("build, with a new cache", async () => {
		const moments = [0.35, 0.6, 0.8].map((part) => part * buildSeconds);
		await interruptAt(moments, (i) => {
			mkdirSync(join(work, `out-${i}`));
			return buildArguments(join(work, `out-${i}`, "x.iso"), join(work, `cache-${i}`));
		});
		for (const i of moments.keys()) {
			expect(readdirSync(join(work, `out-${i}`))).toEqual([]);
			const files = readdirSync(join(work, `cache-${i}`), { recursive: true, encoding: "utf8" });
			expect(files.filter((name) => /tmp-|lock/.test(name))).toEqual([]);
		}
	});

	it("verify --image", async () => {
		const moments = [0.5, 0.8, 1.1].map((part) => part * buildSeconds);
		await interruptAt(moments, () => ["verify", iso, "--image", image, "--no-secure-boot"]);
	});

	it("inspect, cache ls and cache verify of a store with as many entries in indexes of shared caches", async () => {
		const layers = join(cache, `v${STORE_VERSION}`, "layers");
		for (const name of readdirSync(layers))
			for (let i = 0; i < INDEX_COPIES; i++) {
				const origin = i.toString(16).padStart(16, "0");
				linkSync(join(layers, name), join(layers, name.replace(/\.index$/, `.from-${origin}.index`)));
			}
		const before = readdirSync(cache, { recursive: true, encoding: "utf8" }).sort();
		const moment = 0.3 * buildSeconds;
		await interruptAt([moment, moment], () => ["inspect", image]);
		const listing = await run(["cache", "ls", "--cache", cache], "SIGINT", Number.POSITIVE_INFINITY);
		for (const [command, seconds] of [
			["ls", 0.7 * listing.cpuSeconds],
			["verify", moment],
		] as const)
			await interruptAt([seconds, seconds], () => ["cache", command, "--cache", cache]);
		expect(readdirSync(cache, { recursive: true, encoding: "utf8" }).sort()).toEqual(before);
	});

	it("cache prune of a store with very many files, which are all there or gone", async () => {
		const crowded = join(work, "crowded");
		const layers = join(crowded, `v${STORE_VERSION}`, "layers");
		mkdirSync(layers, { recursive: true, mode: 0o700 });
		for (let i = 0; i < STORE_FILES; i++) writeFileSync(join(layers, `${i}.index`), "");
		await interruptAt([0.4], () => ["cache", "prune", "--all", "--cache", crowded]);
		expect(readdirSync(join(crowded, `v${STORE_VERSION}`))).not.toContain("prune.lock");
	});
});

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { atOnce } from "../../../src/binary/turns.ts";
import { verifyStore } from "../../../src/cache/examine.ts";
import { STORE_VERSION } from "../../../src/cache/settings.ts";
import { StoreDirectory } from "../../../src/cache/store-directory.ts";
import { buildWith, fileDigest, recompressedBytes } from "../../support/cache-build.ts";
import { BLOCK_BYTES, dataLayer, imageLayers, words, writeCacheImage } from "../../support/cache-images.ts";
import { COMPILED_MAIN } from "../../support/compiled.ts";
import { HOST_GRUB } from "../../support/contract-image.ts";
import { cpuSecondsOf } from "../../support/hostile-cli.ts";
import { requires } from "../../support/requires.ts";
import { roundsOf } from "../../support/slow.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const noGrub = requires(HOST_GRUB) !== undefined;

const KILLS = roundsOf(40);
const CHILDREN = 4;
const VARIANTS = 5;

describe.skipIf(noGrub)("one cache for many builds", () => {
	const work = temporaryDirectory("concurrent");
	const references: string[] = [];
	const digests: string[] = [];
	beforeAll(async () => {
		for (let variant = 0; variant < VARIANTS; variant++) {
			const top = [
				{ path: `data/a/${variant}`, content: words(`variant ${variant}`, 3000) },
				...dataLayer(`v${variant}`, 40),
			];
			const layers = imageLayers(dataLayer("a", 100), top);
			const { reference } = writeCacheImage(join(work, `image-${variant}`), layers);
			references.push(reference);
			digests.push((await buildWith(work, reference, undefined)).digest);
		}
	});

	const start = (reference: string, output: string, cache: string): ChildProcess => {
		const settings = ["--comp", "lz4", "--block-size", String(BLOCK_BYTES), "--tools", "builtin", "--jobs", "1"];
		const args = [
			"build",
			reference,
			"-o",
			output,
			"--force",
			"--overwrite",
			"--cache",
			cache,
			"--progress",
			"none",
			...settings,
		];
		return spawn(process.execPath, [COMPILED_MAIN, ...args], { stdio: ["ignore", "ignore", "inherit"] });
	};
	/** The exit status and the CPU seconds of a process, which is killed when it has computed for so long: then the status is null. */
	const ended = (child: ChildProcess, killAt = Number.POSITIVE_INFINITY) =>
		new Promise<{ status: number | null; cpuSeconds: number }>((resolve) => {
			let cpuSeconds = 0;
			const sampler = setInterval(() => {
				cpuSeconds = Math.max(cpuSeconds, cpuSecondsOf(child.pid));
				if (cpuSeconds >= killAt) child.kill("SIGKILL");
			}, 10);
			child.on("exit", (status) => {
				clearInterval(sampler);
				resolve({ status, cpuSeconds });
			});
		});

	it("that run at once gives all of them the right bytes, and is whole afterwards", async () => {
		const cache = join(work, "cache");
		for (let round = 0; round < 2; round++) {
			const runs = Array.from({ length: CHILDREN }, async (_, i) => {
				const variant = round === 0 ? 0 : (round + i) % VARIANTS;
				const output = join(work, `${round}-${i}.iso`);
				expect((await ended(start(references[variant] ?? "", output, cache))).status).toBe(0);
				expect(fileDigest(output)).toBe(digests[variant]);
				rmSync(output);
			});
			await Promise.all(runs);
		}
		const store = StoreDirectory.open(cache, { create: false });
		expect(store instanceof StoreDirectory && atOnce(verifyStore(store))).toEqual([]);
		const warm = await buildWith(work, references[0] ?? "", cache);
		expect([warm.digest, recompressedBytes(warm)]).toEqual([digests[0], 0]);
	});

	it(`that are killed at ${KILLS} random moments leaves nothing wrong behind`, async () => {
		const cache = join(work, "killed");
		const random = generator(20261121);
		const whole = await ended(start(references[0] ?? "", join(work, "time.iso"), join(work, "timing")));
		let killed = 0;
		let left = KILLS;
		const worker = async (number: number): Promise<void> => {
			while (left-- > 0) {
				if (random() < 0.05) removeInUse(cache);
				const out = join(work, `killed-${number}`);
				mkdirSync(out);
				const child = start(references[left % VARIANTS] ?? "", join(out, "x.iso"), cache);
				if ((await ended(child, random() * whole.cpuSeconds)).status === null) killed++;
				rmSync(out, { recursive: true });
			}
		};
		await Promise.all(Array.from({ length: CHILDREN }, (_, i) => worker(i)));
		expect(killed).toBeGreaterThan(KILLS / 4);
		for (const [variant, reference] of references.entries())
			expect((await buildWith(work, reference, cache)).digest).toBe(digests[variant]);
		expect(readdirSync(join(cache, `v${STORE_VERSION}`)).filter((name) => name.startsWith("tmp-"))).toEqual([]);
		const store = StoreDirectory.open(cache, { create: false });
		expect(store instanceof StoreDirectory && atOnce(verifyStore(store))).toEqual([]);
	});
});

/** As `rm -r` does where others go on writing: what they put there meanwhile may stay. */
function removeInUse(directory: string): void {
	try {
		rmSync(directory, { recursive: true, force: true });
	} catch (error) {
		if (!(error instanceof Error && "code" in error && error.code === "ENOTEMPTY")) throw error;
	}
}

/** Numbers from 0 to 1, the same for the same seed. */
function generator(seed: number): () => number {
	let state = seed;
	return () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return state / 2 ** 32;
	};
}

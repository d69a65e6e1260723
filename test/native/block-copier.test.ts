import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { closeSync, openSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KiB, MiB } from "../../src/binary/units.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { addonMissing, nativeAddon } from "./addon-required.ts";

const addonFile = resolve(import.meta.dirname, "../../build/Release/oci2iso.node");
const work = temporaryDirectory("copier");

const contents = [randomBytes(400 * KiB), randomBytes(90 * KiB)];
const sources = contents.map((content, i) => {
	const path = join(work, `source-${i}`);
	writeFileSync(path, content);
	return path;
});
const noop = (): void => undefined;
const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

interface Job {
	/** -1: the output. */
	readonly source: number;
	readonly offset: number;
	readonly length: number;
	readonly position: number;
	/** By default the right one. */
	readonly checksum?: Uint8Array | undefined;
}

/** With every descriptor closed again, which the copier does not need. */
function makeCopier(output: string, paths: readonly string[] = sources) {
	let ring = noop;
	const fd = openSync(output, "r+");
	const copier = new (nativeAddon().BlockCopier)(fd, () => ring());
	closeSync(fd);
	for (const [i, path] of paths.entries()) {
		const source = openSync(path, "r");
		expect(copier.addSource(source)).toBe(i);
		closeSync(source);
	}
	let submitted = 0;
	return {
		copier,
		submit(jobs: readonly Job[]) {
			submitted += jobs.length;
			const checksums = jobs.map(({ source, offset, length, checksum }) => {
				const content = contents[source];
				if (checksum !== undefined) return checksum;
				return content === undefined ? Buffer.alloc(32) : sha256(content.subarray(offset, offset + length));
			});
			copier.submit(
				Float64Array.from(jobs.flatMap(({ source, offset, length, position }) => [source, offset, length, position])),
				Buffer.concat(checksums),
			);
		},
		async settled() {
			while (copier.poll() < submitted && copier.failure() === undefined)
				await new Promise<void>((done) => {
					ring = done;
					if (copier.poll() === submitted || copier.failure() !== undefined) done();
				});
		},
	};
}

function newOutput(name: string, byteLength: number): string {
	const path = join(work, name);
	writeFileSync(path, Buffer.alloc(byteLength));
	return path;
}

/** What the jobs do to `bytes`. */
function apply(bytes: Buffer, jobs: readonly Job[]): Buffer {
	for (const { source, offset, length, position } of jobs)
		Buffer.from((contents[source] ?? bytes).subarray(offset, offset + length)).copy(bytes, position);
	return bytes;
}

/** Blocks side by side from `offset` to `position`. */
function neighbours(source: number, offset: number, position: number, lengths: readonly number[]): Job[] {
	const jobs: Job[] = [];
	let at = 0;
	for (const length of lengths) {
		jobs.push({ source, offset: offset + at, length, position: position + at });
		at += length;
	}
	return jobs;
}

const OUTPUT_BYTES = 600 * KiB;
const run = fc
	.tuple(
		fc.integer({ min: -1, max: 1 }),
		fc.nat(50_000),
		fc.nat(300_000),
		fc.array(fc.integer({ min: 1, max: 9000 }), { maxLength: 4 }),
	)
	.map(([source, offset, position, lengths]) => neighbours(source, offset, position, lengths));

describe.skipIf(addonMissing)("the copier of blocks", () => {
	it("does what copying one after the other does, for any blocks in any portions", async () => {
		await fc.assert(
			fc.asyncProperty(fc.array(run, { maxLength: 20 }), fc.integer({ min: 1, max: 30 }), async (runs, portion) => {
				const output = newOutput("any", OUTPUT_BYTES);
				const { copier, submit, settled } = makeCopier(output);
				const jobs = runs.flat();
				for (let at = 0; at < jobs.length; at += portion) {
					submit(jobs.slice(at, at + portion));
					if (at % 3 === 0) await new Promise(setImmediate);
				}
				await settled();
				expect([copier.poll(), copier.failure()]).toEqual([jobs.length, undefined]);
				copier.close();
				expect(readFileSync(output).equals(apply(Buffer.alloc(OUTPUT_BYTES), jobs))).toBe(true);
			}),
			{ numRuns: 100 },
		);
	});

	it("finds any flipped bit, and writes neither that block nor any behind it", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 12 }),
				fc.nat(),
				fc.nat(),
				async (lengths, block, bit) => {
					const jobs = neighbours(0, 0, 100, lengths).filter(({ offset, length }) => offset + length <= 400 * KiB);
					const hurt = block % jobs.length;
					const { offset = 0, length = 1 } = jobs[hurt] ?? {};
					const damaged = Buffer.from(contents[0] ?? []);
					const at = offset + (Math.floor(bit / 8) % length);
					damaged[at] = (damaged[at] ?? 0) ^ (1 << (bit % 8));
					const path = join(work, "flipped");
					writeFileSync(path, damaged);
					const output = newOutput("checked", OUTPUT_BYTES);
					const { copier, submit, settled } = makeCopier(output, [path]);
					submit(jobs);
					await settled();
					submit([{ source: 0, offset: 0, length: 1, position: 0 }]);
					expect([copier.poll(), copier.failure()]).toEqual([hurt, [hurt, "checksum"]]);
					copier.close();
					expect(copier.failure()).toEqual([hurt, "checksum"]);
					expect(readFileSync(output).equals(apply(Buffer.alloc(OUTPUT_BYTES), jobs.slice(0, hurt)))).toBe(true);
				},
			),
			{ numRuns: 100 },
		);
	});

	it("names what failed and where", async () => {
		const short = join(work, "short");
		writeFileSync(short, contents[0] ?? "");
		const cut = makeCopier(newOutput("cut", 1), [short]);
		truncateSync(short, 25_000);
		cut.submit(neighbours(0, 0, 0, [10_000, 10_000, 10_000, 10_000]));
		await cut.settled();
		expect(cut.copier.failure()).toEqual([2, "truncated"]);
		expect(readFileSync(join(work, "cut")).equals((contents[0] ?? Buffer.alloc(0)).subarray(0, 20_000))).toBe(true);
		cut.copier.close();

		const directory = makeCopier(newOutput("directory", 1), [work]);
		directory.submit([{ source: 0, offset: 0, length: 10, position: 0, checksum: Buffer.alloc(32) }]);
		await directory.settled();
		expect(directory.copier.failure()).toEqual([0, "read EISDIR"]);
		directory.copier.close();

		const full = makeCopier("/dev/full");
		full.submit(neighbours(1, 0, 0, [100, 100]));
		await full.settled();
		expect(full.copier.failure()).toEqual([0, "write ENOSPC"]);
		full.copier.close();
	});

	it("stops in the middle, and then calls nobody and takes nothing", async () => {
		for (let round = 0; round < 30; round++) {
			let calls = 0;
			const fd = openSync(newOutput("stopped", 1), "r+");
			const copier = new (nativeAddon().BlockCopier)(fd, () => calls++);
			const source = openSync(sources[0] ?? "", "r");
			copier.addSource(source);
			const jobs = neighbours(0, 0, 0, Array<number>(200).fill(2000));
			copier.submit(
				Float64Array.from(jobs.flatMap(({ offset, length, position }) => [0, offset, length, position])),
				Buffer.concat(
					jobs.map(({ offset, length }) => sha256((contents[0] ?? Buffer.alloc(0)).subarray(offset, offset + length))),
				),
			);
			if (round % 2 === 0) await new Promise(setImmediate);
			const before = calls;
			copier.close();
			copier.close();
			await new Promise(setImmediate);
			await new Promise(setImmediate);
			expect(calls).toBe(before);
			expect(copier.poll()).toBeLessThanOrEqual(200);
			expect(() => copier.submit(Float64Array.of(0, 0, 1, 0), Buffer.alloc(32))).toThrow(/closed/);
			expect(() => copier.addSource(source)).toThrow(/closed/);
			closeSync(fd);
			closeSync(source);
		}
	});

	it("refuses wrong arguments with an exception", () => {
		const { BlockCopier } = nativeAddon();
		const make = (...args: unknown[]) => new (BlockCopier as unknown as new (...args: unknown[]) => unknown)(...args);
		for (const wrong of [
			[-1, noop],
			[0.5, noop],
			["0", noop],
			[2 ** 31, noop],
			[1_000_000, noop],
			[0, undefined],
		])
			expect(() => make(...wrong)).toThrow();
		const { copier } = makeCopier(newOutput("refused", 1));
		expect(() => copier.addSource(1_000_000)).toThrow(/EBADF/);
		for (const [index, wrong] of [
			[0, -2],
			[0, 2],
			[0, 0.5],
			[0, Number.NaN],
			[1, -1],
			[1, 2 ** 53],
			[2, 0],
			[2, MiB + 1],
			[2, Number.POSITIVE_INFINITY],
			[3, -1],
			[3, 1.5],
			[3, 2 ** 53],
		] as const) {
			const numbers = Float64Array.of(0, 0, 1, 0);
			numbers[index] = wrong;
			expect(() => copier.submit(numbers, Buffer.alloc(32))).toThrow(RangeError);
		}
		expect(() => copier.submit(Float64Array.of(0, 0, 1), Buffer.alloc(32))).toThrow(RangeError);
		expect(() => copier.submit(Float64Array.of(0, 0, 1, 0), Buffer.alloc(31))).toThrow(RangeError);
		expect(() => copier.submit([0, 0, 1, 0] as never, Buffer.alloc(32))).toThrow(TypeError);
		expect(() => copier.submit(Float64Array.of(0, 0, 1, 0), "checksum" as never)).toThrow(TypeError);
		for (const method of ["addSource", "submit", "poll", "failure", "close"] as const)
			expect(() => BlockCopier.prototype[method].call({} as never, 1 as never, 1 as never)).toThrow(TypeError);
		expect(copier.poll()).toBe(0);
		copier.close();
	});

	it("keeps the process alive until it is ready and no longer, and ends with its thread or process", () => {
		const make = `
			const { BlockCopier } = require(${JSON.stringify(addonFile)});
			const { openSync } = require("node:fs");
			const make = (onReady) => {
				const copier = new BlockCopier(openSync(${JSON.stringify(newOutput("process", 1))}, "r+"), () => onReady(copier));
				copier.addSource(openSync(${JSON.stringify(sources[1])}, "r"));
				return copier;
			};
			const job = [Float64Array.of(0, 0, ${contents[1]?.byteLength}, 0), Buffer.from("${sha256(contents[1] ?? Buffer.alloc(0)).toString("hex")}", "hex")];
		`;
		const run = (script: string) => {
			const { status, signal, stdout, stderr } = spawnSync(process.execPath, ["--expose-gc", "-e", make + script], {
				encoding: "utf8",
				timeout: 30_000,
			});
			return { status, signal, output: stdout + stderr };
		};
		const quiet = { status: 0, signal: null, output: "" };
		expect(run(`make((copier) => console.log("ready", copier.poll())).submit(...job);`)).toEqual({
			...quiet,
			output: "ready 1\n",
		});
		expect(run("make(() => undefined);")).toEqual(quiet);
		expect(run("make(() => undefined); gc(); setTimeout(gc, 10);")).toEqual(quiet);
		expect(
			run("const c = make(() => undefined); for (let i = 0; i < 500; i++) c.submit(...job); process.exit(0);"),
		).toEqual(quiet);
		const inWorkers = `
			const { Worker } = require("node:worker_threads");
			const body = ${JSON.stringify(make)} + "const c = make(() => undefined); for (let i = 0; i < 500; i++) c.submit(...job); setTimeout(() => process.exit(), 5);";
			for (let i = 0; i < 5; i++) new Worker(body, { eval: true });
		`;
		expect(run(inWorkers)).toEqual(quiet);
	});
});

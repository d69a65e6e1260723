import { createHash, randomBytes } from "node:crypto";
import { closeSync, openSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KiB } from "../../src/binary/units.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { addonMissing, nativeAddon } from "./addon-required.ts";

const work = temporaryDirectory("copier");

const contents = [randomBytes(400 * KiB), randomBytes(90 * KiB)];
const sources = contents.map((content, i) => {
	const path = join(work, `source-${i}`);
	writeFileSync(path, content);
	return path;
});
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
	let ring = (): void => undefined;
	let calls = 0;
	const fd = openSync(output, "r+");
	const copier = new (nativeAddon().BlockCopier)(fd, () => {
		calls++;
		ring();
	});
	closeSync(fd);
	for (const [i, path] of paths.entries()) {
		const source = openSync(path, "r");
		expect(copier.addSource(source)).toBe(i);
		closeSync(source);
	}
	let submitted = 0;
	return {
		copier,
		calls: () => calls,
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

	it("stops in the middle, and then calls nobody", async () => {
		for (let round = 0; round < 10; round++) {
			const { copier, submit, calls } = makeCopier(newOutput("stopped", 1));
			submit(neighbours(0, 0, 0, Array<number>(200).fill(2000)));
			if (round % 2 === 0) await new Promise(setImmediate);
			const before = calls();
			copier.close();
			await new Promise(setImmediate);
			await new Promise(setImmediate);
			expect(calls()).toBe(before);
			expect(copier.poll()).toBeLessThanOrEqual(200);
		}
	});
});

import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KiB } from "../../src/binary/units.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { addonMissing, nativeAddon } from "./addon-required.ts";

const addonFile = resolve(import.meta.dirname, "../../build/Release/oci2iso.node");
const work = temporaryDirectory("digest");

const content = randomBytes(700 * KiB);
const file = join(work, "content");
writeFileSync(file, content);
const noop = (): void => undefined;

/** With the descriptor closed again, which the digester does not need. */
function makeDigester(path: string, head: Uint8Array, snapshots: readonly number[]) {
	const fd = openSync(path, "r");
	let ready = noop;
	const rung = new Promise<void>((resolve) => {
		ready = resolve;
	});
	const { FileDigester } = nativeAddon();
	const digester = new FileDigester(fd, head, Float64Array.from(snapshots), () => ready());
	closeSync(fd);
	return { digester, rung };
}

function expected(head: Uint8Array, bytes: Uint8Array, snapshots: readonly number[]): string[] {
	const whole = Buffer.concat([head, bytes.subarray(head.byteLength)]);
	return snapshots.map((end) => createHash("md5").update(whole.subarray(0, end)).digest("hex"));
}

describe.skipIf(addonMissing)("the digester of a file", () => {
	it("gives node's digests at any snapshots, for any head and steps", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.oneof(fc.nat(300), fc.nat(100 * KiB)),
				fc.array(fc.nat(content.byteLength), { minLength: 1, maxLength: 12 }),
				fc.array(fc.nat(2 * content.byteLength), { maxLength: 8 }),
				async (headBytes, offsets, steps) => {
					const head = content.subarray(3, 3 + headBytes);
					const snapshots = offsets.map((offset) => Math.max(offset, headBytes)).sort((a, b) => a - b);
					const { digester, rung } = makeDigester(file, head, snapshots);
					for (const step of steps) {
						digester.allow(step);
						if (step % 3 === 0) await new Promise(setImmediate);
					}
					digester.allow(snapshots.at(-1) ?? 0);
					await rung;
					expect(digester.result()).toEqual(expected(head, content, snapshots));
					expect(digester.doneBytes()).toBe(snapshots.at(-1));
					digester.close();
					expect(digester.result()).toEqual(expected(head, content, snapshots));
				},
			),
			{ numRuns: 150 },
		);
	});

	it("reads nothing that is not allowed", async () => {
		const growing = join(work, "growing");
		writeFileSync(growing, Buffer.alloc(content.byteLength));
		const head = content.subarray(0, 1000);
		const { digester, rung } = makeDigester(growing, head, [5000, content.byteLength]);
		const fd = openSync(growing, "r+");
		for (let at = 0; at < content.byteLength; at += 100_000) {
			const end = Math.min(at + 100_000, content.byteLength);
			writeSync(fd, content, at, end - at, at);
			digester.allow(end);
			while (digester.doneBytes() < end) await new Promise(setImmediate);
			expect(digester.doneBytes()).toBe(end);
			if (end < content.byteLength) expect(digester.result()).toBeUndefined();
		}
		closeSync(fd);
		await rung;
		expect(digester.result()).toEqual(expected(head, content, [5000, content.byteLength]));
		digester.close();
	});

	it("names what failed", async () => {
		const short = makeDigester(file, content.subarray(0, 10), [content.byteLength + 1]);
		short.digester.allow(2 ** 53 - 1);
		await short.rung;
		expect(short.digester.result()).toBe("truncated");
		short.digester.close();
		const directory = makeDigester(work, Buffer.alloc(0), [10]);
		directory.digester.allow(10);
		await directory.rung;
		expect(directory.digester.result()).toBe("EISDIR");
	});

	it("stops in the middle, and then calls nobody", async () => {
		for (let round = 0; round < 30; round++) {
			const { digester, rung } = makeDigester(file, Buffer.alloc(0), [content.byteLength]);
			digester.allow(round * 20_000);
			if (round % 2 === 0) await new Promise(setImmediate);
			digester.close();
			digester.close();
			expect(digester.result()).toBeUndefined();
			expect(() => digester.allow(1)).toThrow(/closed/);
			const first = await Promise.race([rung.then(() => "called"), new Promise(setImmediate).then(() => "quiet")]);
			expect(first).toBe("quiet");
		}
	});

	it("refuses wrong arguments with an exception", () => {
		const { FileDigester } = nativeAddon();
		const make = (...args: unknown[]) => new (FileDigester as unknown as new (...args: unknown[]) => unknown)(...args);
		const fd = openSync(file, "r");
		const good = [fd, Buffer.alloc(10), Float64Array.of(10, 20, 20), noop];
		for (const [index, wrong] of [
			[0, -1],
			[0, 0.5],
			[0, 2 ** 31],
			[0, 1_000_000],
			[0, "0"],
			[1, "head"],
			[1, new Uint16Array(2)],
			[2, [10]],
			[2, Float64Array.of()],
			[2, Float64Array.of(9)],
			[2, Float64Array.of(20, 19)],
			[2, Float64Array.of(10.5)],
			[2, Float64Array.of(Number.NaN)],
			[2, Float64Array.of(Number.POSITIVE_INFINITY)],
			[2, Float64Array.of(2 ** 53)],
			[3, undefined],
		] as [number, unknown][])
			expect(() => make(...good.map((argument, at) => (at === index ? wrong : argument)))).toThrow();
		expect(() => make(1_000_000, ...good.slice(1))).toThrow(/EBADF/);
		const digester = make(...good) as InstanceType<typeof FileDigester>;
		for (const wrong of [-1, 0.5, Number.NaN, undefined, 2 ** 53, "5"])
			expect(() => digester.allow(wrong as number)).toThrow(RangeError);
		for (const method of ["allow", "doneBytes", "result", "close"] as const)
			expect(() => FileDigester.prototype[method].call({} as never, 1)).toThrow(TypeError);
		digester.close();
		closeSync(fd);
	});

	it("keeps the process alive until it is ready and no longer, and ends with its thread or process", () => {
		const make = `
			const { FileDigester } = require(${JSON.stringify(addonFile)});
			const fd = require("node:fs").openSync(${JSON.stringify(file)});
			const make = (onReady) => new FileDigester(fd, new Uint8Array(5), Float64Array.of(${content.byteLength}), onReady);
		`;
		const run = (script: string) => {
			const { status, signal, stdout, stderr } = spawnSync(process.execPath, ["--expose-gc", "-e", make + script], {
				encoding: "utf8",
				timeout: 30_000,
			});
			return { status, signal, output: stdout + stderr };
		};
		const quiet = { status: 0, signal: null, output: "" };
		expect(run(`make(() => console.log("ready")).allow(2 ** 40); gc();`)).toEqual({ ...quiet, output: "ready\n" });
		expect(run("make(() => undefined).close();")).toEqual(quiet);
		expect(run("make(() => undefined).allow(100_000); setTimeout(() => process.exit(0), 20);")).toEqual(quiet);
		expect(run(`make(() => setImmediate(() => { gc(); setTimeout(gc, 10); })).allow(2 ** 40);`)).toEqual(quiet);
		const inWorkers = `
			const { Worker } = require("node:worker_threads");
			const body = ${JSON.stringify(make)} + "make(() => undefined).allow(300_000); setTimeout(() => process.exit(), 10);";
			for (let i = 0; i < 5; i++) new Worker(body, { eval: true });
		`;
		expect(run(inWorkers)).toEqual(quiet);
	});
});

import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { addonMissing } from "./addon-required.ts";

const addonFile = resolve(import.meta.dirname, "../../build/Release/oci2iso.node");
const work = temporaryDirectory("lifecycle");
const content = randomBytes(90_000);
const [source, output] = ["source", "output"].map((name) => JSON.stringify(join(work, name)));
const head = `
	const addon = require(${JSON.stringify(addonFile)});
	const { openSync } = require("node:fs");
`;

/** Source texts that define `busy`: it starts work, calls `onReady` when all of that is done, and returns what does it. */
const WORKERS = {
	BlockCompressor: `const busy = (onReady) => {
		const results = new Int32Array(20);
		let total = 0;
		const it = new addon.BlockCompressor("zstd", 19, 1 << 18, 2, () => {
			for (let count = -1; count !== 0; total += count) count = it.drain(results);
			if (total === 6) onReady();
		});
		for (let i = 0; i < 6; i++) {
			const [input] = it.addSlot();
			for (let at = 0; at < input.length; at++) input[at] = (at * at * (i + 3)) >> 7;
			it.submit(i, input.length);
		}
		return it;
	};`,
	BlockCopier: `const busy = (onReady) => {
		const it = new addon.BlockCopier(openSync(${output}, "r+"), () => { if (it.poll() === 300) onReady(); });
		it.addSource(openSync(${source}, "r"));
		const checksum = Buffer.from("${createHash("sha256").update(content).digest("hex")}", "hex");
		for (let i = 0; i < 300; i++) it.submit(Float64Array.of(0, 0, ${content.byteLength}, 0), checksum);
		return it;
	};`,
	FileDigester: `const busy = (onReady) => {
		const snapshots = Float64Array.of(${content.byteLength});
		const it = new addon.FileDigester(openSync(${source}, "r"), new Uint8Array(5), snapshots, onReady);
		it.allow(2 ** 40);
		return it;
	};`,
	LayerInflater: `const busy = (onReady) => {
		const slots = () => [Buffer.alloc(1 << 16), Buffer.alloc(1 << 16)];
		const taken = new Int32Array(3);
		const take = () => {
			for (let answer; (answer = it.take(taken)) > 0; it.release(taken[0])) if (answer === 2) return onReady();
		};
		const it = new addon.LayerInflater("none", 27, "sha256", "sha256", slots(), slots(), take, 0, []);
		for (let slot; (slot = it.acquire()) >= 0; ) it.write(slot, 1 << 16);
		it.end();
		take();
		return it;
	};`,
};

function runNode(script: string) {
	const args = ["--expose-gc", "-e", head + script];
	const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 30_000 });
	return { status, signal, output: stdout + stderr };
}

describe.skipIf(addonMissing).each(Object.entries(WORKERS))("the thread of a %s", (name, define) => {
	writeFileSync(join(work, "source"), content);
	writeFileSync(join(work, "output"), "");
	const inWorkers = `
		const { Worker } = require("node:worker_threads");
		const body = ${JSON.stringify(head + define)} + "busy(() => undefined); setTimeout(() => process.exit(), 10);";
		for (let i = 0; i < 5; i++) new Worker(body, { eval: true });
	`;
	it.each<[string, string, number, string | RegExp]>([
		["keeps the process alive until it is ready and no longer", 'busy(() => console.log("ready"));', 0, "ready\n"],
		["is no matter when it is closed in the middle of work", 'busy(() => console.log("called")).close();', 0, ""],
		["outlives that nobody holds it", "busy(() => setImmediate(() => { gc(); setTimeout(gc, 10); })); gc();", 0, ""],
		["ends with the process", "busy(() => undefined); process.exit(7);", 7, ""],
		["ends after an exception", 'busy(() => undefined); throw new Error("stop here");', 1, /stop here/],
		["ends with its worker threads", inWorkers, 0, ""],
	])("%s", (_, script, status, printed) => {
		const expected = typeof printed === "string" ? printed : expect.stringMatching(printed);
		expect(runNode(script === inWorkers ? script : define + script), name).toEqual({
			status,
			signal: null,
			output: expected,
		});
	});
});

describe.skipIf(addonMissing)("the addon", () => {
	it("may be loaded by several threads at once", async () => {
		const script = `${head}
			const results = new Int32Array(2);
			const c = new addon.BlockCompressor("zstd", 6, 65536, 2, () => undefined);
			const [input, output] = c.addSlot();
			const all = [];
			for (let i = 0; i < 50; i++) {
				input.fill("block " + i);
				c.submit(0, 60000);
				while (c.drain(results) === 0);
				all.push(Buffer.from(output.subarray(0, results[1])));
			}
			c.close();
			require("node:worker_threads").parentPort.postMessage(Buffer.concat(all));
		`;
		const made = await Promise.all(
			[1, 2, 3].map(async () => {
				const worker = new Worker(script, { eval: true });
				const bytes = await new Promise<Uint8Array>((done, failed) =>
					worker.once("message", done).once("error", failed),
				);
				await worker.terminate();
				return Buffer.from(bytes).toString("hex");
			}),
		);
		expect(new Set(made).size).toBe(1);
	});

	it("survives that a worker thread is terminated in the middle of work", async () => {
		const idle = 'require("node:worker_threads").parentPort.postMessage("busy"); setInterval(() => undefined, 1000);';
		for (const define of Object.values(WORKERS)) {
			const worker = new Worker(`${head}${define} busy(() => undefined); ${idle}`, { eval: true });
			await new Promise((done) => worker.once("message", done));
			expect(await worker.terminate()).toBe(1);
		}
	});
});

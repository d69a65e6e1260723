import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { addonMissing, nativeAddon } from "./addon-required.ts";

const addonFile = resolve(import.meta.dirname, "../../build/Release/oci2iso.node");
const BLOCK_BYTES = 65536;
const noop = (): void => undefined;

/** Source text that makes a compressor `c` with `blocks` blocks of noise in flight. */
const inFlight = (blocks: number): string => `
	const { BlockCompressor } = require(${JSON.stringify(addonFile)});
	const c = new BlockCompressor("zstd", 22, ${BLOCK_BYTES * 16}, 2, () => undefined);
	for (let i = 0; i < ${blocks}; i++) {
		const [input] = c.addSlot();
		for (let at = 0; at < input.length; at++) input[at] = (at * at * (i + 3)) >> 7;
		c.submit(i, input.length);
	}
`;

function runNode(script: string): {
	readonly status: number | null;
	readonly signal: string | null;
	readonly output: string;
} {
	const { status, signal, stdout, stderr } = spawnSync(process.execPath, ["-e", script], {
		encoding: "utf8",
		timeout: 30_000,
	});
	return { status, signal, output: stdout + stderr };
}

describe.skipIf(addonMissing)("native addon", () => {
	it("refuses wrong arguments with an exception", () => {
		const { BlockCompressor, BlockDecompressor, ZstdInflater } = nativeAddon();
		const Compressor = BlockCompressor as unknown as new (
			...args: unknown[]
		) => Record<string, (...args: unknown[]) => unknown>;
		const Decompressor = BlockDecompressor as unknown as typeof Compressor;
		const Inflater = ZstdInflater as unknown as typeof Compressor;
		const strange = [
			undefined,
			null,
			-1,
			0.5,
			2 ** 40,
			Number.NaN,
			"zstd",
			{},
			[],
			Symbol("s"),
			10n,
			noop,
			new Float64Array(2),
			Buffer.alloc(0),
		];

		for (const wrong of strange) {
			if (wrong !== "zstd") expect(() => new Compressor(wrong, 3, BLOCK_BYTES, 1, noop)).toThrow();
			expect(() => new Compressor("zstd", wrong, BLOCK_BYTES, 1, noop)).toThrow();
			expect(() => new Compressor("zstd", 3, wrong, 1, noop)).toThrow();
			expect(() => new Compressor("zstd", 3, BLOCK_BYTES, wrong, noop)).toThrow();
			if (wrong !== noop) expect(() => new Compressor("zstd", 3, BLOCK_BYTES, 1, wrong)).toThrow();
			if (wrong !== "zstd") expect(() => new Decompressor(wrong)).toThrow();
			expect(() => new Inflater(wrong)).toThrow();
		}
		expect(() => new Compressor()).toThrow();
		expect(() => (Compressor as unknown as () => void)()).toThrow();

		const compressor = new Compressor("zstd", 3, BLOCK_BYTES, 1, noop);
		compressor["addSlot"]?.();
		for (const wrong of strange) {
			expect(() => compressor["submit"]?.(wrong, 10)).toThrow();
			expect(() => compressor["submit"]?.(0, wrong)).toThrow();
			expect(() => compressor["drain"]?.(wrong)).toThrow();
			if (!Buffer.isBuffer(wrong)) expect(() => compressor["encodeNow"]?.(wrong, Buffer.alloc(8192))).toThrow();
		}
		expect(() => compressor["submit"]?.(1, 10)).toThrow();
		expect(() => compressor["submit"]?.(0, 0)).toThrow();
		expect(() => compressor["submit"]?.(0, BLOCK_BYTES + 1)).toThrow();
		expect(() => compressor["encodeNow"]?.(Buffer.alloc(8193), Buffer.alloc(9000))).toThrow();
		expect(() => compressor["encodeNow"]?.(Buffer.alloc(100), Buffer.alloc(99))).toThrow();
		compressor["submit"]?.(0, 10);
		expect(() => compressor["submit"]?.(0, 10)).toThrow(/in use/);
		compressor["close"]?.();
		for (const method of ["addSlot", "submit"]) expect(() => compressor[method]?.(0, 10)).toThrow(/closed/);
		expect(compressor["encodeNow"]?.(Buffer.alloc(100), Buffer.alloc(100))).toBeGreaterThan(0);
		expect(compressor["drain"]?.(new Int32Array(8))).toBe(0);
		compressor["close"]?.();

		const inflater = new Inflater(27);
		expect(() => inflater["step"]?.(Buffer.alloc(4), 5, Buffer.alloc(9), new Int32Array(2))).toThrow();
		expect(() => inflater["step"]?.(Buffer.alloc(4), 0, Buffer.alloc(9), new Int32Array(1))).toThrow();
		expect(() => inflater["step"]?.(Buffer.alloc(4), 0, "output", new Int32Array(2))).toThrow();
	});

	it("refuses methods on foreign objects", () => {
		const { BlockCompressor, BlockDecompressor, ZstdInflater } = nativeAddon();
		const objects = [
			new BlockDecompressor("zstd"),
			new ZstdInflater(20),
			{},
			Object.create(BlockCompressor.prototype),
			5,
		];
		for (const foreign of objects) {
			expect(() => BlockCompressor.prototype.submit.call(foreign as never, 0, 1)).toThrow();
			expect(() => BlockCompressor.prototype.close.call(foreign as never)).toThrow();
		}
		expect(() =>
			BlockDecompressor.prototype.decompress.call(new ZstdInflater(20) as never, Buffer.alloc(1), Buffer.alloc(1)),
		).toThrow();
	});

	it("keeps a block whose memory is given away, and takes empty memory for what it is", () => {
		const { BlockCompressor, BlockDecompressor } = nativeAddon();
		const compressor = new BlockCompressor("gzip", 6, BLOCK_BYTES, 1, noop);
		const [input, output] = compressor.addSlot();
		input.fill(7);
		structuredClone(input.buffer, { transfer: [input.buffer as ArrayBuffer] });
		compressor.submit(0, BLOCK_BYTES);
		const results = new Int32Array(2);
		while (compressor.drain(results) === 0);
		const decoded = Buffer.alloc(BLOCK_BYTES);
		expect(new BlockDecompressor("gzip").decompress(output.subarray(0, results[1]), decoded)).toBe(BLOCK_BYTES);
		expect(decoded.equals(Buffer.alloc(BLOCK_BYTES, 7))).toBe(true);
		expect(new BlockDecompressor("gzip").decompress(Buffer.alloc(0), decoded)).toBe(-1);
		expect(new BlockDecompressor("gzip").decompress(output, Buffer.alloc(0))).toBe(-1);
		compressor.close();
	});

	it("lets the process exit in the middle of work", () => {
		expect(runNode(`${inFlight(12)} process.exit(7);`)).toEqual({ status: 7, signal: null, output: "" });
	});

	it("lets the process end after an exception in the middle of work", () => {
		expect(runNode(`${inFlight(6)} throw new Error("stop here");`)).toMatchObject({ status: 1, signal: null });
	});

	it("keeps the process alive while blocks are in flight, and not when idle", () => {
		const script = `
			const { BlockCompressor } = require(${JSON.stringify(addonFile)});
			const results = new Int32Array(4);
			let total = 0;
			const c = new BlockCompressor("zstd", 19, 1048576, 2, () => {
				for (let count = -1; count !== 0; total += count) count = c.drain(results);
				if (total === 3) console.log("done");
			});
			for (let i = 0; i < 3; i++) { const [input] = c.addSlot(); input.fill("some words " + i); c.submit(i, input.length); }
		`;
		expect(runNode(script)).toEqual({ status: 0, signal: null, output: "done\n" });
	});

	it("survives the end of a worker thread in the middle of work", async () => {
		for (let i = 0; i < 3; i++) {
			const worker = new Worker(
				`${inFlight(8)} require("node:worker_threads").parentPort.postMessage("busy"); setInterval(() => undefined, 1000);`,
				{ eval: true },
			);
			await new Promise((resolve) => worker.once("message", resolve));
			expect(await worker.terminate()).toBe(1);
		}
	});

	it("may be loaded by several threads at once", async () => {
		const script = `
			const { BlockCompressor } = require(${JSON.stringify(addonFile)});
			const results = new Int32Array(2);
			const c = new BlockCompressor("zstd", 6, 65536, 2, () => undefined);
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
		const digests = await Promise.all(
			[1, 2, 3].map(async () => {
				const worker = new Worker(script, { eval: true });
				const bytes = await new Promise<Uint8Array>((resolve, reject) =>
					worker.once("message", resolve).once("error", reject),
				);
				await worker.terminate();
				return createHash("sha256").update(bytes).digest("hex");
			}),
		);
		expect(new Set(digests).size).toBe(1);
	});
});

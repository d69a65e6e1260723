import { openSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MiB } from "../../src/binary/units.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { addonMissing, nativeAddon } from "./addon-required.ts";

const BLOCK_BYTES = 65536;
const noop = (): void => undefined;
const STRANGE: readonly unknown[] = [
	...[
		undefined,
		null,
		-1,
		0.5,
		2 ** 40,
		2 ** 53,
		Number.NaN,
		Number.POSITIVE_INFINITY,
		"zstd",
		"5",
		{},
		[],
		Symbol("s"),
	],
	...[10n, noop, new Float64Array(2), new Uint16Array(2), new ArrayBuffer(9), Buffer.alloc(0)],
];

type Call = (...args: unknown[]) => unknown;
interface Case {
	readonly call: Call;
	readonly good: readonly unknown[];
	/** Arguments, by position, that look strange and are not. */
	readonly fine?: Readonly<Record<number, readonly unknown[]>>;
	/** More that are wrong, by position. */
	readonly wrong?: Readonly<Record<number, readonly unknown[]>>;
}

/** Only called where there is an addon. */
function cases(): Readonly<Record<string, Case>> {
	const addon = nativeAddon();
	const make =
		(
			name:
				| ("BlockCompressor" | "BlockCopier" | "BlockDecompressor" | "ContentDigester" | "FileDigester")
				| ("LayerInflater" | "ZstdInflater"),
		): Call =>
		(...args) =>
			Reflect.construct(addon[name], args);
	const method =
		(object: object, name: string): Call =>
		(...args) =>
			(object as Record<string, Call>)[name]?.(...args);
	const fd = openSync(join(temporaryDirectory("arguments"), "file"), "w+");
	const [compressor, digester, copier] = [
		new addon.BlockCompressor("zstd", 3, BLOCK_BYTES, 1, noop),
		new addon.FileDigester(fd, Buffer.alloc(0), Float64Array.of(20), noop),
		new addon.BlockCopier(fd, noop),
	];
	const contents = new addon.ContentDigester("zstd", 4096, 1);
	contents.addSlot(100);
	compressor.addSlot();
	copier.addSource(fd);
	const slots = [Buffer.alloc(10)];
	const views = STRANGE.filter((value) => ArrayBuffer.isView(value));
	const bytes = STRANGE.filter((value) => value instanceof Uint8Array);
	const badOffsets = [1, 2 ** 60];
	return {
		"new BlockCompressor": {
			call: make("BlockCompressor"),
			good: ["zstd", 3, BLOCK_BYTES, 1, noop],
			fine: { 0: ["zstd"], 4: [noop] },
		},
		submit: { call: method(compressor, "submit"), good: [0, 10], wrong: { 0: [1], 1: [0, BLOCK_BYTES + 1] } },
		drain: { call: method(compressor, "drain"), good: [new Int32Array(8)] },
		encodeNow: {
			call: method(compressor, "encodeNow"),
			good: [Buffer.alloc(100), Buffer.alloc(100)],
			fine: { 0: bytes },
			wrong: { 0: [Buffer.alloc(8193)], 1: [Buffer.alloc(99)] },
		},
		"new BlockDecompressor": { call: make("BlockDecompressor"), good: ["zstd"], fine: { 0: ["zstd"] } },
		"new ContentDigester": { call: make("ContentDigester"), good: ["zstd", 4096, 1], fine: { 0: ["zstd"] } },
		"submit of a ContentDigester": {
			call: method(contents, "submit"),
			good: [0, 10, 0, Int32Array.of(0, 5, 0)],
			wrong: { 0: [1], 1: [0, 101], 2: [4097], 3: [Int32Array.of(-1, 5, 0)] },
		},
		"new ZstdInflater": { call: make("ZstdInflater"), good: [27] },
		step: {
			call: method(new addon.ZstdInflater(27), "step"),
			good: [Buffer.alloc(4), 0, Buffer.alloc(9), new Int32Array(2)],
			fine: { 0: bytes, 2: bytes },
			wrong: { 1: [5], 3: [new Int32Array(1)] },
		},
		"new FileDigester": {
			call: make("FileDigester"),
			good: [fd, Buffer.alloc(10), Float64Array.of(10, 20, 20), noop],
			fine: { 1: bytes, 3: [noop] },
			wrong: {
				0: [2 ** 31, 1_000_000],
				2: [[], [9], [20, 19], [10.5], [Number.NaN], [Number.POSITIVE_INFINITY], [2 ** 53]].map((ends) =>
					Float64Array.from(ends),
				),
			},
		},
		allow: { call: method(digester, "allow"), good: [5], fine: { 0: [2 ** 40] } },
		"new BlockCopier": {
			call: make("BlockCopier"),
			good: [fd, noop],
			fine: { 1: [noop] },
			wrong: { 0: [2 ** 31, 1_000_000] },
		},
		addSource: { call: method(copier, "addSource"), good: [fd], wrong: { 0: [1_000_000] } },
		"submit of a BlockCopier": {
			call: method(copier, "submit"),
			good: [Float64Array.of(0, 0, 1, 0), Buffer.alloc(32)],
			wrong: {
				0: [
					...[
						[0, 0, 1],
						[-2, 0, 1, 0],
						[2, 0, 1, 0],
						[0.5, 0, 1, 0],
						[Number.NaN, 0, 1, 0],
						[0, -1, 1, 0],
					],
					...[
						[0, 2 ** 53, 1, 0],
						[0, 0, 0, 0],
						[0, 0, MiB + 1, 0],
						[0, 0, Number.POSITIVE_INFINITY, 0],
					],
					...[
						[0, 0, 1, -1],
						[0, 0, 1, 1.5],
						[0, 0, 1, 2 ** 53],
					],
				].map((jobs) => Float64Array.from(jobs)),
				1: [Buffer.alloc(31)],
			},
		},
		"new LayerInflater": {
			call: make("LayerInflater"),
			good: ["gzip", 27, "sha256", "", slots, slots, noop, ...(addon.fastSha256 ? [4096, slots] : [0])],
			fine: { 0: ["zstd"], 6: [noop] },
			wrong: {
				...{ 0: ["lzma"], 1: [99], 2: ["md4"], 4: [[new Float64Array(2)]], 5: [[Buffer.alloc(0)]] },
				...{ 7: [1, 4095, 2 * MiB], 8: [[], [...slots, ...slots]] },
			},
		},
		sha256: {
			call: addon.sha256 as Call,
			good: [Buffer.alloc(5), new Uint8Array(32), 0],
			fine: { 0: views },
			wrong: { 1: [new Uint8Array(31)], 2: badOffsets },
		},
		sha256Pair: {
			call: addon.sha256Pair as Call,
			good: [Buffer.alloc(5), Buffer.alloc(5), new Uint8Array(64), 0],
			fine: { 0: views, 1: views },
			wrong: { 2: [new Uint8Array(63)], 3: badOffsets },
		},
	};
}

describe.skipIf(addonMissing)("the addon refuses with an exception", () => {
	it.each(Object.entries(addonMissing ? {} : cases()))(
		"wrong arguments of %s",
		(_, { call, good, fine = {}, wrong = {} }) => {
			for (const at of good.keys()) {
				const strange = STRANGE.filter((value) => fine[at]?.includes(value) !== true);
				for (const value of [...strange, ...(wrong[at] ?? [])])
					expect(() => call(...good.with(at, value)), `${at}: ${String(value)}`).toThrow();
			}
			expect(() => call()).toThrow();
			call(...good);
		},
	);

	it("methods on foreign objects, and classes called without new", () => {
		const addon = nativeAddon();
		const classes = [
			"BlockCompressor",
			"BlockCopier",
			"BlockDecompressor",
			"FileDigester",
			"LayerInflater",
			"ZstdInflater",
		] as const;
		const others = [new addon.BlockDecompressor("zstd"), new addon.ZstdInflater(20)];
		for (const name of classes) {
			const prototype = addon[name].prototype as unknown as Record<string, Call>;
			const methods = Object.getOwnPropertyNames(prototype).filter((method) => method !== "constructor");
			expect(methods.length).toBeGreaterThan(0);
			const foreign = [...others.filter((other) => !(other instanceof addon[name])), {}, Object.create(prototype), 5];
			for (const method of methods)
				for (const object of foreign) expect(() => prototype[method]?.call(object, 1, 1, 1, 1)).toThrow(TypeError);
			expect(() => (addon[name] as unknown as Call)()).toThrow();
		}
	});

	it("what is in use, not acquired, not taken, not ended or closed", () => {
		const { BlockCompressor, BlockCopier, FileDigester, LayerInflater } = nativeAddon();
		const compressor = new BlockCompressor("zstd", 3, BLOCK_BYTES, 1, noop);
		compressor.addSlot();
		compressor.submit(0, 10);
		expect(() => compressor.submit(0, 10)).toThrow(/in use/);
		compressor.close();
		expect(() => compressor.addSlot()).toThrow(/closed/);
		expect(() => compressor.submit(0, 10)).toThrow(/closed/);
		expect(compressor.encodeNow(Buffer.alloc(100), Buffer.alloc(100))).toBeGreaterThan(0);
		expect(compressor.drain(new Int32Array(8))).toBe(0);
		compressor.close();

		const inflater = new LayerInflater("gzip", 27, "", "", [Buffer.alloc(10)], [Buffer.alloc(10)], noop, 0, []);
		expect(() => inflater.write(0, 1)).toThrow(/not acquired/);
		expect(() => inflater.release(0)).toThrow(/not taken/);
		expect(() => inflater.digests()).toThrow(/not ended/);
		expect([inflater.acquire(), inflater.acquire()]).toEqual([0, -1]);
		expect(() => inflater.write(0, 11)).toThrow();
		inflater.close();
		inflater.close();
		expect(() => inflater.acquire()).toThrow(/closed/);

		const fd = openSync(join(temporaryDirectory("closed"), "file"), "w+");
		const copier = new BlockCopier(fd, noop);
		const digester = new FileDigester(fd, Buffer.alloc(0), Float64Array.of(20), noop);
		for (const open of [copier, copier, digester, digester]) open.close();
		expect(() => copier.submit(Float64Array.of(0, 0, 1, 0), Buffer.alloc(32))).toThrow(/closed/);
		expect(() => copier.addSource(fd)).toThrow(/closed/);
		expect(() => digester.allow(1)).toThrow(/closed/);
		expect(() => new BlockCopier(1_000_000, noop)).toThrow(/EBADF/);
		expect(() => new FileDigester(1_000_000, Buffer.alloc(0), Float64Array.of(20), noop)).toThrow(/EBADF/);
	});

	it("nothing when memory is given away or empty: a block is kept, and is then no block", () => {
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
});

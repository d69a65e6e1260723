import { constants, crc32, deflateRawSync, gzipSync, inflateRawSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KiB } from "../../src/binary/units.ts";
import { patternedBytes } from "../../src/codec/self-test.ts";
import { addonMissing, nativeAddon } from "./addon-required.ts";

interface Pieces {
	readonly inputBytes: number;
	readonly outputBytes: number;
}

const LARGE: Pieces = { inputBytes: 256 * KiB, outputBytes: 256 * KiB };

/** What the addon makes of a gzip file: its content, or its name of the failure. */
async function inflated(file: Uint8Array, { inputBytes, outputBytes }: Pieces = LARGE): Promise<Buffer | string> {
	const slots = (count: number, byteLength: number) => Array.from({ length: count }, () => Buffer.alloc(byteLength));
	const [inputs, outputs] = [slots(2, inputBytes), slots(3, outputBytes)];
	let ring = () => {};
	const native = new (nativeAddon().LayerInflater)("gzip", 27, "", "", inputs, outputs, () => ring(), 0, []);
	const pieces: Buffer[] = [];
	const taken = new Int32Array(3);
	try {
		for (let at = 0; ; ) {
			const rung = new Promise<void>((resolve) => {
				ring = resolve;
			});
			for (let slot = 0; at <= file.byteLength; ) {
				if (at === file.byteLength) {
					native.end();
					at++;
					break;
				}
				slot = native.acquire();
				if (slot < 0) break;
				const piece = file.subarray(at, at + inputBytes);
				inputs[slot]?.set(piece);
				native.write(slot, piece.byteLength);
				at += piece.byteLength;
			}
			const answer = native.take(taken);
			if (typeof answer === "string") return answer;
			if (answer === 2) return Buffer.concat(pieces);
			if (answer === 0) {
				await rung;
				continue;
			}
			const [slot = 0, length = 0] = taken;
			pieces.push(Buffer.from(outputs[slot]?.subarray(0, length) ?? []));
			native.release(slot);
		}
	} finally {
		native.close();
	}
}

/** A gzip file (RFC 1952 2.3) with this deflate stream, and the trailer that its content asks for. */
function member(
	stream: Uint8Array,
	content: Uint8Array,
	options: { flags?: number; fields?: Uint8Array } = {},
): Buffer {
	const { flags = 0, fields = Buffer.alloc(0) } = options;
	const trailer = Buffer.alloc(8);
	trailer.writeUInt32LE(crc32(content));
	trailer.writeUInt32LE(content.byteLength, 4);
	return Buffer.concat([Buffer.from([0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255]), fields, stream, trailer]);
}

type Verdict = "accepted" | "truncated" | "broken";

/** What zlib makes of a deflate stream, and how much of it the stream takes. */
function byZlib(stream: Uint8Array): { verdict: Verdict; content: Buffer; streamBytes: number } {
	try {
		const answer = inflateRawSync(stream, { info: true }) as unknown as {
			buffer: Buffer;
			engine: { bytesWritten: number };
		};
		return { verdict: "accepted", content: answer.buffer, streamBytes: answer.engine.bytesWritten };
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code !== "Z_BUF_ERROR" && code !== "Z_DATA_ERROR") throw error;
		return { verdict: code === "Z_BUF_ERROR" ? "truncated" : "broken", content: Buffer.alloc(0), streamBytes: 0 };
	}
}

/** Gives the addon what zlib was given and expects the same; returns what that was. */
async function sameAsZlib(stream: Uint8Array, pieces?: Pieces): Promise<Verdict> {
	const { verdict, content, streamBytes } = byZlib(stream);
	if (verdict === "accepted") {
		const ours = await inflated(member(stream.subarray(0, streamBytes), content), pieces);
		expect(typeof ours === "string" ? ours : ours.equals(content)).toBe(true);
	} else {
		const ours = await inflated(Buffer.concat([member(stream, content).subarray(0, -8)]), pieces);
		expect(typeof ours).toBe("string");
		expect(ours === "truncated" ? "truncated" : "broken").toBe(verdict);
	}
	return verdict;
}

/** A deflate stream out of its bits in their order (RFC 1951 3.1.1), blanks apart. */
function packed(bits: string): Buffer {
	const digits = bits.replaceAll(" ", "");
	const bytes = Buffer.alloc(Math.ceil(digits.length / 8));
	for (const [at, digit] of [...digits].entries())
		bytes.writeUInt8(bytes.readUInt8(at >> 3) | (Number(digit) << (at & 7)), at >> 3);
	return bytes;
}

/** An integer, its lowest bit first. */
const number = (value: number, bits: number): string => [...word(value, bits)].reverse().join("");
/** Its highest bit first. */
const word = (value: number, bits: number): string => value.toString(2).padStart(bits, "0");

const [STORED, FIXED, DYNAMIC] = ["100 00000", "110", "101"];
const FIXED_END = "0000000";
const FIXED_A = word(0x30 + 65, 8);
const JUNK = "0".repeat(30);

/** The head of a dynamic block whose code lengths, 0 to 15, are written in 4 bits each. */
function dynamicBlock(
	litlen: Record<number, number>,
	distance: Record<number, number> = {},
	counts?: [number, number],
): string {
	const most = 257 + Math.max(0, ...Object.keys(litlen).map((key) => Number(key) - 256));
	const [litlenCount, distanceCount] = counts ?? [most, 30];
	const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
	const lengths = [
		...Array.from({ length: litlenCount }, (_, i) => litlen[i] ?? 0),
		...Array.from({ length: distanceCount }, (_, i) => distance[i] ?? 0),
	];
	return [
		...[DYNAMIC, number(litlenCount - 257, 5), number(distanceCount - 1, 5), number(15, 4)],
		...order.map((symbol) => number(symbol < 16 ? 4 : 0, 3)),
		...lengths.map((length) => word(length, 4)),
	].join("");
}

const MATCH = { 65: 2, 66: 2, 256: 2, 257: 2 };
const DEEP = { ...Object.fromEntries(Array.from({ length: 14 }, (_, i) => [65 + i, i + 1])), 255: 15, 256: 15 };
const HANDMADE: [name: string, bits: string, verdict: Verdict][] = [
	["an empty fixed block", `${FIXED} ${FIXED_END}`, "accepted"],
	["an empty stored block", STORED + number(0, 16) + number(0xffff, 16), "accepted"],
	["a stored block whose lengths differ", STORED + number(3, 16) + number(3, 16) + JUNK, "broken"],
	["a block of the fourth type", `111 ${JUNK}`, "broken"],
	["a match that repeats one byte", `${FIXED} ${FIXED_A} 0000101 00000 ${FIXED_END}`, "accepted"],
	["a distance beyond the beginning", `${FIXED} ${FIXED_A} 0000101 00001 ${FIXED_END}`, "broken"],
	["a distance without any content", `${FIXED} 0000001 00000 ${FIXED_END}`, "broken"],
	["length symbol 286", `${FIXED} ${FIXED_A} 11000110 ${JUNK}`, "broken"],
	["length symbol 287", `${FIXED} ${FIXED_A} 11000111 ${JUNK}`, "broken"],
	["distance symbol 30", `${FIXED} ${FIXED_A} 0000001 11110 ${JUNK}`, "broken"],
	["distance symbol 31", `${FIXED} ${FIXED_A} 0000001 11111 ${JUNK}`, "broken"],
	["only a word for the end", `${dynamicBlock({ 256: 1 })} 0`, "accepted"],
	["bits that are no word", `${dynamicBlock({ 256: 1 })} 1 ${JUNK}`, "broken"],
	["a single word of two bits", `${dynamicBlock({ 256: 2 })} 00 ${JUNK}`, "broken"],
	["no word for the end", dynamicBlock({ 65: 1, 66: 1 }) + JUNK, "broken"],
	["two words of one bit", `${dynamicBlock({ 65: 1, 256: 1 })} 0001`, "accepted"],
	["three words of one bit", dynamicBlock({ 65: 1, 66: 1, 256: 1 }) + JUNK, "broken"],
	["words of 1 and 3 bits", dynamicBlock({ 65: 1, 256: 3 }) + JUNK, "broken"],
	["words of 1 to 15 bits", `${dynamicBlock(DEEP)} ${"1".repeat(14)} 0 ${"1".repeat(15)}`, "accepted"],
	["one distance of one bit", `${dynamicBlock(MATCH, { 0: 1 })} 00 11 0 10`, "accepted"],
	["the other bit of it", `${dynamicBlock(MATCH, { 0: 1 })} 00 11 1 ${JUNK}`, "broken"],
	["one distance of two bits", `${dynamicBlock({ 65: 1, 256: 1 }, { 0: 2 })} 1 ${JUNK}`, "broken"],
	["no distance, and none used", `${dynamicBlock({ 65: 1, 256: 1 })} 01`, "accepted"],
	["no distance, but one used", `${dynamicBlock(MATCH)} 00 11 ${JUNK}`, "broken"],
	[
		"too many distances of two bits",
		dynamicBlock({ 65: 1, 256: 1 }, { 0: 2, 1: 2, 2: 2, 3: 2, 4: 2 }) + JUNK,
		"broken",
	],
	["287 symbols", `${dynamicBlock({ 65: 1, 256: 1 }, {}, [287, 30])} 01`, "broken"],
	["31 distances", `${dynamicBlock({ 65: 1, 256: 1 }, {}, [257, 31])} 01`, "broken"],
	["a repeated code length without one before", `${DYNAMIC} ${number(0, 14)} 100 100 ${JUNK}${JUNK}`, "broken"],
	["code lengths beyond their number", `${DYNAMIC} ${number(0, 20)} 100 100 ${"1".repeat(32)}`, "broken"],
	["code lengths without a code", DYNAMIC + number(0, 26) + JUNK.repeat(10), "broken"],
];

const content = fc.record({
	kind: fc.constantFrom("text", "noise", "zeros", "far", "near"),
	byteLength: fc.oneof(fc.nat(300), fc.nat(100_000)),
});

function contentBytes({ kind, byteLength }: { kind: string; byteLength: number }): Buffer {
	const bytes = patternedBytes(byteLength);
	let state = byteLength + 1;
	for (let at = 0; at < byteLength; at++) {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		const noise = state >>> 24;
		if (kind === "noise") bytes[at] = noise;
		else if (kind === "zeros") bytes[at] = 0;
		else if (kind === "far") bytes[at] = at >= 32768 && noise > 9 ? (bytes[at - 32768 + (noise % 3)] ?? 0) : noise % 11;
		else if (kind === "near") bytes[at] = at >= 20 && noise > 9 ? (bytes[at - 1 - (state % 19)] ?? 0) : noise;
	}
	return bytes;
}

const settings = fc.record({
	level: fc.constantFrom(0, 1, 6, 9),
	memLevel: fc.integer({ min: 1, max: 9 }),
	strategy: fc.constantFrom(
		constants.Z_DEFAULT_STRATEGY,
		constants.Z_HUFFMAN_ONLY,
		constants.Z_RLE,
		constants.Z_FIXED,
		constants.Z_FILTERED,
	),
});

const pieces = fc.record({
	inputBytes: fc.constantFrom(1, 7, 50, 1000, 256 * KiB),
	outputBytes: fc.constantFrom(40, 331, 5000, 256 * KiB),
});
/** Every piece is handed over between threads. */
const fewer = (given: Pieces, byteLength: number): Pieces => (byteLength < 3000 ? given : LARGE);

describe.skipIf(addonMissing)("native inflate", () => {
	it("gives the content of whatever zlib deflates, in any pieces", async () => {
		const property = fc.asyncProperty(content, settings, pieces, async (shape, options, given) => {
			const stream = deflateRawSync(contentBytes(shape), options);
			expect(await sameAsZlib(stream, fewer(given, shape.byteLength))).toBe("accepted");
		});
		await fc.assert(property, { seed: 31, numRuns: 400 });
	});

	it("judges a changed stream as zlib does", async () => {
		const change = fc.record({
			kind: fc.constantFrom("flip", "replace", "insert", "remove", "cut"),
			at: fc.double({ min: 0, max: 1, noNaN: true }),
			early: fc.boolean(),
			byte: fc.nat(255),
		});
		const verdicts = new Set<Verdict>();
		const property = fc.asyncProperty(
			content,
			settings,
			pieces,
			change,
			async (shape, options, given, { kind, at, early, byte }) => {
				const stream = deflateRawSync(contentBytes(shape), options);
				const place = Math.floor(at * (Math.min(stream.byteLength, early ? 80 : stream.byteLength) - 1));
				const [head, tail] = [stream.subarray(0, place), stream.subarray(place)];
				const changed = {
					flip: () => Buffer.concat([head, Buffer.of((tail[0] ?? 0) ^ (1 << (byte & 7))), tail.subarray(1)]),
					replace: () => Buffer.concat([head, Buffer.of(byte), tail.subarray(1)]),
					insert: () => Buffer.concat([head, Buffer.of(byte), tail]),
					remove: () => Buffer.concat([head, tail.subarray(1)]),
					cut: () => head,
				}[kind as "flip"]();
				verdicts.add(await sameAsZlib(changed, fewer(given, shape.byteLength)));
			},
		);
		await fc.assert(property, { seed: 32, numRuns: 1500 });
		expect([...verdicts].sort()).toEqual(["accepted", "broken", "truncated"]);
	});

	it("judges random bits as zlib does", async () => {
		const property = fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), pieces, async (bytes, given) => {
			bytes[0] = ((bytes[0] ?? 0) & 0xf8) | 5;
			await sameAsZlib(bytes, given);
		});
		await fc.assert(property, { seed: 33, numRuns: 1000 });
	});

	it.each(HANDMADE)("judges %s as zlib does", async (_, bits, verdict) => {
		for (const given of [LARGE, { inputBytes: 1, outputBytes: 1 }])
			expect(await sameAsZlib(packed(bits), given)).toBe(verdict);
	});

	it("reaches back 32768 bytes into pieces that are gone, and not further", async () => {
		const far = Buffer.concat([patternedBytes(32768), Buffer.alloc(100_000, "x")]);
		for (const [distance, symbol, extra] of [
			[32768, "11101", number(8191, 13)],
			[32767, "11101", number(8190, 13)],
			[4097, "11000", number(0, 11)],
		] as const) {
			const head = packed(`000 00000 ${number(32768, 16)} ${number(32767, 16)}`);
			// length 258
			const matches = packed(`${FIXED} ${`11000101 ${symbol} ${extra}`.repeat(400)} ${FIXED_END}`);
			const stream = Buffer.concat([head, far.subarray(0, 32768), matches]);
			for (const outputBytes of [500, 5000, 256 * KiB])
				expect(await sameAsZlib(stream, { inputBytes: 1000, outputBytes }), `${distance}`).toBe("accepted");
		}
		const short = Buffer.concat([
			packed(`000 00000 ${number(32767, 16)} ${number(32768, 16)}`),
			far.subarray(0, 32767),
			packed(`${FIXED} 0000001 11101 ${number(8191, 13)} ${FIXED_END}`),
		]);
		expect(await sameAsZlib(short, { inputBytes: 1000, outputBytes: 5000 })).toBe("broken");
	});

	it("knows the end of the data from its middle, at every byte", async () => {
		const first = gzipSync(patternedBytes(700));
		const second = gzipSync(patternedBytes(90), { strategy: constants.Z_FIXED });
		const third = gzipSync(Buffer.alloc(40, 7), { level: 0 });
		const file = Buffer.concat([first, second, third]);
		const ends = [first.byteLength, first.byteLength + second.byteLength, file.byteLength];
		for (let length = 0; length <= file.byteLength; length++)
			for (const inputBytes of [1, 64 * KiB]) {
				const ours = await inflated(file.subarray(0, length), { inputBytes, outputBytes: 5000 });
				expect(typeof ours === "string" ? ours : ours.byteLength).toBe(
					ends.includes(length) ? [700, 790, 830][ends.indexOf(length)] : "truncated",
				);
			}
	});

	it("reads every form of header and checks what it says", async () => {
		const bytes = patternedBytes(100);
		const stream = deflateRawSync(bytes);
		const fields = Buffer.concat([Buffer.of(3, 0, 1, 2, 3), Buffer.from("name\0comment\0")]);
		const head = member(stream, bytes, { flags: 0x1f, fields }).subarray(0, 10 + fields.byteLength);
		const headerCrc = Buffer.alloc(2);
		headerCrc.writeUInt16LE(crc32(head) & 0xffff);
		const good = member(stream, bytes, { flags: 0x1f, fields: Buffer.concat([fields, headerCrc]) });
		const plain = member(stream, bytes);
		const changed = (file: Buffer, at: number, byte: number) => {
			const copy = Buffer.from(file);
			copy[at] = byte;
			return copy;
		};
		for (const inputBytes of [1, 64 * KiB]) {
			const read = async (file: Uint8Array) => {
				const answer = await inflated(file, { inputBytes, outputBytes: 5000 });
				return typeof answer === "string" ? answer : answer.equals(bytes);
			};
			expect(await read(plain)).toBe(true);
			expect(await read(good)).toBe(true);
			expect(await read(member(stream, bytes, { flags: 4, fields: Buffer.of(0, 0) }))).toBe(true);
			expect(await read(changed(good, 10 + fields.byteLength, (headerCrc[0] ?? 0) ^ 1))).toMatch(/header's checksum/);
			expect(await read(changed(plain, 0, 0x1e))).toMatch(/gzip header/);
			expect(await read(changed(plain, 1, 0))).toMatch(/gzip header/);
			expect(await read(changed(plain, 2, 7))).toMatch(/method/);
			for (const flag of [0x20, 0x40, 0x80]) expect(await read(changed(plain, 3, flag))).toMatch(/flags/);
			const trailer = plain.byteLength - 8;
			for (const at of [0, 3])
				expect(await read(changed(plain, trailer + at, (plain[trailer + at] ?? 0) ^ 1))).toMatch(/checksum/);
			for (const at of [4, 7])
				expect(await read(changed(plain, trailer + at, (plain[trailer + at] ?? 0) ^ 1))).toMatch(/length/);
			expect(await read(Buffer.concat([plain, Buffer.alloc(1000)]))).toBe(true);
			expect(await read(Buffer.concat([plain, Buffer.alloc(1000), Buffer.of(1)]))).toMatch(/bytes follow/);
			expect(await read(Buffer.concat([plain, Buffer.from("more")]))).toMatch(/gzip header/);
		}
	});
});

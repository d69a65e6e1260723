import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { KiB, MiB } from "../../src/binary/units.ts";
import { createCompressor } from "../../src/codec/compressor.ts";
import { patternedBytes } from "../../src/codec/self-test.ts";
import type { CodecBackend } from "../../src/codec/types.ts";
import { ZstdInflater } from "../../src/codec/zstd-inflater.ts";
import { Oci2isoError } from "../../src/errors.ts";
import { requires } from "../support/requires.ts";
import { zstdSkippable } from "../support/zstd-stored.ts";
import { contentOf, zstdFrame } from "../unit/codec/zstd-frames.ts";
import { addonMissing } from "./addon-required.ts";

const seed = 20;
const backends: readonly CodecBackend[] = ["native", "portable"];

function inflate(stream: Uint8Array, backend: CodecBackend, step = stream.byteLength): Buffer {
	const inflater = new ZstdInflater({ backend });
	const pieces: Buffer[] = [];
	for (let at = 0; at < stream.byteLength; at += step)
		inflater.push(stream.subarray(at, at + step), (bytes) => pieces.push(Buffer.from(bytes)));
	inflater.finish();
	return Buffer.concat(pieces);
}

/** What inflating ends with: the bytes, or the error's code. */
function outcome(stream: Uint8Array, backend: CodecBackend, step?: number): string {
	try {
		return inflate(stream, backend, step).toString("hex");
	} catch (error) {
		if (error instanceof Oci2isoError) return error.code;
		throw error;
	}
}

describe.skipIf(addonMissing)("ZstdInflater", () => {
	/** Frames that an encoder made, of several levels and sizes. */
	const frames: { readonly content: Buffer; readonly frame: Buffer }[] = [];
	beforeAll(async () => {
		for (const [level, length] of [
			[1, 10],
			[3, 5000],
			[7, 128 * KiB],
			[19, 1_000_000],
		] as const) {
			const compressor = await createCompressor({
				codec: "zstd",
				blockBytes: MiB,
				threads: 1,
				level,
				backend: "native",
			});
			const content = patternedBytes(length);
			const buffer = compressor.acquire();
			content.copy(buffer);
			compressor.submit(buffer, length, ({ compressed, bytes }) => {
				if (compressed) frames.push({ content, frame: Buffer.from(bytes) });
			});
			await compressor.settle(0);
			await compressor.close();
		}
		expect(frames.length).toBeGreaterThanOrEqual(3);
	});

	it("reads frames and skippable frames alike on both backends, wherever the input is cut", () => {
		fc.assert(
			fc.property(fc.array(fc.nat(20), { maxLength: 5 }), fc.constantFrom(1, 7, 1000, MiB), (picks, step) => {
				const chosen = picks
					.flatMap((pick) => frames[pick % 3] ?? [])
					.filter(({ frame }) => step > 1 || frame.byteLength < 5000);
				const stream = Buffer.concat(
					chosen.flatMap(({ frame }, index) => [zstdSkippable(Buffer.alloc(index * 9), index), frame]),
				);
				const content = Buffer.concat(chosen.map((entry) => entry.content));
				for (const backend of backends) expect(inflate(stream, backend, step).equals(content)).toBe(true);
			}),
			{ seed, numRuns: 40 },
		);
	});

	it("reads a large frame in pieces of at most 256 KiB", () => {
		const large = frames.at(-1);
		for (const backend of backends) {
			const pieces: Buffer[] = [];
			for (const piece of new ZstdInflater({ backend }).inflate(large?.frame ?? Buffer.alloc(0)))
				pieces.push(Buffer.from(piece));
			expect(Math.max(...pieces.map((piece) => piece.byteLength))).toBeLessThanOrEqual(256 * KiB);
			expect(Buffer.concat(pieces).equals(large?.content ?? Buffer.alloc(1))).toBe(true);
		}
	});

	it("answers broken frames alike on both backends", () => {
		const valid = Buffer.concat([
			zstdFrame([{ raw: Buffer.from("text") }, { byte: 9, times: 300 }], { singleSegment: true }),
			zstdSkippable(Buffer.from("x")),
		]);
		const mutated = fc.tuple(fc.nat(valid.byteLength - 1), fc.nat(255)).map(([at, value]) => {
			const bytes = Buffer.from(valid);
			bytes[at] = value;
			return bytes;
		});
		let agreed = 0;
		fc.assert(
			fc.property(
				fc.oneof(
					mutated,
					fc.nat(valid.byteLength).map((length) => valid.subarray(0, length)),
				),
				(stream) => {
					const [native, portable] = backends.map((backend) => outcome(stream, backend));
					// fzstd does not check content sizes and block sizes against the frame header, so it may see less wrong.
					if (/^[A-Z]/.test(native ?? "") && !/^[A-Z]/.test(portable ?? "")) return;
					expect(/^[A-Z]/.test(portable ?? "")).toBe(/^[A-Z]/.test(native ?? ""));
					if (!/^[A-Z]/.test(native ?? "")) expect(portable).toBe(native);
					agreed++;
				},
			),
			{ seed, numRuns: 1000 },
		);
		expect(agreed).toBeGreaterThan(500);
	});

	it("never answers arbitrary bytes with anything but an error of ours", () => {
		const frame = frames[1]?.frame ?? Buffer.alloc(1);
		const mutated = fc
			.array(fc.tuple(fc.nat(frame.byteLength - 1), fc.nat(255)), { minLength: 1, maxLength: 5 })
			.map((changes) => {
				const bytes = Buffer.from(frame);
				for (const [at, value] of changes) bytes[at] = value;
				return bytes;
			});
		fc.assert(
			fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), mutated), (stream) => {
				for (const backend of backends)
					expect(outcome(stream, backend, 50)).toMatch(
						/^(CORRUPT_ZSTD|TRUNCATED_ZSTD|ZSTD_WINDOW_TOO_LARGE|[0-9a-f]*)$/,
					);
			}),
			{ seed, numRuns: 300 },
		);
	});

	it("refuses a window over 128 MiB and takes one of 128 MiB", () => {
		const blocks = [{ byte: 7, times: 3 }];
		for (const backend of backends) {
			expect(inflate(zstdFrame(blocks, { windowDescriptor: 17 << 3 }), backend)).toEqual(contentOf(blocks));
			expect(outcome(zstdFrame(blocks, { windowDescriptor: (17 << 3) | 1 }), backend)).toBe("ZSTD_WINDOW_TOO_LARGE");
		}
	});

	it("checks the frame's own checksum natively", () => {
		const frame = zstdFrame([{ byte: 7, times: 3 }], { checksum: Buffer.from("oops") });
		expect(outcome(frame, "native")).toBe("CORRUPT_ZSTD");
	});

	it("takes empty chunks", () => {
		const inflater = new ZstdInflater({ backend: "native" });
		for (let i = 0; i < 50; i++) inflater.push(Buffer.alloc(0), () => undefined);
		inflater.finish();
	});

	const noZstd = requires("zstd");
	it.skipIf(noZstd !== undefined)("reads what the zstd command makes", () => {
		const content = Buffer.concat([patternedBytes(300_000), Buffer.alloc(MiB), patternedBytes(40_000)]);
		for (const options of [["-1"], ["-19", "--no-check"], ["--ultra", "-22"], ["-3", "--long=27"]]) {
			const { stdout } = spawnSync("zstd", ["-c", ...options], { input: content, maxBuffer: 64 * MiB });
			for (const backend of backends) expect(inflate(stdout, backend, 100_000).equals(content)).toBe(true);
		}
	});
});

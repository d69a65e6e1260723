import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteQueue } from "../../src/binary/byte-queue.ts";
import { memoryFile } from "../../src/boot/initramfs/streamed-file.ts";
import { decodeXzStream } from "../../src/boot/initramfs/xz.ts";
import { incompressible } from "../support/large-layout.ts";
import { requires } from "../support/requires.ts";

const missing = requires("xz");

async function decode(bytes: Buffer): Promise<{ readonly content: Buffer; readonly end: number }> {
	const pieces: Buffer[] = [];
	const input = new ByteQueue(memoryFile(bytes, 70_000));
	const stream = await decodeXzStream(input, (piece) => pieces.push(Buffer.from(piece)));
	if ("damage" in stream) throw new Error(stream.damage);
	return { content: Buffer.concat(pieces), end: input.offset };
}

const xz = (content: Uint8Array, ...args: string[]): Buffer =>
	execFileSync("xz", ["--stdout", ...args], { input: content, maxBuffer: 2 ** 28 });

describe.skipIf(missing !== undefined)("what the xz tool compressed", () => {
	it.each([
		["-0"],
		["-9"],
		["--check=none"],
		["--check=sha256"],
		["--lzma2=dict=4KiB"],
		["--lzma2=dict=1MiB,lc=0,lp=4,pb=0"],
		["--lzma2=dict=64KiB,lc=4,lp=0,pb=4,nice=5"],
		["--block-size=70000"],
	])("%s", async (option) => {
		const noise = Buffer.concat([...incompressible(300_000, 3)]);
		const text = Buffer.from(Array.from({ length: 60_000 }, (_, i) => `line ${(i * i) % 977}\n`).join(""));
		const content = Buffer.concat([
			text,
			noise,
			Buffer.alloc(1_000_000),
			text.subarray(1000),
			noise.subarray(0, 99_999),
		]);
		const bytes = xz(content, option);
		const decoded = await decode(bytes);
		expect(decoded.content.equals(content)).toBe(true);
		expect(decoded.end).toBe(bytes.byteLength);
	});

	it("decodes any content", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.nat(300))),
				async (runs) => {
					const content = Buffer.concat(runs.flatMap(([bytes, count]) => Array<Uint8Array>(count).fill(bytes)));
					expect((await decode(xz(content, "-1"))).content.equals(content)).toBe(true);
				},
			),
			{ seed: 6, numRuns: 15 },
		);
	});
});

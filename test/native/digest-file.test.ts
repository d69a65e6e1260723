import { createHash, randomBytes } from "node:crypto";
import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KiB } from "../../src/binary/units.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { addonMissing, nativeAddon } from "./addon-required.ts";

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
		for (let round = 0; round < 10; round++) {
			const { digester, rung } = makeDigester(file, Buffer.alloc(0), [content.byteLength]);
			digester.allow(round * 60_000);
			if (round % 2 === 0) await new Promise(setImmediate);
			digester.close();
			expect(digester.result()).toBeUndefined();
			const first = await Promise.race([rung.then(() => "called"), new Promise(setImmediate).then(() => "quiet")]);
			expect(first).toBe("quiet");
		}
	});
});

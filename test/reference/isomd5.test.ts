import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { memorySource } from "../../src/binary/byte-source.ts";
import {
	APPLICATION_USE_OFFSET,
	computeMediaChecksum,
	verifyMediaChecksum,
} from "../../src/formats/isomd5/media-checksum.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const directory = temporaryDirectory("isomd5");
const path = join(directory, "made.iso");

/** Bytes that differ everywhere but not from run to run. */
function contentOf(byteLength: number, seed: number): Buffer {
	const bytes = Buffer.alloc(byteLength);
	let state = seed * 2_654_435_761;
	for (let at = 0; at < byteLength; at++) {
		state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
		bytes[at] = state >>> 16;
	}
	return bytes;
}

async function withOurChecksum(iso: Buffer): Promise<Buffer> {
	const copy = Buffer.from(iso);
	copy.set(await computeMediaChecksum(memorySource(iso)), APPLICATION_USE_OFFSET);
	return copy;
}

/** Both must write the same bytes, and each must accept the other's. */
async function compare(iso: Buffer): Promise<void> {
	writeFileSync(path, iso);
	await run("implantisomd5", ["--force", path]);
	const theirs = readFileSync(path);
	const ours = await withOurChecksum(iso);
	const area = (bytes: Buffer) => bytes.toString("latin1", APPLICATION_USE_OFFSET, APPLICATION_USE_OFFSET + 512);
	expect(area(ours)).toBe(area(theirs));
	expect(ours.equals(theirs)).toBe(true);
	expect(await verifyMediaChecksum(memorySource(theirs))).toBe("pass");
}

describe.skipIf(requires("implantisomd5", "checkisomd5"))("implantisomd5", () => {
	describe.skipIf(requires("xorrisofs", "genisoimage"))("on ISOs of other tools", () => {
		test.each([
			["xorrisofs", 0],
			["xorrisofs", 1],
			["xorrisofs", 32_767],
			["xorrisofs", 1_000_003],
			["xorrisofs", 20_000_000],
			["genisoimage", 2048],
			["genisoimage", 655_360],
			["genisoimage", 7_777_777],
		])("writes the bytes we write: %s with a file of %i bytes", async (tool, byteLength) => {
			const file = join(directory, "content");
			writeFileSync(file, contentOf(byteLength, byteLength + 1));
			await run(tool, ["-quiet", "-o", path, file]);
			const iso = readFileSync(path);
			await compare(iso);
			// checkisomd5 refuses what implantisomd5 wrote where a fragment is shorter than its buffer.
			if (iso.byteLength < 21 * 32_768) return;
			writeFileSync(path, await withOurChecksum(iso));
			await run("checkisomd5", [path]);
			const damaged = readFileSync(path);
			damaged[40_000] = (damaged[40_000] ?? 0) ^ 1;
			writeFileSync(path, damaged);
			expect(await verifyMediaChecksum(memorySource(damaged))).toBe("fail");
			await expect(run("checkisomd5", [path])).rejects.toThrow("FAIL");
		});
	});

	test("writes the bytes we write at every size around the buffers and fragments", async () => {
		// 21 fragments of whole buffers are 21 * 16 blocks; 15 blocks are skipped.
		const edges = [33, 47, 48, 49, 63, 64, 65, 21 * 16 + 15, 2 * 21 * 16 + 15];
		const sizes = edges.flatMap((blocks) => [blocks - 1, blocks, blocks + 1]).filter((blocks) => blocks > 33);
		for (const blocks of [...new Set(sizes)]) {
			const iso = contentOf(blocks * 2048, blocks);
			iso[0x8000] = 1;
			iso.write("CD001\u0001", 0x8001, "latin1");
			iso.writeUInt32LE(blocks, 0x8050);
			iso.writeUInt32BE(blocks, 0x8054);
			iso.fill(0x20, APPLICATION_USE_OFFSET, APPLICATION_USE_OFFSET + 512);
			iso.fill(0, 17 * 2048, 18 * 2048);
			iso.write("\u00ffCD001\u0001", 17 * 2048, "latin1");
			await compare(iso);
		}
	});
});

import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ByteSource, memorySource } from "../../../../src/binary/byte-source.ts";
import { decodeApplicationUse, encodeApplicationUse } from "../../../../src/formats/isomd5/application-use.ts";
import {
	APPLICATION_USE_OFFSET,
	computeMediaChecksum,
	verifyMediaChecksum,
} from "../../../../src/formats/isomd5/media-checksum.ts";

/** Blocks of arbitrary bytes with just enough of a primary volume descriptor. */
function isoOf(blocks: number, seed = 1): Buffer {
	const iso = Buffer.alloc(blocks * 2048);
	let state = seed;
	for (let at = 0; at < iso.byteLength; at++) {
		state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
		iso[at] = state >>> 16;
	}
	iso[0x8000] = 1;
	iso.write("CD001", 0x8001, "latin1");
	iso.writeUInt32LE(blocks, 0x8050);
	iso.writeUInt32BE(blocks, 0x8054);
	return iso;
}

async function implant(iso: Buffer): Promise<Buffer> {
	const copy = Buffer.from(iso);
	copy.set(await computeMediaChecksum(memorySource(iso)), APPLICATION_USE_OFFSET);
	return copy;
}

describe("the media checksum", () => {
	test("is the MD5 without the last 15 blocks, its own area as spaces", async () => {
		const iso = isoOf(300);
		const blanked = Buffer.from(iso);
		blanked.fill(0x20, APPLICATION_USE_OFFSET, APPLICATION_USE_OFFSET + 512);
		const md5 = createHash("md5")
			.update(blanked.subarray(0, 285 * 2048))
			.digest("hex");
		const area = decodeApplicationUse(await computeMediaChecksum(memorySource(iso)));
		expect(area).toMatchObject({ md5, skipSectors: 15, supported: false, fragmentCount: 20 });
	});

	test("has the text that implantisomd5 writes", async () => {
		const area = Buffer.from(await computeMediaChecksum(memorySource(isoOf(3000)))).toString("latin1");
		expect(area).toHaveLength(512);
		expect(area).toMatch(
			/^ISO MD5SUM = [0-9a-f]{32};SKIPSECTORS = 15;RHLISOSTATUS=0;FRAGMENT SUMS = [0-9a-f]{60};FRAGMENT COUNT = 20;THIS IS NOT THE SAME AS RUNNING MD5SUM ON THIS ISO!! +$/,
		);
	});

	test("does not depend on how the source hands out its bytes, and is read only once", async () => {
		const iso = isoOf(2000);
		let read = 0;
		const counting: ByteSource = {
			byteLength: iso.byteLength,
			read: (position, length) => {
				read += length;
				return Promise.resolve(Uint8Array.from(iso.subarray(position, position + length)));
			},
		};
		const progress: number[] = [];
		const area = await computeMediaChecksum(counting, (done, total) => progress.push(done / total));
		expect(Buffer.from(await computeMediaChecksum(memorySource(iso))).equals(area)).toBe(true);
		expect(read).toBe(1985 * 2048 + 2048);
		expect(progress.at(-1)).toBe(1);
		expect([...progress].sort((a, b) => a - b)).toEqual(progress);
	});
});

describe("checking an image", () => {
	test("passes what was implanted, and fails after any change in the hashed part", async () => {
		const iso = await implant(isoOf(500));
		expect(await verifyMediaChecksum(memorySource(iso))).toBe("pass");
		await fc.assert(
			fc.asyncProperty(fc.nat(485 * 2048 - 1), async (at) => {
				const isLayout = at >= 0x8000 && at < 0x8058;
				if (isLayout || (at >= APPLICATION_USE_OFFSET && at < APPLICATION_USE_OFFSET + 512)) return;
				const changed = Buffer.from(iso);
				changed[at] = (changed[at] ?? 0) ^ 1;
				expect(await verifyMediaChecksum(memorySource(changed))).toBe("fail");
			}),
			{ seed: 20_261_121, numRuns: 30 },
		);
	});

	test("says none where there is no checksum", async () => {
		expect(await verifyMediaChecksum(memorySource(isoOf(300)))).toBe("none");
	});

	test("refuses what is no ISO", async () => {
		const notAnIso = { code: "NOT_AN_ISO", exitStatus: 5 };
		await expect(computeMediaChecksum(memorySource(Buffer.alloc(100)))).rejects.toMatchObject(notAnIso);
		await expect(computeMediaChecksum(memorySource(Buffer.alloc(200 * 2048)))).rejects.toMatchObject(notAnIso);
		await expect(computeMediaChecksum(memorySource(isoOf(31)))).rejects.toMatchObject(notAnIso);
		const short = isoOf(300).subarray(0, 200 * 2048);
		await expect(computeMediaChecksum(memorySource(short))).rejects.toMatchObject({ code: "UNEXPECTED_END" });
	});
});

test("the area decodes to what it encodes", () => {
	const checksum = {
		md5: "0123456789abcdef".repeat(2),
		skipSectors: 15,
		supported: true,
		fragmentSums: "abc",
		fragmentCount: 20,
	};
	expect(decodeApplicationUse(encodeApplicationUse(checksum))).toEqual(checksum);
	expect(decodeApplicationUse(Buffer.alloc(512, 0x20))).toBeUndefined();
});

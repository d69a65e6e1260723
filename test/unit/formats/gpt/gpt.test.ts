import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	type DiskGuids,
	layOutDisk,
	PARTITION_TYPE,
	REQUIRED_READ_ONLY,
} from "../../../../src/formats/gpt/disk-layout.ts";
import {
	decodeGptEntries,
	decodeGptHeader,
	encodeBackupGpt,
	encodePrimaryGpt,
	type Gpt,
	type GptPartition,
	gptHeader,
} from "../../../../src/formats/gpt/gpt.ts";
import { decodeGuid, encodeGuid } from "../../../../src/formats/gpt/guid.ts";

const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 });
const guid = bytes16.map(decodeGuid);
/** What xorriso gave the sample whose CRCs stand below. */
const SAMPLE_GUIDS: DiskGuids = {
	disk: "33323032-3131-4431-b230-303231333230",
	iso9660: "33323032-3131-4431-b231-303231333230",
	efiSystem: "33323032-3131-4431-b232-303231333230",
	padding: "33323032-3131-4431-b233-303231333230",
};
const sample = layOutDisk(2453, 1024 * 1024, SAMPLE_GUIDS);

describe("GUIDs", () => {
	it("have their first three groups in little-endian order", () => {
		expect(encodeGuid("C12A7328-F81F-11D2-BA4B-00A0C93EC93B").toString("hex")).toBe("28732ac11ff8d211ba4b00a0c93ec93b");
		expect(decodeGuid(Buffer.from("a2a0d0ebe5b9334487c068b6b72699c7", "hex"))).toBe(PARTITION_TYPE.basicData);
	});
});

describe("the GPT", () => {
	it("has xorriso's bytes for xorriso's layout", () => {
		const { bytes } = encodePrimaryGpt(sample.gpt);
		expect(bytes.subarray(0, 92).toString("hex")).toBe(
			[
				"454649205041525400000100" + "5c000000c07bec5800000000",
				"0100000000000000eb30000000000000" + "4000000000000000ac30000000000000",
				"323032333131314" + "4b230303231333230",
				"0200000000000000f800000080000000a83cca66",
			].join(""),
		);
		expect(bytes.subarray(512, 512 + 72).toString("hex")).toBe(
			"a2a0d0ebe5b9334487c068b6b72699c73230323331313144b23130323133323040000000000000005326000000000000" +
				"0100000000000010490053004f0039003600360030000000",
		);
		const backup = encodeBackupGpt(sample.gpt);
		expect(backup.block).toBe(12461);
		expect(backup.bytes.subarray(-512, -420).toString("hex")).toBe(
			"4546492050415254000001005c0000007672371a00000000eb3000000000000001000000000000004000000000000000" +
				"ac300000000000003230323331313144b230303231333230ad30000000000000f800000080000000a83cca66",
		);
	});

	it("decodes to what was encoded, from the front and from the back", () => {
		const partition: fc.Arbitrary<GptPartition> = fc.record({
			typeGuid: guid.filter((each) => !/^0+$/.test(each.replaceAll("-", ""))),
			partitionGuid: guid,
			firstBlock: fc.maxSafeNat(),
			lastBlock: fc.maxSafeNat(),
			attributes: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
			name: fc.stringMatching(/^[A-Za-z0-9é]{0,36}$/),
		});
		fc.assert(
			fc.property(
				fc.array(partition, { maxLength: 248 }),
				guid,
				fc.integer({ min: 200, max: 2 ** 40 }),
				(partitions, diskGuid, diskBlocks) => {
					const gpt: Gpt = { diskGuid, firstUsableBlock: 64, lastUsableBlock: diskBlocks - 64, diskBlocks, partitions };
					const primary = encodePrimaryGpt(gpt);
					const first = decodeGptHeader(primary.bytes, primary.block);
					expect(first).toMatchObject({ diskGuid, entriesBlock: 2, otherHeaderBlock: diskBlocks - 1 });
					expect(decodeGptEntries(primary.bytes.subarray(512), first)).toEqual(partitions);
					const backup = encodeBackupGpt(gpt);
					const last = decodeGptHeader(backup.bytes.subarray(-512), diskBlocks - 1);
					expect(last).toMatchObject({ entriesBlock: backup.block, otherHeaderBlock: 1, entriesCrc: first.entriesCrc });
					expect(decodeGptEntries(backup.bytes, last)).toEqual(partitions);
				},
			),
			{ seed: 1, numRuns: 30 },
		);
	});

	it("is refused where a single byte of header or entries differs", () => {
		const { bytes } = encodePrimaryGpt(sample.gpt);
		const header = decodeGptHeader(bytes, 1);
		for (let at = 0; at < gptHeader.byteLength; at++) {
			const copy = Buffer.from(bytes);
			copy.writeUInt8(copy.readUInt8(at) ^ 0x10, at);
			expect(() => decodeGptHeader(copy, 1), `byte ${at}`).toThrow(/BAD_GPT/);
		}
		for (const at of [0, 63, 127, 128 * 247]) {
			const copy = Buffer.from(bytes.subarray(512));
			copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
			expect(() => decodeGptEntries(copy, header)).toThrow(/BAD_GPT/);
		}
		expect(() => decodeGptHeader(bytes, 2)).toThrow(/BAD_GPT/);
		expect(() => decodeGptEntries(bytes.subarray(512, 600), header)).toThrow(/BAD_GPT/);
	});
});

describe("the disk's layout", () => {
	it("is xorriso's", () => {
		expect(sample).toMatchObject({
			efiSystemBlock: 2453,
			efiSystemBlocks: 512,
			paddingBlock: 2965,
			backupGptBlock: 3115,
			imageBlocks: 3131,
			imageSectors: 12524,
			gpt: { firstUsableBlock: 64, lastUsableBlock: 12460, diskBlocks: 12524 },
		});
		expect(
			sample.gpt.partitions.map(({ name, typeGuid, attributes, firstBlock, lastBlock }) => [
				name,
				typeGuid,
				attributes,
				firstBlock,
				lastBlock - firstBlock + 1,
			]),
		).toEqual([
			["ISO9660", PARTITION_TYPE.basicData, REQUIRED_READ_ONLY, 64, 9748],
			["Appended2", PARTITION_TYPE.efiSystem, 0n, 9812, 2048],
			["Gap1", PARTITION_TYPE.basicData, REQUIRED_READ_ONLY, 11860, 600],
		]);
	});

	it("leaves no gap and no overlap, for any sizes", () => {
		fc.assert(
			fc.property(
				fc.integer({ min: 17, max: 2 ** 31 }),
				fc.integer({ min: 1, max: 2 ** 33 }),
				(volumeEnd, efiBytes) => {
					const { gpt, imageSectors, efiSystemBlocks } = layOutDisk(volumeEnd, efiBytes, SAMPLE_GUIDS);
					let next = gpt.firstUsableBlock;
					for (const { firstBlock, lastBlock } of gpt.partitions) {
						expect(firstBlock).toBe(next);
						expect(lastBlock).toBeGreaterThanOrEqual(firstBlock);
						next = lastBlock + 1;
					}
					expect(next - 1).toBeLessThanOrEqual(gpt.lastUsableBlock);
					expect(efiSystemBlocks * 2048).toBeGreaterThanOrEqual(efiBytes);
					const backup = encodeBackupGpt(gpt);
					expect(backup.block).toBeGreaterThan(gpt.lastUsableBlock);
					expect(backup.block * 512 + backup.bytes.byteLength).toBe(imageSectors * 512);
				},
			),
			{ seed: 1, numRuns: 50 },
		);
	});
});

import { describe, expect, it } from "vitest";
import { decodeMbr, encodeMbr, hybridMbr, mbrPartition } from "../../../../src/formats/gpt/mbr.ts";

const bootHybrid = Buffer.alloc(512, 0x90);
bootHybrid.writeUInt16LE(0xaa55, 510);

/** Places and values that xorriso gave disks of these sizes. */
const MEASURED: [diskBlocks: number, partition: string][] = [
	[12524, "00000200ee070c0601000000eb300000"],
	[5652, "00000200ee3014020100000013160000"],
	[2032576, "00000200ee1de0e001000000bf031f00"],
	[2073536, "00000200ee1de0f401000000bfa31f00"],
	[2667456, "00000200ee3fe0ff01000000bfb32800"],
	[9221056, "00000200ee3fe0ff01000000bfb38c00"],
];

describe("the hybrid MBR", () => {
	it.each(MEASURED)("of a disk of %d blocks has xorriso's protective partition", (diskBlocks, partition) => {
		const mbr = encodeMbr({ bootHybrid, elToritoBlock: 141 }, diskBlocks);
		expect(mbr.subarray(446, 462).toString("hex")).toBe(partition);
		expect(mbr.readBigUInt64LE(0x1b0)).toBe(568n);
	});

	it("keeps GRUB's code and clears everything behind it", () => {
		const mbr = encodeMbr({ bootHybrid, elToritoBlock: 141 }, 12524);
		expect(mbr.subarray(0, 0x1b0).equals(bootHybrid.subarray(0, 0x1b0))).toBe(true);
		expect(mbr.readUInt32LE(0x1b8)).toBe(0);
		expect(mbr.subarray(478, 510).equals(Buffer.alloc(32))).toBe(true);
		expect(mbr.readUInt16LE(510)).toBe(0xaa55);
	});

	it("has xorriso's active entry, which is no partition, unless it should have none", () => {
		const mbr = encodeMbr({ bootHybrid, elToritoBlock: 141 }, 12524);
		expect(mbr.subarray(462, 478).toString("hex")).toBe("80000100000001000000000001000000");
		expect(decodeMbr(mbr)).toMatchObject({ isActive: true, partitions: [{ type: 0xee, status: 0 }] });
		const without = encodeMbr({ bootHybrid, elToritoBlock: 141 }, 12524, { isActive: false });
		expect(without.subarray(462, 510).equals(Buffer.alloc(48))).toBe(true);
		expect(decodeMbr(without).isActive).toBe(false);
	});

	it("is the protective partition and nothing else where there is no BIOS", () => {
		const [[diskBlocks, partition] = [0, ""]] = MEASURED;
		const mbr = encodeMbr(undefined, diskBlocks);
		expect(mbr.toString("hex")).toBe(`${"00".repeat(446)}${partition}${"00".repeat(48)}55aa`);
	});

	it("decodes to what was encoded", () => {
		const { partitions, kernelBlock } = decodeMbr(encodeMbr({ bootHybrid, elToritoBlock: 2 ** 31 }, 2 ** 33));
		expect(kernelBlock).toBe(2n ** 33n + 4n);
		expect(partitions).toMatchObject([{ type: 0xee, firstBlock: 1, blockCount: 0xffffffff }]);
		const [partition] = partitions;
		expect(partition && mbrPartition.decode(mbrPartition.encode(partition))).toEqual(partition);
		const values = hybridMbr.decode(bootHybrid);
		expect(hybridMbr.decode(hybridMbr.encode(values))).toEqual(values);
	});

	it.each([Buffer.alloc(0), bootHybrid.subarray(0, 511), Buffer.concat([bootHybrid, bootHybrid]), Buffer.alloc(512)])(
		"refuses a boot_hybrid.img that is none",
		(image) => expect(() => encodeMbr({ bootHybrid: image, elToritoBlock: 1 }, 1000)).toThrow(/BAD_BOOT_HYBRID/),
	);

	it("is not found where there is no boot signature", () => {
		expect(() => decodeMbr(Buffer.alloc(512))).toThrow(/BAD_MBR/);
		expect(() => decodeMbr(bootHybrid.subarray(0, 100))).toThrow(/BAD_MBR/);
	});
});

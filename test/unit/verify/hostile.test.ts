import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memorySource } from "../../../src/binary/byte-source.ts";
import { readGrubScript } from "../../../src/boot/grub/model/script.ts";
import { verifyIso } from "../../../src/verify/verify-iso.ts";
import { smallIso } from "../../support/verify-iso-fixture.ts";

describe("anything at all", () => {
	it("is a script of some kind, read in time that grows with its length only", () => {
		fc.assert(
			fc.property(fc.string({ unit: fc.constantFrom(..."ab {}'\"\\$#;\n"), maxLength: 200 }), (script) => {
				expect(Array.isArray(readGrubScript(script).statements)).toBe(true);
			}),
			{ seed: 7, numRuns: 500 },
		);
		const started = process.cpuUsage();
		for (const script of [
			"{".repeat(500_000),
			`$${"{x}"}`.repeat(200_000),
			"}\n".repeat(300_000),
			"a\\".repeat(300_000),
		])
			readGrubScript(script);
		const { user } = process.cpuUsage(started);
		expect(user / 1e6).toBeLessThan(10);
	});
});

describe("a data block that the kernel refuses", () => {
	it("is reported although it may decode elsewhere", async () => {
		const { bytes } = await smallIso();
		const start = 64 * 2048;
		// The first data block: a zlib header that asks for a preset dictionary.
		expect(bytes.readUInt16BE(start + 96) % 31).toBe(0);
		bytes.writeUInt16BE(0x7820 + (31 - (0x7820 % 31)), start + 96);
		const report = await verifyIso(memorySource(bytes), { mediaChecksum: false });
		const blocks = report.checks.find(({ name }) => name === "squashfs-blocks");
		expect(blocks?.findings.map(({ what }) => what).join("\n")).toContain(
			"the kernel refuses the block at offset 96: it needs a preset dictionary",
		);
	});
});

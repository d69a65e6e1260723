import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memorySource } from "../../../src/binary/byte-source.ts";
import { readGrubScript } from "../../../src/boot/grub/model/script.ts";
import { Findings } from "../../../src/findings/findings.ts";
import { decodeSignature } from "../../../src/formats/pe/authenticode.ts";
import { sectionBytes } from "../../../src/formats/pe/pe-image.ts";
import { firmwareTrust, judge, shimTrust } from "../../../src/formats/pe/trust.ts";
import { readEfiProgram } from "../../../src/verify/efi-program.ts";
import { formatReport } from "../../../src/verify/report.ts";
import { verifyIso } from "../../../src/verify/verify-iso.ts";
import { smallIso } from "../../support/verify-iso-fixture.ts";
import { grubProgram, kernelProgram, shimProgram } from "../../support/verify-programs.ts";
import { makeSigner, signProgram } from "../../support/verify-signing.ts";

/** Beginning of a sequence with a length of two octets, as a certificate is one. */
const DER_SEQUENCE = Buffer.of(0x30, 0x82);

/** Runs what may only throw about bytes that are not what they should be. */
function survives(action: () => unknown): void {
	try {
		action();
	} catch (error) {
		new Findings().caught(error);
	}
}

describe("anything at all", () => {
	it("is no ISO, and that is all", async () => {
		await fc.assert(
			fc.asyncProperty(fc.uint8Array({ maxLength: 80_000 }), fc.boolean(), async (noise, looksLikeIso) => {
				const bytes = Buffer.from(noise);
				if (looksLikeIso && bytes.byteLength > 40_000) bytes.write("\x01CD001\x01", 32_768, "latin1");
				const report = await verifyIso(memorySource(bytes));
				expect(report.verdict).toBe("fail");
				expect(formatReport(report)).toContain("FAIL");
			}),
			{ seed: 4, numRuns: 60, examples: [[new Uint8Array(), false]] },
		);
	});

	it("is no EFI program and no signature", () => {
		const signer = makeSigner("Signer", 1);
		const signed = signProgram(kernelProgram(), signer);
		fc.assert(
			fc.property(fc.nat(signed.byteLength - 1), fc.uint8Array({ minLength: 1, maxLength: 8 }), (at, change) => {
				const damaged = Buffer.from(signed);
				damaged.set(change.subarray(0, damaged.byteLength - at), at);
				survives(() => {
					const program = readEfiProgram(damaged, "program");
					judge(program, firmwareTrust());
				});
			}),
			{ seed: 5, numRuns: 500 },
		);
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 3000 }), (noise) => {
				survives(() => readEfiProgram(noise, "program"));
				decodeSignature(readEfiProgram(grubProgram(), "program"), noise);
				for (const section of [noise, Buffer.concat([DER_SEQUENCE, noise])]) {
					const shim = readEfiProgram(shimProgram(section), "shim");
					shimTrust(sectionBytes(shim, ".vendor_cert") ?? noise, firmwareTrust());
				}
			}),
			{ seed: 6, numRuns: 200 },
		);
	});

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

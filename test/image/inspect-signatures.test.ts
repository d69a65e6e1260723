import { beforeAll, describe, expect, it } from "vitest";
import { decodeSignature } from "../../src/formats/pe/authenticode.ts";
import { commonNameOf, isIssuedBy, vendorLists } from "../../src/formats/pe/certificates.ts";
import { decodePe, type PeImage, sectionBytes } from "../../src/formats/pe/pe-image.ts";
import { FIXTURE_NEEDS } from "../support/fixture.ts";
import { type RealParts, realParts, unsigned } from "../support/inspect-matrix.ts";
import { requires } from "../support/requires.ts";
import { thinImage } from "../support/thin-image.ts";

const missing = requires(...FIXTURE_NEEDS);

function decoded(program: Uint8Array): PeImage {
	const image = decodePe(program);
	if (typeof image === "string") throw new Error(image);
	return image;
}

/** Number of signatures that were made by their signer and are of this program. */
function validSignatures(image: PeImage): number {
	return image.signatures
		.map((bytes) => decodeSignature(image, bytes))
		.filter((signature) => typeof signature !== "string" && signature.coversProgram && signature.isAuthentic).length;
}

describe.skipIf(missing !== undefined)("the distribution's signatures", () => {
	let parts: RealParts;
	beforeAll(async () => {
		parts = await realParts(await thinImage());
	});

	it("are valid, and lead from shim's certificate to GRUB, the MOK manager and the kernel", () => {
		const { authorized } = vendorLists(sectionBytes(decoded(parts.shim), ".vendor_cert") ?? new Uint8Array());
		const [vendor] = authorized.certificates;
		expect(commonNameOf(vendor?.subject ?? "")).toBe("Debian Secure Boot CA");
		expect(validSignatures(decoded(parts.shim))).toBe(decoded(parts.shim).signatures.length);
		for (const program of [parts.grub, parts.mokManager, parts.kernel]) {
			const image = decoded(program);
			expect(validSignatures(image)).toBe(1);
			const signature = decodeSignature(image, image.signatures[0] ?? new Uint8Array());
			if (typeof signature === "string" || vendor === undefined) throw new Error("not decoded");
			expect(isIssuedBy(signature.signer, vendor)).toBe(true);
			expect(isIssuedBy(vendor, signature.signer)).toBe(false);
		}
	});

	it("do not survive a change of any byte that they cover", () => {
		const end = unsigned(parts.mokManager).byteLength;
		const start = parts.mokManager.readUInt32LE(60);
		const notCovered = new Set(
			[start + 24 + 64, start + 24 + 112 + 32].flatMap((at, index) =>
				Array.from({ length: index === 0 ? 4 : 8 }, (_, i) => at + i),
			),
		);
		for (let i = 0; i < 150; i++) {
			const at = (i * 7919 * 31 + 3) % end;
			if (notCovered.has(at)) continue;
			const changed = Buffer.from(parts.mokManager);
			changed.writeUInt8(changed.readUInt8(at) ^ (1 << (i % 8)), at);
			const image = decodePe(changed);
			expect(typeof image === "string" ? 0 : validSignatures(image)).toBe(0);
		}
	});

	it("are read without fault however they are damaged, and never become another program's", () => {
		const image = decoded(parts.grub);
		const [signature = new Uint8Array()] = image.signatures;
		let stillValid = 0;
		for (let at = 0; at < signature.byteLength; at += 3) {
			const changed = Buffer.from(signature);
			changed.writeUInt8(changed.readUInt8(at) ^ 0x55, at);
			const result = decodeSignature(image, changed);
			if (typeof result !== "string" && result.coversProgram && result.isAuthentic) stillValid++;
			const other = decodeSignature(decoded(parts.mokManager), changed);
			expect(typeof other === "string" || !other.coversProgram).toBe(true);
		}
		// Versions, unsigned fields and the certificates' own signatures, which the authority's key checks.
		expect(stillValid).toBeLessThan((signature.byteLength / 3) * 0.8);
		expect(stillValid).toBeGreaterThan(0);
	}, 120_000);
});

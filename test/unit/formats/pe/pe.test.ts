import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeSignature } from "../../../../src/formats/pe/authenticode.ts";
import { vendorLists } from "../../../../src/formats/pe/certificates.ts";
import { derElement, derElements, objectIdentifierText } from "../../../../src/formats/pe/der.ts";
import { decodePe, type PeImage, sectionBytes } from "../../../../src/formats/pe/pe-image.ts";
import { machineName } from "../../../../src/formats/pe/pe-layout.ts";
import {
	automaticSbatLevels,
	latestSbatLevels,
	parseSbat,
	parseSbatLevels,
	revokedBy,
} from "../../../../src/formats/pe/sbat.ts";
import { kernelProgram, makeProgram } from "../../../support/verify-programs.ts";
import { makeSigner, signProgram, withSignatures } from "../../../support/verify-signing.ts";

const HEADERS = 1024;
const OPTIONAL_AT = 128 + 24;

/** A program with these sections and raw certificates. */
function program(sections: Readonly<Record<string, Buffer>>, certificates: readonly Buffer[] = []): Buffer {
	const plain = makeProgram(sections);
	return certificates.length === 0 ? plain : withSignatures(plain, ...certificates);
}

function decoded(bytes: Buffer): PeImage {
	const image = decodePe(bytes);
	if (typeof image === "string") throw new Error(image);
	return image;
}

const SBAT =
	"sbat,1,SBAT Version,sbat,1,https://x\ngrub,5,FSF,grub,2.06,https://x\ngrub.debian,4,Debian,grub2,2.06-13,https://x\n";

describe("PE images", () => {
	const image = decoded(
		program(
			{
				".text": Buffer.from("code"),
				".vendor_cert": Buffer.alloc(16),
				".uname": Buffer.from("6.1.0\0\0"),
				".sbat": Buffer.from(SBAT),
			},
			[Buffer.from("first"), Buffer.from("second one")],
		),
	);

	it("reads sections, with long names, and the certificates", () => {
		expect(machineName(image.machine)).toBe("x86_64");
		expect(image.sections.map(({ name }) => name)).toEqual([".text", ".vendor_cert", ".uname", ".sbat"]);
		expect(sectionBytes(image, ".none")).toBeUndefined();
		expect(image.signatures.map((bytes) => Buffer.from(bytes).toString())).toEqual(["first", "second one"]);
	});

	it("digests all but the checksum, the certificates and their directory entry", () => {
		const sections = { ".text": Buffer.from("code") };
		const plain = decoded(program(sections)).digest("sha256");
		const bytes = program(sections, [Buffer.from("signature")]);
		expect(decoded(bytes).digest("sha256")).toEqual(plain);
		bytes.writeUInt32LE(0x12345678, OPTIONAL_AT + 64);
		expect(decoded(bytes).digest("sha256")).toEqual(plain);
		bytes.writeUInt8(1, HEADERS);
		expect(decoded(bytes).digest("sha256")).not.toEqual(plain);
		const all = program(sections);
		const entry = OPTIONAL_AT + 112 + 32;
		const expected = createHash("sha256")
			.update(all.subarray(0, OPTIONAL_AT + 64))
			.update(all.subarray(OPTIONAL_AT + 68, entry))
			.update(all.subarray(entry + 8));
		expect(plain).toEqual(expected.digest());
	});

	it("digests no gap between sections", () => {
		const bytes = program({ ".text": Buffer.from("code"), ".gap": Buffer.from("hole"), ".data": Buffer.from("more") });
		bytes.writeUInt32LE(0, OPTIONAL_AT + 152 + 40 + 16);
		const entry = OPTIONAL_AT + 112 + 32;
		const expected = createHash("sha256")
			.update(bytes.subarray(0, OPTIONAL_AT + 64))
			.update(bytes.subarray(OPTIONAL_AT + 68, entry))
			.update(bytes.subarray(entry + 8, HEADERS))
			.update(bytes.subarray(HEADERS, HEADERS + 512))
			.update(bytes.subarray(HEADERS + 1024, HEADERS + 1536))
			// What follows is counted from the bytes hashed so far.
			.update(bytes.subarray(HEADERS + 1024));
		expect(decoded(bytes).digest("sha256")).toEqual(expected.digest());
	});

	it("digests all of a program whose layout is at fault", () => {
		const bytes = program({ ".text": Buffer.alloc(600) });
		bytes.writeUInt32LE(bytes.byteLength, OPTIONAL_AT + 60);
		const image = decoded(bytes);
		expect(image.faults).toEqual(["its sections lie over each other"]);
		const entry = OPTIONAL_AT + 112 + 32;
		const expected = createHash("sha256")
			.update(bytes.subarray(0, OPTIONAL_AT + 64))
			.update(bytes.subarray(OPTIONAL_AT + 68, entry))
			.update(bytes.subarray(entry + 8));
		expect(image.digest("sha256")).toEqual(expected.digest());
	});

	it("tells what firmware does not accept", () => {
		const sections = { ".text": Buffer.alloc(600), ".data": Buffer.alloc(600) };
		const faultsAfter = (change: (bytes: Buffer) => Buffer | number): readonly string[] => {
			const bytes = program(sections, [Buffer.from("signature")]);
			const changed = change(bytes);
			return decoded(typeof changed === "number" ? bytes : changed).faults;
		};
		expect(faultsAfter((bytes) => bytes)).toEqual([]);
		expect(faultsAfter((bytes) => bytes.writeUInt32LE(100, OPTIONAL_AT + 60))).toEqual(["its headers have 100 bytes"]);
		expect(faultsAfter((bytes) => bytes.writeUInt32LE(1536, OPTIONAL_AT + 152 + 16))).toEqual([
			"its sections lie over each other",
		]);
	});

	it.each([
		["text", Buffer.from("text"), "MZ"],
		["a DOS program", Buffer.concat([Buffer.from("MZ"), Buffer.alloc(200)]), "PE signature"],
		["a program cut short", program({ ".text": Buffer.alloc(600) }).subarray(0, 1200), "beyond its end"],
	])("says why %s is none", (_, bytes, words) => expect(decodePe(bytes)).toContain(words));
});

describe("signatures", () => {
	const signer = makeSigner("Signer", 1);
	const signed = signProgram(kernelProgram(), signer);
	const valid = (bytes: Buffer): boolean => {
		const image = decoded(bytes);
		const signature = decodeSignature(image, image.signatures[0] ?? new Uint8Array());
		return typeof signature !== "string" && signature.coversProgram && signature.isAuthentic;
	};

	it("hold over the program that was signed, and no other", () => {
		expect(valid(signed)).toBe(true);
		const changed = Buffer.from(signed);
		changed.writeUInt8(1, HEADERS + 5);
		expect(valid(changed)).toBe(false);
	});

	it("hold with the signer's key only, and with certificates that can be read", () => {
		const broken = Buffer.from(signed);
		const signature = decoded(broken).signatures[0] ?? new Uint8Array();
		const last = signed.byteLength - 1 - ((8 - (signature.byteLength % 8)) % 8);
		broken.writeUInt8(broken.readUInt8(last) ^ 1, last);
		expect(valid(broken)).toBe(false);
		const unreadable = Buffer.from(signed);
		const certificate = unreadable.indexOf(signer.certificate);
		unreadable.writeUInt8(0x04, certificate);
		const image = decoded(unreadable);
		expect(decodeSignature(image, image.signatures[0] ?? new Uint8Array())).toBe("a certificate in it cannot be read");
	});
});

describe("DER", () => {
	it("reads elements and object identifiers", () => {
		const bytes = Buffer.from("300906072a864886f70d01", "hex");
		const [outer] = derElements(bytes);
		expect(outer?.tag).toBe(0x30);
		expect(objectIdentifierText(Buffer.from("2a864886f70d010702", "hex"))).toBe("1.2.840.113549.1.7.2");
		expect(objectIdentifierText(Buffer.from("2b0e03021a", "hex"))).toBe("1.3.14.3.2.26");
		expect(objectIdentifierText(Buffer.from("608648016503040201", "hex"))).toBe("2.16.840.1.101.3.4.2.1");
	});

	it("gives no elements where one of them is malformed", () =>
		expect(derElements(Buffer.from("0201013005", "hex"))).toEqual([]));

	it("gives nothing for lengths that do not fit", () => {
		expect(derElement(Buffer.from("3005", "hex"))).toBeUndefined();
		expect(derElement(Buffer.from("3080", "hex"))).toBeUndefined();
		expect(derElement(Buffer.from("3085ffffffffff", "hex"))).toBeUndefined();
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
				const elements = derElements(bytes);
				expect(elements.reduce((sum, { whole }) => sum + whole.byteLength, 0)).toBeLessThanOrEqual(bytes.byteLength);
				expect(vendorLists(bytes).authorized.certificates).toEqual([]);
			}),
			{ seed: 6 },
		);
	});
});

describe("SBAT", () => {
	const entries = parseSbat(Buffer.from(SBAT));

	it("reads entries", () =>
		expect(entries.map(({ component, generation }) => [component, generation])).toEqual([
			["sbat", 1],
			["grub", 5],
			["grub.debian", 4],
		]));

	it("revokes what is below a level", () => {
		const levels = parseSbatLevels(Buffer.from("sbat,1,2025021800\nshim,4\ngrub,5\ngrub.debian,5\n"));
		expect(revokedBy(entries, levels).map(({ component }) => component)).toEqual(["grub.debian"]);
	});

	it("says which generation is asked for", () => {
		const [revoked] = revokedBy(parseSbat(Buffer.from("grub,3,GRUB\n")), parseSbatLevels(Buffer.from("grub,4\n")));
		expect(revoked).toMatchObject({ component: "grub", generation: 3, minimumGeneration: 4 });
	});

	it("reads the levels a shim carries", () => {
		const section = Buffer.concat([
			Buffer.from([0, 0, 0, 0, 8, 0, 0, 0, 28, 0, 0, 0]),
			Buffer.from("sbat,1,2024\ngrub,4\n\0sbat,1,2025\ngrub,5\n\0"),
		]);
		expect(automaticSbatLevels(section)).toEqual([
			{ component: "sbat", minimumGeneration: 1 },
			{ component: "grub", minimumGeneration: 4 },
		]);
		expect(latestSbatLevels(section)).toEqual([
			{ component: "sbat", minimumGeneration: 1 },
			{ component: "grub", minimumGeneration: 5 },
		]);
		expect(automaticSbatLevels(Buffer.alloc(4))).toEqual([]);
	});
});

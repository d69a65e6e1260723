import { X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { decodePe, type PeImage } from "../../../../src/formats/pe/pe-image.ts";
import { anchorOf, firmwareTrust, judge, shimTrust, type TrustStore } from "../../../../src/formats/pe/trust.ts";
import { grubProgram, shimProgram } from "../../../support/verify-programs.ts";
import {
	makeCertificate,
	makeSigner,
	type SignatureOptions,
	type Signer,
	signatureOf,
	signProgram,
	withSignatures,
} from "../../../support/verify-signing.ts";

const PROGRAM = grubProgram();
const root = makeSigner("Vendor Root", 1);
const between = makeSigner("Vendor Between", 2, root, { isAuthority: true });
const leaf = makeSigner("Vendor Leaf", 3, between);
const direct = makeSigner("Vendor Direct", 4, root);
const stranger = makeSigner("Stranger", 5);

function decoded(bytes: Buffer): PeImage {
	const image = decodePe(bytes);
	if (typeof image === "string") throw new Error(image);
	return image;
}

function trusting(...signers: readonly Signer[]): TrustStore {
	return firmwareTrust(signers.map(({ certificate }) => anchorOf(new X509Certificate(certificate))));
}

/** Why it is refused, or whose word it is believed by. */
function verdict(bytes: Buffer, store: TrustStore = trusting(root)): string {
	const result = judge(decoded(bytes), store);
	return result.isTrusted ? `trusted by ${result.anchors.join(", ")}` : result.why;
}

/** `struct cert_table` of shim, with what it believes and what it revokes. */
function vendorSection(authorized: Buffer, revoked: Buffer = Buffer.alloc(0)): Buffer {
	const table = Buffer.alloc(16);
	table.writeUInt32LE(authorized.byteLength, 0);
	table.writeUInt32LE(revoked.byteLength, 4);
	table.writeUInt32LE(16, 8);
	table.writeUInt32LE(16 + authorized.byteLength, 12);
	return Buffer.concat([table, authorized, revoked]);
}

const X509_LIST = "a159c0a5e494a74a87b5ab155c2bf072";
const SHA256_LIST = "2616c4c14c509240aca941f936934328";

function signatureList(type: string, ...data: readonly Buffer[]): Buffer {
	const entryBytes = 16 + (data[0]?.byteLength ?? 0);
	const head = Buffer.alloc(28);
	head.write(type, 0, "hex");
	head.writeUInt32LE(28 + entryBytes * data.length, 16);
	head.writeUInt32LE(entryBytes, 24);
	return Buffer.concat([head, ...data.flatMap((bytes) => [Buffer.alloc(16, 7), bytes])]);
}

describe("a signed program", () => {
	const chain = { certificates: [between.certificate, root.certificate] };

	it.each<[string, Signer, SignatureOptions, string]>([
		["under an authority", direct, {}, "trusted by Vendor Root"],
		["by the authority itself", root, {}, "trusted by Vendor Root"],
		["through another authority", leaf, chain, "trusted by Vendor Root"],
		["with SHA-384", direct, { algorithm: "sha384" }, "trusted by Vendor Root"],
		["without the certificate between", leaf, {}, "is signed by Vendor Leaf, which is not trusted by firmware"],
		["by a stranger", stranger, {}, "is signed by Stranger, which is not trusted by firmware"],
		["over another program", direct, { digestOf: grubProgram(9) }, "has a signature that does not fit it"],
		["with another key", direct, { key: stranger.key }, "has a signature that does not fit it"],
		[
			"with a wrong digest of the content",
			direct,
			{ messageDigest: Buffer.alloc(32) },
			"has a signature that does not fit it",
		],
		[
			"with another type of content",
			direct,
			{ contentType: "2a864886f70d010701" },
			"has a signature that does not fit it",
		],
		["by two signers", direct, { signers: 2 }, "has a signature that does not fit it"],
		["by no signer", direct, { signers: 0 }, "has a signature that does not fit it"],
		[
			"with another algorithm than stated",
			direct,
			{ statedAlgorithm: "sha384" },
			"has a signature that does not fit it",
		],
		[
			"among a crowd of certificates",
			direct,
			{ certificates: Array.from({ length: 40 }, () => root.certificate) },
			"has a signature that does not fit it",
		],
	])("%s", (_, signer, options, expected) => {
		expect(verdict(signProgram(PROGRAM, signer, options))).toBe(expected);
	});

	it("is not believed for its authority's name", () => {
		const double = makeSigner("Vendor Root", 1);
		const forged = makeSigner("Vendor Direct", 4, double);
		expect(verdict(signProgram(PROGRAM, forged, { certificates: [double.certificate] }))).toBe(
			'is signed by Vendor Direct, which is not trusted by firmware: "Vendor Root" is not the authority of that name, its key is another',
		);
		// The true certificate comes along, but did not sign.
		expect(verdict(signProgram(PROGRAM, forged, { certificates: [root.certificate] }))).toContain("not trusted");
	});

	it("is not believed through a certificate that may not sign others", () => {
		const signedByLeaf = makeSigner("Below a leaf", 6, direct);
		expect(verdict(signProgram(PROGRAM, signedByLeaf, { certificates: [direct.certificate] }))).toContain(
			"not trusted",
		);
		expect(verdict(signProgram(PROGRAM, signedByLeaf), trusting(direct))).toContain("not trusted");
	});

	it("is not believed with a key that firmware cannot use", () => {
		const ec = makeSigner("Elliptic", 7, root, { keyType: "ec" });
		expect(verdict(signProgram(PROGRAM, ec))).toBe(
			"is signed by Elliptic with a key that is not RSA, which firmware does not check",
		);
	});

	it("is not followed through more certificates than real ones have", () => {
		const namesakes = Array.from(
			{ length: 30 },
			() => makeSigner("Vendor Root", 1, undefined, { keyType: "ec" }).certificate,
		);
		const crowded = signatureOf(PROGRAM, makeSigner("Crowded", 8, stranger), { certificates: [stranger.certificate] });
		expect(verdict(withSignatures(PROGRAM, crowded))).toContain("which is not trusted by firmware");
		const other = makeSigner("Below", 9, makeSigner("Vendor Root", 1));
		const many = signatureOf(PROGRAM, other, { certificates: namesakes });
		expect(verdict(withSignatures(PROGRAM, many))).toContain("its key is another");
		expect(verdict(withSignatures(PROGRAM, ...Array.from({ length: 15 }, () => many)))).toBe(
			"has signatures with more certificates than are followed",
		);
	});

	it("needs one good signature of several", () => {
		const [good, other, broken] = [
			signatureOf(PROGRAM, direct),
			signatureOf(PROGRAM, stranger),
			signatureOf(PROGRAM, direct, { key: stranger.key }),
		];
		expect(verdict(withSignatures(PROGRAM, other, good))).toBe("trusted by Vendor Root");
		expect(verdict(withSignatures(PROGRAM, broken, good))).toBe("trusted by Vendor Root");
		expect(verdict(withSignatures(PROGRAM, Buffer.from("nonsense"), good))).toBe("trusted by Vendor Root");
		expect(verdict(withSignatures(PROGRAM, other, broken))).toContain("is signed by Stranger");
	});

	it("is refused when any byte that is covered changes, headers and what follows the sections too", () => {
		const signed = signProgram(PROGRAM, direct);
		const start = signed.readUInt32LE(60);
		for (const at of [2, start + 40, start + 96, 1024, 1500, PROGRAM.byteLength - 1]) {
			const changed = Buffer.from(signed);
			changed.writeUInt8(changed.readUInt8(at) ^ 4, at);
			const image = decodePe(changed);
			if (typeof image !== "string") expect([at, judge(image, trusting(root)).isTrusted]).toEqual([at, false]);
		}
	});

	it("is refused when its certificate table is not where and what firmware expects", () => {
		const signed = signProgram(PROGRAM, direct);
		const start = signed.readUInt32LE(60);
		const tableBytes = signed.readUInt32LE(start + 172);
		const faultAfter = (change: (bytes: Buffer) => unknown, base = signed): string => {
			const bytes = Buffer.from(base);
			change(bytes);
			const image = decodePe(bytes);
			return typeof image === "string" ? image : verdict(bytes);
		};
		expect(faultAfter(() => {}, Buffer.concat([signed, Buffer.alloc(16)]))).toContain("does not end the file");
		expect(faultAfter((bytes) => bytes.writeUInt32LE(tableBytes - 8, start + 172))).toContain("not accept");
		expect(faultAfter((bytes) => bytes.writeUInt32LE(tableBytes + 8, start + 172))).toContain("beyond its end");
		expect(faultAfter((bytes) => bytes.writeUInt32LE(0xffff_fff0, start + 168))).toContain("beyond its end");
		expect(faultAfter((bytes) => bytes.writeUInt32LE(7, PROGRAM.byteLength))).toContain("malformed");
		expect(faultAfter((bytes) => bytes.writeUInt32LE(tableBytes + 8, PROGRAM.byteLength))).toContain("malformed");
		expect(faultAfter((bytes) => bytes.writeUInt32LE(64, PROGRAM.byteLength))).toContain("malformed");
		expect(faultAfter((bytes) => bytes.writeUInt16LE(0x0ef1, PROGRAM.byteLength + 6))).toBe("is not signed");
		expect(faultAfter((bytes) => bytes.writeUInt32LE(0, start + 172))).toBe("is not signed");
	});
});

describe("firmware", () => {
	it("knows Microsoft's two authorities by key and fingerprint, and nobody by name", () => {
		const names = firmwareTrust().anchors.map(({ subject }) => subject);
		expect(names.map((name) => name.split("CN=")[1])).toEqual([
			"Microsoft Corporation UEFI CA 2011",
			"Microsoft UEFI CA 2023",
		]);
		for (const subject of names) {
			const rdns = subject.split("\n").map((part) => {
				const [type = "", value = ""] = part.split("=");
				const octets = { C: "550406", ST: "550408", L: "550407", O: "55040a", CN: "550403" }[type] ?? "";
				return set(seq(tlv(0x06, Buffer.from(octets, "hex")), tlv(0x0c, Buffer.from(value))));
			});
			const forged = makeCertificate(seq(...rdns), 1);
			expect(new X509Certificate(forged.certificate).subject).toBe(subject);
			const signer = makeSigner("Publisher", 2, forged);
			const bytes = signProgram(shimProgram(root.certificate), signer, { certificates: [forged.certificate] });
			expect(verdict(bytes, firmwareTrust())).toContain("is not the authority of that name, its key is another");
			expect(verdict(signProgram(shimProgram(root.certificate), forged), firmwareTrust())).toContain(
				"its key is another",
			);
		}
	});
});

describe("shim", () => {
	const section = (bytes: Buffer): TrustStore => shimTrust(vendorSection(bytes), firmwareTrust([]));

	it("believes its vendor's certificate, and the firmware's", () => {
		const signed = signProgram(PROGRAM, direct);
		expect(verdict(signed, section(root.certificate))).toBe("trusted by Vendor Root");
		expect(verdict(signed, section(stranger.certificate))).toContain("not trusted by shim (Stranger)");
		expect(verdict(signed, shimTrust(vendorSection(stranger.certificate), trusting(root)))).toBe(
			"trusted by Vendor Root",
		);
		expect(verdict(signed, shimTrust(Buffer.alloc(0), trusting(root)))).toBe("trusted by Vendor Root");
	});

	it("believes lists of certificates and of digests", () => {
		const digest = decoded(PROGRAM).digest("sha256");
		const lists = Buffer.concat([
			signatureList(X509_LIST, stranger.certificate),
			signatureList(X509_LIST, root.certificate),
			signatureList(SHA256_LIST, Buffer.alloc(32), Buffer.alloc(32, 1)),
		]);
		expect(verdict(signProgram(PROGRAM, direct), section(lists))).toBe("trusted by Vendor Root");
		const other = makeSigner("Other", 8);
		expect(verdict(signProgram(PROGRAM, other), section(lists))).toContain("not trusted");
		const listed = Buffer.concat([lists, signatureList(SHA256_LIST, Buffer.alloc(32), digest)]);
		expect(verdict(signProgram(PROGRAM, other), section(listed))).toBe("trusted by ");
		expect(verdict(signProgram(PROGRAM, direct), section(lists.subarray(0, 40)))).toContain("not trusted");
	});

	it("refuses what it revokes, but for a second signature of somebody else", () => {
		const revoke = (revoked: Buffer): TrustStore =>
			shimTrust(
				vendorSection(
					Buffer.concat([signatureList(X509_LIST, root.certificate), signatureList(X509_LIST, stranger.certificate)]),
					revoked,
				),
				firmwareTrust([]),
			);
		const certificate = revoke(signatureList(X509_LIST, direct.certificate));
		const digest = revoke(signatureList(SHA256_LIST, decoded(PROGRAM).digest("sha256")));
		const both = withSignatures(PROGRAM, signatureOf(PROGRAM, direct), signatureOf(PROGRAM, stranger));
		expect(verdict(signProgram(PROGRAM, direct), certificate)).toContain(
			"whom shim (Vendor Root, Stranger) lists as revoked",
		);
		expect(verdict(both, certificate)).toBe("trusted by Stranger");
		expect(verdict(both, digest)).toContain("is one that shim (Vendor Root, Stranger) lists as revoked");
	});

	it("computes SHA-256 only", () =>
		expect(verdict(signProgram(PROGRAM, direct, { algorithm: "sha384" }), section(root.certificate))).toContain(
			"is signed with SHA384, which shim (Vendor Root) does not check",
		));
});

function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
	const content = Buffer.concat(parts);
	return Buffer.concat([Buffer.of(tag, ...(content.byteLength < 128 ? [] : [0x81]), content.byteLength), content]);
}

function seq(...parts: readonly Buffer[]): Buffer {
	return tlv(0x30, ...parts);
}

function set(...parts: readonly Buffer[]): Buffer {
	return tlv(0x31, ...parts);
}

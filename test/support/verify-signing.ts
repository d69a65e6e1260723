import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { readEfiProgram } from "../../src/verify/efi-program.ts";

/** A key and a certificate for it. */
export interface Signer {
	readonly key: KeyObject;
	readonly certificate: Buffer;
	readonly issuer: Buffer;
	readonly serial: Buffer;
}

const OID = {
	sha256: "608648016503040201",
	rsaSha256: "2a864886f70d01010b",
	rsa: "2a864886f70d010101",
	commonName: "550403",
	signedData: "2a864886f70d010702",
	spcIndirectData: "2b060104018237020104",
	spcPeImageData: "2b06010401823702010f",
	contentType: "2a864886f70d010903",
	messageDigest: "2a864886f70d010904",
} as const;

/** Makes a certificate, signed by `issuer` or by itself. */
export function makeSigner(name: string, serialNumber: number, issuer?: Signer): Signer {
	const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
	const subject = seq(tlv(0x31, seq(oid(OID.commonName), tlv(0x0c, Buffer.from(name)))));
	const issuerName = issuer === undefined ? subject : subjectOf(issuer);
	const serial = tlv(0x02, Buffer.of(serialNumber));
	const validity = seq(tlv(0x17, Buffer.from("200101000000Z")), tlv(0x17, Buffer.from("400101000000Z")));
	const publicInfo = publicKey.export({ type: "spki", format: "der" });
	const algorithm = seq(oid(OID.rsaSha256), tlv(0x05));
	const tbs = seq(tlv(0xa0, tlv(0x02, Buffer.of(2))), serial, algorithm, issuerName, validity, subject, publicInfo);
	const signature = sign("sha256", tbs, issuer?.key ?? privateKey);
	const certificate = seq(tbs, algorithm, tlv(0x03, Buffer.of(0), signature));
	subjects.set(certificate, subject);
	return { key: privateKey, certificate, issuer: issuerName, serial };
}

const subjects = new WeakMap<Buffer, Buffer>();

function subjectOf({ certificate }: Signer): Buffer {
	const subject = subjects.get(certificate);
	if (subject === undefined) throw new Error("a certificate that was not made here");
	return subject;
}

/** `program` with an Authenticode signature at its end. Its length has to be a multiple of 8. */
export function signProgram(program: Buffer, signer: Signer): Buffer {
	const digest = readEfiProgram(program, "program").digest("sha256");
	const algorithm = seq(oid(OID.sha256), tlv(0x05));
	const content = Buffer.concat([seq(oid(OID.spcPeImageData)), seq(algorithm, tlv(0x04, digest))]);
	const attributes = Buffer.concat([
		seq(oid(OID.contentType), tlv(0x31, oid(OID.spcIndirectData))),
		seq(oid(OID.messageDigest), tlv(0x31, tlv(0x04, createHash("sha256").update(content).digest()))),
	]);
	const signerInfo = seq(
		tlv(0x02, Buffer.of(1)),
		seq(signer.issuer, signer.serial),
		algorithm,
		tlv(0xa0, attributes),
		seq(oid(OID.rsa), tlv(0x05)),
		tlv(0x04, sign("sha256", tlv(0x31, attributes), signer.key)),
	);
	const signedData = seq(
		tlv(0x02, Buffer.of(1)),
		tlv(0x31, algorithm),
		seq(oid(OID.spcIndirectData), tlv(0xa0, seq(content))),
		tlv(0xa0, signer.certificate),
		tlv(0x31, signerInfo),
	);
	const pkcs7 = seq(oid(OID.signedData), tlv(0xa0, signedData));
	const table = Buffer.alloc(Math.ceil((8 + pkcs7.byteLength) / 8) * 8);
	table.writeUInt32LE(8 + pkcs7.byteLength, 0);
	table.writeUInt16LE(0x0200, 4);
	table.writeUInt16LE(2, 6);
	table.set(pkcs7, 8);
	const signed = Buffer.concat([program, table]);
	const start = signed.readUInt32LE(60);
	signed.writeUInt32LE(program.byteLength, start + 168);
	signed.writeUInt32LE(table.byteLength, start + 172);
	return signed;
}

function tlv(tag: number, ...parts: readonly Uint8Array[]): Buffer {
	const content = Buffer.concat(parts);
	const { byteLength } = content;
	const length =
		byteLength < 0x80
			? Buffer.of(byteLength)
			: byteLength < 0x100
				? Buffer.of(0x81, byteLength)
				: Buffer.of(0x82, byteLength >> 8, byteLength & 0xff);
	return Buffer.concat([Buffer.of(tag), length, content]);
}

function seq(...parts: readonly Uint8Array[]): Buffer {
	return tlv(0x30, ...parts);
}

function oid(hex: string): Buffer {
	return tlv(0x06, Buffer.from(hex, "hex"));
}

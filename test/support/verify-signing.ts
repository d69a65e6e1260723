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
	sha384: "608648016503040202",
	ecdsaSha256: "2a8648ce3d040302",
	basicConstraints: "551d13",
	rsaSha256: "2a864886f70d01010b",
	rsa: "2a864886f70d010101",
	commonName: "550403",
	signedData: "2a864886f70d010702",
	spcIndirectData: "2b060104018237020104",
	spcPeImageData: "2b06010401823702010f",
	contentType: "2a864886f70d010903",
	messageDigest: "2a864886f70d010904",
} as const;

export interface SignerOptions {
	/** Default: certificates that sign themselves may sign others, the rest may not. */
	readonly isAuthority?: boolean;
	readonly keyType?: "rsa" | "ec";
}

/** Makes a certificate, signed by `issuer` or by itself. */
export function makeSigner(name: string, serialNumber: number, issuer?: Signer, options: SignerOptions = {}): Signer {
	const subject = seq(tlv(0x31, seq(oid(OID.commonName), tlv(0x0c, Buffer.from(name)))));
	return makeCertificate(subject, serialNumber, issuer, options);
}

/** Makes a certificate of any name, in DER. */
export function makeCertificate(
	subject: Buffer,
	serialNumber: number,
	issuer?: Signer,
	{ isAuthority = issuer === undefined, keyType = "rsa" }: SignerOptions = {},
): Signer {
	const { publicKey, privateKey } =
		keyType === "rsa"
			? generateKeyPairSync("rsa", { modulusLength: 2048 })
			: generateKeyPairSync("ec", { namedCurve: "P-256" });
	const issuerName = issuer === undefined ? subject : subjectOf(issuer);
	const serial = tlv(0x02, Buffer.of(serialNumber));
	// Long past: firmware does not look at dates.
	const validity = seq(tlv(0x17, Buffer.from("100101000000Z")), tlv(0x17, Buffer.from("200101000000Z")));
	const publicInfo = publicKey.export({ type: "spki", format: "der" });
	const algorithm =
		(issuer?.key ?? privateKey).asymmetricKeyType === "rsa"
			? seq(oid(OID.rsaSha256), tlv(0x05))
			: seq(oid(OID.ecdsaSha256));
	const constraints = seq(oid(OID.basicConstraints), tlv(0x04, seq(tlv(0x01, Buffer.of(0xff)))));
	const extensions = isAuthority ? [tlv(0xa3, seq(constraints))] : [];
	const version = tlv(0xa0, tlv(0x02, Buffer.of(2)));
	const tbs = seq(version, serial, algorithm, issuerName, validity, subject, publicInfo, ...extensions);
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

export interface SignatureOptions {
	readonly algorithm?: "sha256" | "sha384";
	/** What the signature is of, where it is not this program. */
	readonly digestOf?: Buffer;
	/** Certificates beside the signer's. */
	readonly certificates?: readonly Buffer[];
	/** A key that is not the certificate's. */
	readonly key?: KeyObject;
	readonly contentType?: string;
	readonly messageDigest?: Buffer;
	/** How often the signer information is there. */
	readonly signers?: number;
	/** What `SignedData.digestAlgorithms` states. */
	readonly statedAlgorithm?: "sha256" | "sha384";
}

/** Authenticode's PKCS #7 signature of a program. Its length has to be a multiple of 8. */
export function signatureOf(program: Buffer, signer: Signer, options: SignatureOptions = {}): Buffer {
	const { algorithm: name = "sha256", statedAlgorithm = name, signers = 1, certificates = [] } = options;
	const digest = readEfiProgram(options.digestOf ?? program, "program").digest(name);
	const algorithm = seq(oid(OID[name]), tlv(0x05));
	const content = Buffer.concat([seq(oid(OID.spcPeImageData)), seq(algorithm, tlv(0x04, digest))]);
	const messageDigest = options.messageDigest ?? createHash(name).update(content).digest();
	const attributes = Buffer.concat([
		seq(oid(OID.contentType), tlv(0x31, oid(options.contentType ?? OID.spcIndirectData))),
		seq(oid(OID.messageDigest), tlv(0x31, tlv(0x04, messageDigest))),
	]);
	const signerInfo = seq(
		tlv(0x02, Buffer.of(1)),
		seq(signer.issuer, signer.serial),
		algorithm,
		tlv(0xa0, attributes),
		seq(oid(OID.rsa), tlv(0x05)),
		tlv(0x04, sign(name, tlv(0x31, attributes), options.key ?? signer.key)),
	);
	const signedData = seq(
		tlv(0x02, Buffer.of(1)),
		tlv(0x31, seq(oid(OID[statedAlgorithm]), tlv(0x05))),
		seq(oid(OID.spcIndirectData), tlv(0xa0, seq(content))),
		tlv(0xa0, signer.certificate, ...certificates),
		tlv(0x31, ...Array.from({ length: signers }, () => signerInfo)),
	);
	return seq(oid(OID.signedData), tlv(0xa0, signedData));
}

/** `program` with these signatures at its end. */
export function withSignatures(program: Buffer, ...signatures: readonly Buffer[]): Buffer {
	const entries = signatures.map((pkcs7) => {
		const entry = Buffer.alloc(Math.ceil((8 + pkcs7.byteLength) / 8) * 8);
		entry.writeUInt32LE(8 + pkcs7.byteLength, 0);
		entry.writeUInt16LE(0x0200, 4);
		entry.writeUInt16LE(2, 6);
		entry.set(pkcs7, 8);
		return entry;
	});
	const table = Buffer.concat(entries);
	const signed = Buffer.concat([program, table]);
	const start = signed.readUInt32LE(60);
	signed.writeUInt32LE(program.byteLength, start + 168);
	signed.writeUInt32LE(table.byteLength, start + 172);
	return signed;
}

/** `program` with an Authenticode signature at its end. Its length has to be a multiple of 8. */
export function signProgram(program: Buffer, signer: Signer, options?: SignatureOptions): Buffer {
	return withSignatures(program, signatureOf(program, signer, options));
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

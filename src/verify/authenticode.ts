import { createHash, verify, X509Certificate } from "node:crypto";
import { corrupt } from "../errors.ts";
import { DER_TAG, type DerNode, derChildren, derFields, objectIdentifier, readDer } from "./der.ts";
import type { PeImage } from "./pe.ts";

/** One signature of an EFI program, and what of it holds. */
export interface AuthenticodeSignature {
	readonly signer: X509Certificate;
	/** All that the signature carries, the signer's among them. */
	readonly certificates: readonly X509Certificate[];
	/** The program's digest is the one that was signed. */
	readonly digestMatches: boolean;
	/** The signed attributes are over that digest, and the signer's key made the signature over them. */
	readonly signatureHolds: boolean;
}

const OID = {
	signedData: "1.2.840.113549.1.7.2",
	spcIndirectData: "1.3.6.1.4.1.311.2.1.4",
	messageDigest: "1.2.840.113549.1.9.4",
} as const;

const DIGESTS: Readonly<Record<string, "sha1" | "sha256" | "sha384" | "sha512">> = {
	"1.3.14.3.2.26": "sha1",
	"2.16.840.1.101.3.4.2.1": "sha256",
	"2.16.840.1.101.3.4.2.2": "sha384",
	"2.16.840.1.101.3.4.2.3": "sha512",
};

/** Reads and checks one PKCS #7 signature (RFC 2315, 9; Microsoft's Authenticode). Throws `Oci2isoError` BAD_DER or BAD_SIGNATURE. */
export function readAuthenticode(program: PeImage, pkcs7: Uint8Array): AuthenticodeSignature {
	const { sequence, set, objectIdentifier: oid, context0, integer, octetString } = DER_TAG;
	const [type, wrapper] = derFields(readDer(pkcs7), oid, context0);
	if (type === undefined || wrapper === undefined || objectIdentifier(type) !== OID.signedData)
		throw bad("it is no PKCS #7 signed data");
	const [signedData] = derFields(wrapper, sequence);
	if (signedData === undefined) throw bad("it is empty");
	const [, , contentInfo, ...rest] = derFields(signedData, integer, set, sequence);
	const [contentType, contentWrapper] = contentInfo === undefined ? [] : derFields(contentInfo, oid, context0);
	if (
		contentType === undefined ||
		contentWrapper === undefined ||
		objectIdentifier(contentType) !== OID.spcIndirectData
	)
		throw bad("it is not over an EFI program");
	const [content] = derFields(contentWrapper, sequence);
	const [, digestInfo] = content === undefined ? [] : derFields(content, sequence, sequence);
	const [digestAlgorithm, digest] = digestInfo === undefined ? [] : derFields(digestInfo, sequence, octetString);
	const certificateSet = rest.find(({ tag }) => tag === context0);
	const signerSet = rest.find(({ tag }) => tag === set);
	const [signerInfo] = signerSet === undefined ? [] : derFields(signerSet, sequence);
	if (content === undefined || digestAlgorithm === undefined || digest === undefined || signerInfo === undefined)
		throw bad("it has no digest or no signer");
	const certificates =
		certificateSet === undefined ? [] : derChildren(certificateSet).map(({ raw }) => certificate(raw));
	const [, issuerAndSerial, signerDigest, ...more] = derFields(signerInfo, integer, sequence, sequence);
	const attributes = more[0]?.tag === context0 ? more[0] : undefined;
	const signature = more.find(({ tag }) => tag === octetString);
	if (issuerAndSerial === undefined || signerDigest === undefined || signature === undefined)
		throw bad("its signer has no signature");
	const signer = certificates.find(({ raw }) => isNamedBy(raw, issuerAndSerial));
	if (signer === undefined) throw bad("the signer's certificate is not in it");
	return {
		signer,
		certificates,
		digestMatches: program.digest(digestOf(digestAlgorithm)).equals(digest.content),
		signatureHolds: holds(content, digestOf(signerDigest), attributes, signature.content, signer),
	};
}

function holds(
	content: DerNode,
	algorithm: string,
	attributes: DerNode | undefined,
	signature: Uint8Array,
	signer: X509Certificate,
): boolean {
	if (attributes === undefined) return isSignedBy(signer, algorithm, content.content, signature);
	const wanted = createHash(algorithm).update(content.content).digest();
	const stated = derChildren(attributes)
		.map((attribute) => derFields(attribute, DER_TAG.objectIdentifier, DER_TAG.set))
		.find(([type]) => type !== undefined && objectIdentifier(type) === OID.messageDigest)?.[1];
	const [value] = stated === undefined ? [] : derFields(stated, DER_TAG.octetString);
	if (value === undefined || !wanted.equals(value.content)) return false;
	// Signed as the SET that they are, not under the tag that they are stored with (RFC 2315, 9.3).
	const signed = Buffer.from(attributes.raw);
	signed[0] = DER_TAG.set;
	return isSignedBy(signer, algorithm, signed, signature);
}

function isSignedBy(signer: X509Certificate, algorithm: string, data: Uint8Array, signature: Uint8Array): boolean {
	try {
		return verify(algorithm, data, signer.publicKey, signature);
	} catch {
		return false; // a key of a kind that cannot have made it
	}
}

/** The certificate's issuer and serial number are these. */
function isNamedBy(raw: Uint8Array, issuerAndSerial: DerNode): boolean {
	const [issuer, serial] = derChildren(issuerAndSerial);
	const [tbs] = derChildren(readDer(raw));
	if (issuer === undefined || serial === undefined || tbs === undefined) return false;
	const fields = derChildren(tbs);
	const at = fields[0]?.tag === DER_TAG.context0 ? 1 : 0;
	const [ownSerial, ownIssuer] = [fields[at], fields[at + 2]];
	return (
		ownSerial !== undefined &&
		ownIssuer !== undefined &&
		Buffer.compare(ownSerial.raw, serial.raw) === 0 &&
		Buffer.compare(ownIssuer.raw, issuer.raw) === 0
	);
}

/** Throws `Oci2isoError` BAD_SIGNATURE. */
export function certificate(der: Uint8Array): X509Certificate {
	try {
		return new X509Certificate(der);
	} catch {
		throw bad("a certificate cannot be read");
	}
}

/** Whether `signer` is one of `trusted`, or issued by one directly or through the certificates that came along. */
export function isTrusted(
	signer: X509Certificate,
	along: readonly X509Certificate[],
	trusted: readonly X509Certificate[],
): boolean {
	let current = signer;
	for (let depth = 0; depth < 8; depth++) {
		const { fingerprint256 } = current;
		if (trusted.some((root) => root.fingerprint256 === fingerprint256 || issued(current, root))) return true;
		const next = along.find((other) => other.fingerprint256 !== fingerprint256 && issued(current, other));
		if (next === undefined) return false;
		current = next;
	}
	return false;
}

function issued(subject: X509Certificate, issuer: X509Certificate): boolean {
	try {
		return subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
	} catch {
		return false;
	}
}

function digestOf(algorithm: DerNode): "sha1" | "sha256" | "sha384" | "sha512" {
	const [oid] = derFields(algorithm, DER_TAG.objectIdentifier);
	const name = oid === undefined ? undefined : DIGESTS[objectIdentifier(oid)];
	if (name === undefined) throw bad("its digest is of an unknown kind");
	return name;
}

function bad(what: string) {
	return corrupt("BAD_SIGNATURE", `a signature cannot be used: ${what}`, undefined, "an Authenticode signature");
}

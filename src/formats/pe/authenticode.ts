import { createHash, verify, type X509Certificate } from "node:crypto";
import { decodeCertificate } from "./certificates.ts";
import { DER, type DerElement, derElement, derElements, objectIdentifierText } from "./der.ts";
import type { DigestAlgorithm, SignedProgram } from "./signed-program.ts";

const OID = {
	signedData: "1.2.840.113549.1.7.2",
	indirectData: "1.3.6.1.4.1.311.2.1.4",
	contentType: "1.2.840.113549.1.9.3",
	messageDigest: "1.2.840.113549.1.9.4",
} as const;

const DIGESTS: Readonly<Record<string, DigestAlgorithm>> = {
	"1.3.14.3.2.26": "sha1",
	"2.16.840.1.101.3.4.2.1": "sha256",
	"2.16.840.1.101.3.4.2.2": "sha384",
	"2.16.840.1.101.3.4.2.3": "sha512",
};

/** One signature of an EFI program (Windows Authenticode Portable Executable Signature Format). */
export interface AuthenticodeSignature {
	/** The signer's certificate. */
	readonly signer: X509Certificate;
	/** Every certificate that the signature carries, the signer's too. */
	readonly certificates: readonly X509Certificate[];
	readonly digestAlgorithm: DigestAlgorithm;
	/** The digest that was signed is that of the program as it is. */
	readonly coversProgram: boolean;
	/** The signer's key made the signature. */
	readonly isAuthentic: boolean;
}

/** Signatures carry the signer's certificate and those above it; more are nobody's. */
const MAX_CERTIFICATES = 32;

/** Each one digests the program. */
const known = new WeakMap<SignedProgram, readonly AuthenticodeSignature[]>();

/** The signatures that can be read, valid or not. */
export function signaturesOf(program: SignedProgram): readonly AuthenticodeSignature[] {
	const before = known.get(program);
	if (before !== undefined) return before;
	const signatures = program.signatures.flatMap((pkcs7) => {
		const signature = decodeSignature(program, pkcs7);
		return typeof signature === "string" ? [] : [signature];
	});
	known.set(program, signatures);
	return signatures;
}

/** Reads one of `SignedProgram.signatures`, or says in words why it is no signature that can be read. */
export function decodeSignature(
	image: Pick<SignedProgram, "digest">,
	pkcs7: Uint8Array,
): AuthenticodeSignature | string {
	// PKCS #7, 7: ContentInfo; 9.1: SignedData
	const [type, wrapped] = children(derElement(pkcs7), DER.sequence);
	if (oidOf(type) !== OID.signedData) return "it is not PKCS #7 signed data";
	const signedData = children(wrapped, DER.context0)[0];
	const [, algorithms, contentInfo, ...rest] = children(signedData, DER.sequence);
	const certificateBytes = children(
		rest.find(({ tag }) => tag === DER.context0),
		DER.context0,
	);
	if (certificateBytes.length > MAX_CERTIFICATES) return `it carries ${certificateBytes.length} certificates`;
	const certificates = certificateBytes.map(({ whole }) => decodeCertificate(whole));
	if (!certificates.every((certificate) => certificate !== undefined)) return "a certificate in it cannot be read";
	// Authenticode, "SignedData": one signer.
	const [signerInfo, ...others] = children(rest.at(-1), DER.set);
	if (others.length > 0) return `it has ${others.length + 1} signers`;
	const [contentType, content] = children(contentInfo, DER.sequence);
	if (oidOf(contentType) !== OID.indirectData) return "it does not sign a program";

	// Authenticode, "SpcIndirectDataContent": data, messageDigest
	const indirect = children(content, DER.context0)[0];
	const [, programDigest] = children(indirect, DER.sequence);
	const [programAlgorithm, digestOctets] = children(programDigest, DER.sequence);
	const digestAlgorithm = DIGESTS[oidOf(children(programAlgorithm, DER.sequence)[0]) ?? ""];
	if (indirect === undefined || digestAlgorithm === undefined || digestOctets === undefined)
		return "its digest algorithm is unknown";
	// EDK II takes the algorithm from here, and the digest from there.
	const stated = children(children(algorithms, DER.set)[0], DER.sequence)[0];
	if (DIGESTS[oidOf(stated) ?? ""] !== digestAlgorithm) return "it states another digest algorithm than it uses";

	// PKCS #7, 9.2: version, issuerAndSerialNumber, digestAlgorithm, authenticatedAttributes, encryption, encryptedDigest
	const parts = children(signerInfo, DER.sequence);
	const [issuer, serial] = children(parts[1], DER.sequence);
	const signer = certificates.find((certificate) => isNamed(certificate, issuer, serial));
	if (signer === undefined) return "it does not hold its signer's certificate";
	return {
		signer,
		certificates,
		digestAlgorithm,
		coversProgram: image.digest(digestAlgorithm).equals(digestOctets.content),
		isAuthentic: isAuthentic(parts, indirect.content, signer),
	};
}

function isAuthentic(parts: readonly DerElement[], signedContent: Uint8Array, signer: X509Certificate): boolean {
	const algorithm = DIGESTS[oidOf(children(parts[2], DER.sequence)[0]) ?? ""];
	const attributes = parts.find(({ tag }) => tag === DER.context0);
	const signature = parts.find(({ tag }) => tag === DER.octetString);
	if (algorithm === undefined || signature === undefined) return false;
	if (attributes === undefined) return isSignedBy(signer, algorithm, signedContent, signature.content);
	// PKCS #7, 9.2 and 9.3: both are there, and what is signed is the attributes as a SET OF.
	const list = derElements(attributes.content).map((attribute) => children(attribute, DER.sequence));
	const attribute = (wanted: string): DerElement | undefined =>
		children(list.find(([name]) => oidOf(name) === wanted)?.[1], DER.set)[0];
	if (oidOf(attribute(OID.contentType)) !== OID.indirectData) return false;
	const stated = attribute(OID.messageDigest);
	if (stated?.tag !== DER.octetString) return false;
	if (!createHash(algorithm).update(signedContent).digest().equals(stated.content)) return false;
	const signed = Buffer.from(attributes.whole);
	signed[0] = DER.set;
	return isSignedBy(signer, algorithm, signed, signature.content);
}

function isSignedBy(signer: X509Certificate, algorithm: string, data: Uint8Array, signature: Uint8Array): boolean {
	try {
		return verify(algorithm, data, signer.publicKey, signature);
	} catch {
		return false; // a key of a kind that cannot have made it
	}
}

/** PKCS #7, 6.7: a certificate is named by its issuer and serial number. */
function isNamed(
	certificate: X509Certificate,
	issuer: DerElement | undefined,
	serial: DerElement | undefined,
): boolean {
	// X.509: TBSCertificate is [version], serialNumber, signature, issuer, ...
	const tbs = children(children(derElement(certificate.raw), DER.sequence)[0], DER.sequence);
	const fields = tbs[0]?.tag === DER.context0 ? tbs.slice(1) : tbs;
	return isEqual(fields[0], serial) && isEqual(fields[2], issuer);
}

function isEqual(a: DerElement | undefined, b: DerElement | undefined): boolean {
	return a !== undefined && b !== undefined && Buffer.compare(a.whole, b.whole) === 0;
}

function children(element: DerElement | undefined, tag: number): DerElement[] {
	return element?.tag === tag ? derElements(element.content) : [];
}

function oidOf(element: DerElement | undefined): string | undefined {
	return element?.tag === DER.objectIdentifier ? objectIdentifierText(element.content) : undefined;
}

import { createPublicKey, type KeyObject, type X509Certificate } from "node:crypto";
import { type AuthenticodeSignature, signaturesOf } from "./authenticode.ts";
import { commonNameOf, isIssuedBy, vendorLists } from "./certificates.ts";
import type { DigestAlgorithm, SignedProgram } from "./signed-program.ts";

/** A key that is believed. Names prove nothing: it is known by its key, and by the fingerprint of its certificate. */
export interface TrustAnchor {
	/** The certificate's subject, as `X509Certificate.subject` has it. */
	readonly subject: string;
	/** SHA-256 of the certificate, 64 hexadecimal digits. */
	readonly fingerprint: string;
	readonly publicKey: KeyObject;
	/** It may sign other certificates (X.509's basic constraints). */
	readonly isAuthority: boolean;
}

/** What one verifier believes and what it refuses. */
export interface TrustStore {
	/** In words, for people. */
	readonly name: string;
	readonly anchors: readonly TrustAnchor[];
	readonly revokedAnchors: readonly TrustAnchor[];
	/** SHA-256 of programs that are believed, or refused, whoever signed them; hexadecimal. */
	readonly digests: ReadonlySet<string>;
	readonly revokedDigests: ReadonlySet<string>;
	/** Digests that it can check. */
	readonly algorithms: readonly DigestAlgorithm[];
}

type Judgement =
	| {
			readonly isTrusted: true;
			/** The anchors that its good signatures lead to, by common name. Empty where the program is believed by its digest. */
			readonly anchors: readonly string[];
	  }
	/** `why` follows the program's name: `is not signed`. */
	| { readonly isTrusted: false; readonly why: string };

/**
 * Microsoft's two authorities for boot loaders of others, in the `db` of firmwares that come with its keys. Subjects, keys and fingerprints are those of the
 * certificates in the signatures of Debian's signed shim (shim-signed 16.1), where both are; that of 2011 is in `db` of Debian's
 * OVMF_VARS_4M.ms.fd (ovmf 2022.11) too. A certificate begins with 30 82; `openssl x509 -inform DER -fingerprint -sha256` prints what is compared here.
 */
const MICROSOFT_AUTHORITIES: readonly TrustAnchor[] = [
	{
		subject: "C=US\nST=Washington\nL=Redmond\nO=Microsoft Corporation\nCN=Microsoft Corporation UEFI CA 2011",
		fingerprint: "48e99b991f57fc52f76149599bff0a58c47154229b9f8d603ac40d3500248507",
		publicKey: rsaKey(
			"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEApQhsTMdFCWpLDKTAh38GdQxDAVRk4BZ/B+2SfQuyc78MCsZKRWGgxRYtltP1K6D7TUmbQYCQ" +
				"PLlU/ea80Z3EpBiKf0GKXFmDaDK7jEfJ7nG8IU+ainz/RD+NjzKyJkiudbXuyUweShl+5IKaHXh3TQywvfYP0xbTvPorpVE4XfX7utt4Atv/7Aob" +
				"ltWDuBkT6bbAe0B74R8oJ8n671ZeHOZ+lH7A8ESyeTnl2rJii02/OHDiaCQUyTOkCDfVWGle03ztwQRTCOdOsCqHYwhhb2MVWeqyK3nXDGFnilv9" +
				"Xq2Hf7qGZ09xWBIiBCIizovvVHEAzlA1WHaVCO5qsaIB1QIDAQAB",
		),
		isAuthority: true,
	},
	{
		subject: "C=US\nO=Microsoft Corporation\nCN=Microsoft UEFI CA 2023",
		fingerprint: "f6124e34125bee3fe6d79a574eaa7b91c0e7bd9d929c1a321178efd611dad901",
		publicKey: rsaKey(
			"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvSIqru8aMYUTeFGnm/38eNFjuBqbY/USBttLQTVqb6v1agTMl8+71AgJGmE6DeazoEb/Ca3e" +
				"gCTcEoDyX9kW7eJCnc0vTWECYYocSx0YYjmGl3GtPn9dcRNL6SoAwb7VtwCfXmWyLBr/dO3qg9I5iTM1c32govpA5GZQWKr8h+hcIIM07KviC8Vf" +
				"Pv9IKxGRJu8YblfFnxhzme/hanQruy9/UI4d2j12tgTlzC4Qx4Mbg6PkpRMTcW4zeKOoPOxIJl7Hxl4Nh5qqzFU0ga2dkPXmlmOm6AcgF8iTHtKu" +
				"pNyufVm/iF5iDK5b8ilAVh0mQN6Fpq1W0c9VR3ZfnDnbAwIDAQAB",
		),
		isAuthority: true,
	},
];

/** Of certificates, for all signatures of a program: real ones need fewer than ten, and a key may be made to be slow. */
const MAX_VERIFICATIONS = 128;

const FIRMWARE_DIGESTS: readonly DigestAlgorithm[] = ["sha256", "sha384", "sha512"];

export function anchorOf(certificate: X509Certificate): TrustAnchor {
	return {
		subject: certificate.subject,
		fingerprint: fingerprintOf(certificate),
		publicKey: certificate.publicKey,
		isAuthority: certificate.ca,
	};
}

/** What firmware believes whose `db` holds these; absent: Microsoft's authorities for boot loaders of others. */
export function firmwareTrust(anchors: readonly TrustAnchor[] = MICROSOFT_AUTHORITIES): TrustStore {
	return {
		name: "firmware",
		anchors,
		revokedAnchors: [],
		digests: new Set(),
		revokedDigests: new Set(),
		algorithms: FIRMWARE_DIGESTS,
	};
}

/**
 * What a shim believes: the firmware's authorities and those in its section `.vendor_cert`, but for what it lists there as revoked. It computes
 * SHA-256 only (shim.c, `generate_hash`).
 */
export function shimTrust(vendorSection: Uint8Array, firmware: TrustStore): TrustStore {
	const { authorized, revoked } = vendorLists(vendorSection);
	const names = authorized.certificates.map(({ subject }) => commonNameOf(subject)).join(", ");
	return {
		name: names === "" ? "shim, which holds no certificate of its vendor" : `shim (${names})`,
		anchors: [...authorized.certificates.map(anchorOf), ...firmware.anchors],
		revokedAnchors: revoked.certificates.map(anchorOf),
		digests: authorized.digests,
		revokedDigests: revoked.digests,
		algorithms: ["sha256"],
	};
}

/**
 * Whether the verifier starts the program, as DxeImageVerificationLib (EDK II) and shim decide it: one good signature is enough, whatever the others
 * are; the dates of certificates do not count.
 */
export function judge(program: SignedProgram, store: TrustStore): Judgement {
	const not = (why: string): Judgement => ({ isTrusted: false, why });
	const [fault] = program.faults;
	if (fault !== undefined) return not(`is laid out as firmware does not accept it: ${fault}`);
	if (store.digests.size + store.revokedDigests.size > 0 && program.signatures.length > 0) {
		const digest = program.digest("sha256").toString("hex");
		if (store.revokedDigests.has(digest)) return not(`is one that ${store.name} lists as revoked`);
		if (store.digests.has(digest)) return { isTrusted: true, anchors: [] };
	}
	if (program.signatures.length === 0) return not("is not signed");
	const signatures = signaturesOf(program);
	const valid = signatures.filter(({ coversProgram, isAuthentic }) => coversProgram && isAuthentic);
	if (valid.length === 0) return not("has a signature that does not fit it");
	const problems: string[] = [];
	const anchors: string[] = [];
	const budget: Budget = { verificationsLeft: MAX_VERIFICATIONS };
	for (const signature of valid) {
		const signer = commonNameOf(signature.signer.subject);
		const chain = certificatesAbove(signature, budget);
		const anchor = chainEnd(chain, store.anchors, budget);
		const revoked = chainEnd(chain, store.revokedAnchors, budget);
		if (budget.verificationsLeft < 0) return not("has signatures with more certificates than are followed");
		if (!store.algorithms.some((algorithm) => algorithm === signature.digestAlgorithm))
			problems.push(`is signed with ${signature.digestAlgorithm.toUpperCase()}, which ${store.name} does not check`);
		else if (signature.signer.publicKey.asymmetricKeyType !== "rsa")
			problems.push(`is signed by ${signer} with a key that is not RSA, which ${store.name} does not check`);
		else if (revoked !== undefined) problems.push(`is signed by ${signer}, whom ${store.name} lists as revoked`);
		else if (anchor === undefined) problems.push(unknownSigner(signature, store));
		else anchors.push(commonNameOf(anchor.subject));
	}
	return anchors.length > 0 ? { isTrusted: true, anchors } : not(problems.join(", and "));
}

function unknownSigner({ signer, certificates }: AuthenticodeSignature, store: TrustStore): string {
	const impostor = [signer.issuer, ...certificates.map(({ subject }) => subject)].find((name) =>
		store.anchors.some(({ subject }) => subject === name || commonNameOf(subject) === commonNameOf(name)),
	);
	const by = `is signed by ${commonNameOf(signer.subject)}, which is not trusted by ${store.name}`;
	return impostor === undefined
		? by
		: `${by}: "${commonNameOf(impostor)}" is not the authority of that name, its key is another`;
}

interface Budget {
	verificationsLeft: number;
}

/** The signer, and those that certified it, directly or through others that the signature carries. */
function certificatesAbove({ signer, certificates }: AuthenticodeSignature, budget: Budget): Set<X509Certificate> {
	const reached = new Set([signer]);
	for (const certificate of reached)
		for (const next of certificates) {
			if (reached.has(next) || certificate.issuer !== next.subject || !next.ca) continue;
			if (--budget.verificationsLeft < 0) return reached;
			if (isIssuedBy(certificate, next)) reached.add(next);
		}
	return reached;
}

/** The anchor that one of them is, or that certified one of them. */
function chainEnd(
	chain: ReadonlySet<X509Certificate>,
	anchors: readonly TrustAnchor[],
	budget: Budget,
): TrustAnchor | undefined {
	for (const certificate of chain)
		for (const anchor of anchors) {
			if (isAnchor(certificate, anchor)) return anchor;
			if (!anchor.isAuthority || certificate.issuer !== anchor.subject) continue;
			if (--budget.verificationsLeft < 0) return undefined;
			if (isCertifiedBy(certificate, anchor)) return anchor;
		}
	return undefined;
}

function isAnchor(certificate: X509Certificate, { fingerprint }: TrustAnchor): boolean {
	return fingerprintOf(certificate) === fingerprint;
}

function isCertifiedBy(certificate: X509Certificate, { publicKey }: TrustAnchor): boolean {
	try {
		return certificate.verify(publicKey);
	} catch {
		return false; // a key of a kind that cannot have signed it
	}
}

function fingerprintOf({ fingerprint256 }: X509Certificate): string {
	return fingerprint256.replaceAll(":", "").toLowerCase();
}

function rsaKey(spki: string): KeyObject {
	return createPublicKey({ key: Buffer.from(spki, "base64"), type: "spki", format: "der" });
}

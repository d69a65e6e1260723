import type { X509Certificate } from "node:crypto";
import { isTrusted, readAuthenticode } from "./authenticode.ts";
import type { Findings } from "./findings.ts";
import { type PeImage, readPe } from "./pe.ts";
import { programSbat, revoked, shimSbatLevels } from "./sbat.ts";
import { shimCertificates } from "./shim-certificates.ts";
import { DEFAULT_LOADER, SHIM_CERTIFICATES } from "./uefi-walk.ts";

/** An EFI program that Secure Boot asks about. */
export interface SecureBootProgram {
	readonly path: string;
	readonly bytes: Uint8Array;
}

/**
 * Signatures: each program carries one over its own digest, made with the key of the certificate that comes along; what shim starts is
 * signed under shim's own certificate; no program is revoked by the SBAT levels that shim brings. Not checked: the firmware's keys,
 * the machine owner's keys and revocation lists, which are in the machine.
 */
export function checkSecureBoot(programs: readonly SecureBootProgram[], findings: Findings): void {
	const images = new Map<string, PeImage>();
	for (const { path, bytes } of programs) {
		try {
			images.set(path, readPe(bytes, path));
		} catch (error) {
			findings.caught(error);
		}
	}
	const loader = images.get(`/${DEFAULT_LOADER}`);
	const shim = loader?.sections.some(({ name }) => name === SHIM_CERTIFICATES) === true ? loader : undefined;
	const trusted = shim === undefined ? [] : shimCertificates(shim);
	if (shim !== undefined && trusted.length === 0) findings.note("shim brings no certificate of its own");
	for (const [path, image] of images) {
		try {
			checkSignatures(path, image, image === loader ? undefined : trusted, findings);
		} catch (error) {
			findings.caught(error);
		}
	}
	if (shim !== undefined) checkSbat(shim, images, findings);
	findings.note("the firmware's own keys and revocation lists were not consulted");
	findings.detail = trusted.map(({ subject }) => `shim trusts ${commonName(subject)}`).join(", ");
}

function checkSignatures(
	path: string,
	image: PeImage,
	trusted: readonly X509Certificate[] | undefined,
	findings: Findings,
): void {
	if (image.signatures.length === 0) {
		findings.fault("it is not signed", path, "an Authenticode signature");
		return;
	}
	const signatures = image.signatures.map((pkcs7) => readAuthenticode(image, pkcs7));
	for (const { digestMatches, signatureHolds } of signatures) {
		if (!digestMatches) findings.fault("it is not what was signed", path, "the signed digest");
		if (!signatureHolds) findings.fault("its signature is broken", path, "one made by the signer's key");
	}
	if (trusted === undefined) {
		const issuers = signatures.map(({ signer }) => commonName(signer.issuer)).join(", ");
		findings.note(`signed under ${issuers}, which the firmware has to know`, path);
	} else if (
		trusted.length > 0 &&
		!signatures.some(({ signer, certificates }) => isTrusted(signer, certificates, trusted))
	) {
		const signers = signatures.map(({ signer }) => commonName(signer.subject)).join(", ");
		const names = trusted.map(({ subject }) => commonName(subject)).join(", ");
		findings.fault(`it is signed by ${signers}, which shim does not trust`, path, `a signer under ${names}`);
	}
}

function checkSbat(shim: PeImage, images: ReadonlyMap<string, PeImage>, findings: Findings): void {
	const [applied, latest] = shimSbatLevels(shim);
	if (applied === undefined) {
		findings.note("shim brings no SBAT levels");
		return;
	}
	for (const [path, image] of images) {
		const own = programSbat(image);
		if (own === undefined) {
			findings.note("it has no SBAT section", path);
			continue;
		}
		const faults = revoked(own, applied);
		if (faults.length > 0)
			findings.fault(`shim refuses it: ${faults.join(", ")}`, path, "generations that are not revoked");
		const later = latest === undefined ? [] : revoked(own, latest);
		if (faults.length === 0 && later.length > 0)
			findings.note(`refused where the latest revocations are in force: ${later.join(", ")}`, path);
	}
}

function commonName(subject: string): string {
	return /^CN=(.*)$/m.exec(subject)?.[1] ?? subject.replaceAll("\n", ", ");
}

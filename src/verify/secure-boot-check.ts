import type { X509Certificate } from "node:crypto";
import { commonNameOf } from "../pe/certificates.ts";
import { type PeImage, sectionBytes } from "../pe/pe-image.ts";
import {
	automaticSbatLevels,
	latestSbatLevels,
	parseSbat,
	revokedBy,
	type SbatEntry,
	type SbatLevel,
} from "../pe/sbat.ts";
import { isShim, isTrusted, readEfiProgram, readSignature, shimCertificates } from "./efi-program.ts";
import type { Findings } from "./findings.ts";
import { DEFAULT_LOADER } from "./uefi-walk.ts";

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
			images.set(path, readEfiProgram(bytes, path));
		} catch (error) {
			findings.caught(error);
		}
	}
	const loader = images.get(`/${DEFAULT_LOADER}`);
	const shim = loader !== undefined && isShim(loader) ? loader : undefined;
	const trusted = shim === undefined ? [] : shimCertificates(shim, `/${DEFAULT_LOADER}`);
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
	findings.detail = trusted.map(({ subject }) => `shim trusts ${commonNameOf(subject)}`).join(", ");
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
	const signatures = image.signatures.map((pkcs7) => readSignature(image, pkcs7, path));
	for (const { coversProgram, isAuthentic } of signatures) {
		if (!coversProgram) findings.fault("it is not what was signed", path, "the signed digest");
		if (!isAuthentic) findings.fault("its signature is broken", path, "one made by the signer's key");
	}
	if (trusted === undefined) {
		const issuers = signatures.map(({ signer }) => commonNameOf(signer.issuer)).join(", ");
		findings.note(`signed under ${issuers}, which the firmware has to know`, path);
	} else if (trusted.length > 0 && !signatures.some((signature) => isTrusted(signature, trusted))) {
		const signers = signatures.map(({ signer }) => commonNameOf(signer.subject)).join(", ");
		const names = trusted.map(({ subject }) => commonNameOf(subject)).join(", ");
		findings.fault(`it is signed by ${signers}, which shim does not trust`, path, `a signer under ${names}`);
	}
}

function checkSbat(shim: PeImage, images: ReadonlyMap<string, PeImage>, findings: Findings): void {
	const section = sectionBytes(shim, ".sbatlevel") ?? new Uint8Array();
	const applied = automaticSbatLevels(section);
	if (applied.length === 0) {
		findings.note("shim brings no SBAT levels");
		return;
	}
	for (const [path, image] of images) {
		const own = sectionBytes(image, ".sbat");
		if (own === undefined) {
			findings.note("it has no SBAT section", path);
			continue;
		}
		const faults = revoked(parseSbat(own), applied);
		if (faults.length > 0)
			findings.fault(`shim refuses it: ${faults.join(", ")}`, path, "generations that are not revoked");
		const later = revoked(parseSbat(own), latestSbatLevels(section));
		if (faults.length === 0 && later.length > 0)
			findings.note(`refused where the latest revocations are in force: ${later.join(", ")}`, path);
	}
}

/** Components that are below the levels, as `grub 3 < 4`. */
function revoked(entries: readonly SbatEntry[], levels: readonly SbatLevel[]): string[] {
	return revokedBy(entries, levels).map(
		({ component, generation, minimumGeneration }) => `${component} ${generation} < ${minimumGeneration}`,
	);
}

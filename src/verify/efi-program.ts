import type { X509Certificate } from "node:crypto";
import { corrupt, type Oci2isoError } from "../errors.ts";
import { type AuthenticodeSignature, decodeSignature } from "../pe/authenticode.ts";
import { decodeCertificate, isIssuedBy, vendorCertificateBytes } from "../pe/certificates.ts";
import { decodePe, type PeImage, sectionBytes } from "../pe/pe-image.ts";

const EFI_APPLICATION = 10;
const MAX_CHAIN_CERTIFICATES = 8;
const SHIM_CERTIFICATES = ".vendor_cert";

/** Reads a PE32+ EFI application that firmware can digest. Throws `Oci2isoError` BAD_PE. */
export function readEfiProgram(bytes: Uint8Array, where: string): PeImage {
	const program = decodePe(bytes);
	const bad = (what: string, expected: string): Oci2isoError => corrupt("BAD_PE", what, where, expected);
	if (typeof program === "string") throw bad(`it is no 64-bit EFI program: ${program}`, "PE32+");
	if (program.subsystem !== EFI_APPLICATION)
		throw bad(`it has subsystem ${program.subsystem}`, "10, an EFI application");
	const [fault] = program.faults;
	if (fault !== undefined) throw bad(fault, "a program that firmware can digest");
	return program;
}

/** Reads one of the program's signatures. Throws `Oci2isoError` BAD_SIGNATURE. */
export function readSignature(program: PeImage, pkcs7: Uint8Array, where: string): AuthenticodeSignature {
	const signature = decodeSignature(program, pkcs7);
	if (typeof signature === "string") throw badSignature(signature, where, "an Authenticode signature");
	return signature;
}

export function isShim(program: PeImage): boolean {
	return sectionBytes(program, SHIM_CERTIFICATES) !== undefined;
}

/** The certificates whose signatures a shim accepts by itself. Throws `Oci2isoError` BAD_SIGNATURE. */
export function shimCertificates(shim: PeImage, where: string): X509Certificate[] {
	return vendorCertificateBytes(sectionBytes(shim, SHIM_CERTIFICATES) ?? new Uint8Array()).map((der) => {
		const certificate = decodeCertificate(der);
		if (certificate === undefined) throw badSignature("shim's own certificate cannot be read", where, "X.509");
		return certificate;
	});
}

/** Whether the signer is one of `trusted`, or issued by one directly or through the certificates that came along. */
export function isTrusted(
	{ signer, certificates }: AuthenticodeSignature,
	trusted: readonly X509Certificate[],
): boolean {
	let current = signer;
	for (let depth = 0; depth < MAX_CHAIN_CERTIFICATES; depth++) {
		const subject = current;
		if (trusted.some((root) => isIssuedBy(subject, root))) return true;
		const next = certificates.find((other) => !other.raw.equals(subject.raw) && isIssuedBy(subject, other));
		if (next === undefined) return false;
		current = next;
	}
	return false;
}

function badSignature(what: string, where: string, expected: string): Oci2isoError {
	return corrupt("BAD_SIGNATURE", `a signature cannot be used: ${what}`, where, expected);
}

import { X509Certificate } from "node:crypto";
import { from0, record } from "../binary/record.ts";

/** The certificate of X.509 DER bytes, or undefined where they are none. */
export function decodeCertificate(der: Uint8Array): X509Certificate | undefined {
	try {
		return new X509Certificate(der);
	} catch {
		return undefined;
	}
}

/** What people know a certificate by: its subject's common name, or the whole name on one line. */
export function commonNameOf(name: string): string {
	const line = name.split("\n").find((part) => part.startsWith("CN="));
	return line === undefined ? name.replaceAll("\n", ", ") : line.slice(3);
}

/** Whether `authority` is the certificate or has signed it. */
export function isIssuedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
	if (certificate.raw.equals(authority.raw)) return true;
	try {
		return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
	} catch {
		return false;
	}
}

/** `struct cert_table` at the start of shim's section `.vendor_cert` (shim's cert.S): sizes, and offsets from its start. */
const vendorTable = record("shim's vendor certificate table", 16, {
	authorizedBytes: from0.u32le(0),
	revokedBytes: from0.u32le(4),
	authorizedOffset: from0.u32le(8),
	revokedOffset: from0.u32le(12),
});

/** UEFI 32.4.1: EFI_SIGNATURE_LIST. */
const signatureList = record("EFI_SIGNATURE_LIST", 28, {
	type: from0.bytes(0, 16),
	listBytes: from0.u32le(16),
	headerBytes: from0.u32le(20),
	signatureBytes: from0.u32le(24),
});

/** EFI_CERT_X509_GUID, a5c059a1-94e4-4aa7-87b5-ab155c2bf072, as it is stored. */
const X509_TYPE = Buffer.from("a159c0a5e494a74a87b5ab155c2bf072", "hex");
const OWNER_BYTES = 16;
const MAX_CERTIFICATES = 64;

/** The certificates that a shim trusts beside the firmware's, those that can be read. */
export function vendorCertificates(section: Uint8Array): X509Certificate[] {
	return vendorCertificateBytes(section).flatMap((der) => decodeCertificate(der) ?? []);
}

/** What a shim's section `.vendor_cert` holds as certificates: one, or EFI signature lists of several. */
export function vendorCertificateBytes(section: Uint8Array): Uint8Array[] {
	if (section.byteLength < vendorTable.byteLength) return [];
	const { authorizedBytes, authorizedOffset } = vendorTable.decode(section);
	if (authorizedBytes === 0 || authorizedOffset + authorizedBytes > section.byteLength) return [];
	const authorized = section.subarray(authorizedOffset, authorizedOffset + authorizedBytes);
	// A DER sequence with a length of two octets, as every certificate is; no list's type begins so.
	return authorized[0] === 0x30 && authorized[1] === 0x82 ? [authorized] : certificatesOfLists(authorized);
}

function certificatesOfLists(bytes: Uint8Array): Uint8Array[] {
	const found: Uint8Array[] = [];
	let at = 0;
	while (at + signatureList.byteLength <= bytes.byteLength && found.length < MAX_CERTIFICATES) {
		const { type, listBytes, headerBytes, signatureBytes } = signatureList.decode(bytes, at);
		const end = at + listBytes;
		if (listBytes < signatureList.byteLength || signatureBytes <= OWNER_BYTES || end > bytes.byteLength) break;
		const first = at + signatureList.byteLength + headerBytes;
		for (let entry = first; entry + signatureBytes <= end && found.length < MAX_CERTIFICATES; entry += signatureBytes) {
			if (!X509_TYPE.equals(type)) break;
			found.push(bytes.subarray(entry + OWNER_BYTES, entry + signatureBytes));
		}
		at = end;
	}
	return found;
}

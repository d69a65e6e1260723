import { X509Certificate } from "node:crypto";
import { from0, record } from "../../binary/record.ts";

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

/** UEFI 32.4.1: EFI_CERT_X509_GUID a5c059a1-94e4-4aa7-87b5-ab155c2bf072 and EFI_CERT_SHA256_GUID c1c41626-504c-4092-aca9-41f936934328, as stored. */
const X509_TYPE = "a159c0a5e494a74a87b5ab155c2bf072";
const SHA256_TYPE = "2616c4c14c509240aca941f936934328";
const OWNER_BYTES = 16;
const MAX_CERTIFICATES = 64;
const MAX_DIGESTS = 65_536;

/** Certificates, and SHA-256 digests of programs in hexadecimal. */
interface SignatureLists {
	/** Those that can be read. */
	readonly certificates: readonly X509Certificate[];
	readonly digests: ReadonlySet<string>;
	/** How many certificates cannot be read. */
	readonly unreadable: number;
}

/** What a shim believes beside the firmware, and what it refuses: its section `.vendor_cert`. */
export function vendorLists(section: Uint8Array): Readonly<Record<"authorized" | "revoked", SignatureLists>> {
	if (section.byteLength < vendorTable.byteLength) return { authorized: readLists(), revoked: readLists() };
	const { authorizedBytes, authorizedOffset, revokedBytes, revokedOffset } = vendorTable.decode(section);
	return {
		authorized: readLists(section.subarray(authorizedOffset, authorizedOffset + authorizedBytes), authorizedBytes),
		revoked: readLists(section.subarray(revokedOffset, revokedOffset + revokedBytes), revokedBytes),
	};
}

/** One certificate, or EFI signature lists; nothing where it is not `byteLength` bytes long. */
function readLists(bytes: Uint8Array = new Uint8Array(), byteLength = 0): SignatureLists {
	const found: Uint8Array[] = [];
	const digests = new Set<string>();
	if (bytes.byteLength === byteLength) {
		// A DER sequence with a length of two octets, as every certificate is; no list's type begins so.
		if (bytes[0] === 0x30 && bytes[1] === 0x82) found.push(bytes);
		else readSignatureLists(bytes, found, digests);
	}
	const certificates = found.flatMap((der) => decodeCertificate(der) ?? []);
	return { certificates, digests, unreadable: found.length - certificates.length };
}

function readSignatureLists(bytes: Uint8Array, certificates: Uint8Array[], digests: Set<string>): void {
	let at = 0;
	while (at + signatureList.byteLength <= bytes.byteLength) {
		const { type, listBytes, headerBytes, signatureBytes } = signatureList.decode(bytes, at);
		const end = at + listBytes;
		if (listBytes < signatureList.byteLength || signatureBytes <= OWNER_BYTES || end > bytes.byteLength) break;
		const kind = Buffer.from(type).toString("hex");
		const first = at + signatureList.byteLength + headerBytes;
		for (let entry = first; entry + signatureBytes <= end; entry += signatureBytes) {
			const data = bytes.subarray(entry + OWNER_BYTES, entry + signatureBytes);
			if (kind === X509_TYPE && certificates.length < MAX_CERTIFICATES) certificates.push(data);
			else if (kind === SHA256_TYPE && digests.size < MAX_DIGESTS) digests.add(Buffer.from(data).toString("hex"));
			else break;
		}
		at = end;
	}
}

import type { X509Certificate } from "node:crypto";
import { from0, record } from "../binary/record.ts";
import { decodeGuid } from "../gpt/guid.ts";
import { certificate } from "./authenticode.ts";
import type { PeImage } from "./pe.ts";
import { SHIM_CERTIFICATES } from "./uefi-walk.ts";

/** shim's `cert.S`: sizes, then offsets from the table's beginning. */
const certificateTable = record("shim's certificate table", 16, {
	authorizedBytes: from0.u32le(0),
	authorizedOffset: from0.u32le(8),
});

/** UEFI 32.4.1, EFI_SIGNATURE_LIST: type GUID, then list, header and entry sizes; entries begin with the owner's GUID. */
const signatureList = record("EFI signature list", 28, {
	listBytes: from0.u32le(16),
	headerBytes: from0.u32le(20),
	entryBytes: from0.u32le(24),
});
const X509_TYPE = "a5c059a1-94e4-4aa7-87b5-ab155c2bf072";
const OWNER_BYTES = 16;

/** The certificates whose signatures a shim accepts by itself: one, or a list. Throws `Oci2isoError` BAD_SIGNATURE. */
export function shimCertificates(shim: PeImage): X509Certificate[] {
	const table = shim.sections.find(({ name }) => name === SHIM_CERTIFICATES)?.bytes;
	if (table === undefined || table.byteLength < certificateTable.byteLength) return [];
	const { authorizedBytes, authorizedOffset } = certificateTable.decode(table);
	if (authorizedBytes === 0 || authorizedOffset + authorizedBytes > table.byteLength) return [];
	const authorized = table.subarray(authorizedOffset, authorizedOffset + authorizedBytes);
	return authorized[0] === 0x30 && authorized[1] === 0x82 ? [certificate(authorized)] : listed(authorized);
}

function listed(bytes: Uint8Array): X509Certificate[] {
	const found: X509Certificate[] = [];
	for (let at = 0; at + signatureList.byteLength <= bytes.byteLength; ) {
		const { listBytes, headerBytes, entryBytes } = signatureList.decode(bytes, at);
		const end = at + listBytes;
		if (listBytes < signatureList.byteLength || end > bytes.byteLength || entryBytes <= OWNER_BYTES) break;
		const isX509 = decodeGuid(bytes.subarray(at, at + 16)) === X509_TYPE;
		for (let entry = at + signatureList.byteLength + headerBytes; entry + entryBytes <= end; entry += entryBytes)
			if (isX509) found.push(certificate(bytes.subarray(entry + OWNER_BYTES, entry + entryBytes)));
		at = end;
	}
	return found;
}

import { displayName } from "../binary/byte-string.ts";
import { sbatOf } from "../boot/secure-boot.ts";
import { signaturesOf } from "../formats/pe/authenticode.ts";
import { commonNameOf } from "../formats/pe/certificates.ts";
import type { SbatEntry } from "../formats/pe/sbat.ts";
import type { EfiPart } from "./boot-parts.ts";

/** An EFI program, as the report has it. */
export interface InspectedEfiProgram {
	readonly path: string;
	readonly byteLength: number;
	/** Of its signatures that can be read, whoever made them; empty where it has none. */
	readonly signers: readonly { readonly name: string; readonly issuer: string; readonly isValid: boolean }[];
	/** What its `.sbat` section says it is made of, with versions and revocation generations. */
	readonly components: readonly SbatEntry[];
}

export function describeEfiProgram({ file, pe }: EfiPart): InspectedEfiProgram {
	const isProgram = typeof pe !== "string";
	return {
		path: displayName(file.path),
		byteLength: file.inode.byteLength,
		signers: (isProgram ? signaturesOf(pe) : []).map(({ signer, coversProgram, isAuthentic }) => ({
			name: commonNameOf(signer.subject),
			issuer: commonNameOf(signer.issuer),
			isValid: coversProgram && isAuthentic,
		})),
		components: (isProgram ? sbatOf(pe) : undefined) ?? [],
	};
}

/** A PCRE2 pattern as far as it describes a regular language: what path specifications of SELinux policies are made of. */
export type Pattern =
	/** One byte of those that the table, one entry for each of 256 bytes, has 1 for. */
	| { readonly kind: "bytes"; readonly members: Uint8Array }
	| { readonly kind: "sequence"; readonly parts: readonly Pattern[] }
	/** Any one of them. */
	| { readonly kind: "choice"; readonly of: readonly Pattern[] }
	/** `most` is undefined where there is no upper bound. */
	| { readonly kind: "repeat"; readonly part: Pattern; readonly least: number; readonly most: number | undefined }
	/** `^` */
	| { readonly kind: "start" }
	/** `$`: the end, or before a newline that ends the subject. */
	| { readonly kind: "end" };

const BYTES = 256;

/** The table that `isMember` fills. */
export function bytesWhere(isMember: (byte: number) => boolean): Uint8Array {
	return Uint8Array.from({ length: BYTES }, (_, byte) => (isMember(byte) ? 1 : 0));
}

export const ANY_BYTE = bytesWhere(() => true);

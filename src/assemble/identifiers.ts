import { createHash } from "node:crypto";

/** Ids that the formats want to be unique, derived from what the ISO is made of, so that the same input gives the same bytes. */
export interface Identifiers {
	/** 16 bytes in the order GPT stores them, RFC 9562 version 8. */
	guid(purpose: string): Uint8Array;
	/** FAT volume id. */
	fatVolumeId: number;
}

/** `ingredients`: everything that decides the content, in any JSON form. */
export function deriveIdentifiers(ingredients: unknown): Identifiers {
	const seed = createHash("sha256").update(JSON.stringify(ingredients)).digest();
	const derive = (purpose: string): Buffer => createHash("sha256").update(seed).update(purpose).digest();
	return {
		guid(purpose) {
			const bytes = derive(purpose).subarray(0, 16);
			// Byte 7 holds the version in GPT's mixed-endian order, byte 8 the variant.
			bytes.writeUInt8((bytes.readUInt8(7) & 0x0f) | 0x80, 7);
			bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
			return bytes;
		},
		fatVolumeId: derive("fat volume id").readUInt32LE(0),
	};
}

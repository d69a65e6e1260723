import { createHash } from "node:crypto";
import type { DiskGuids } from "../../formats/gpt/disk-layout.ts";
import { guidFromDigest } from "../../formats/gpt/guid.ts";

/** Ids that the formats want to be unique. */
export interface Identifiers {
	readonly guids: DiskGuids;
	/** FAT volume id, 0 to 2^32 - 1. */
	readonly fatVolumeId: number;
}

/** Derives the ids from what the ISO is made of, in any JSON form, so that the same input gives the same bytes. */
export function deriveIdentifiers(ingredients: unknown): Identifiers {
	const seed = createHash("sha256").update(JSON.stringify(ingredients)).digest();
	const derive = (purpose: string): Buffer => createHash("sha256").update(seed).update(purpose).digest();
	return {
		guids: {
			disk: guidFromDigest(derive("disk")),
			iso9660: guidFromDigest(derive("partition 1")),
			efiSystem: guidFromDigest(derive("partition 2")),
			padding: guidFromDigest(derive("partition 3")),
		},
		fatVolumeId: derive("FAT volume id").readUInt32LE(0),
	};
}

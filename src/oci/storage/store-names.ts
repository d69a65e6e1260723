import { createHash } from "node:crypto";
import { type Digest, digestHex } from "../digest.ts";

const BASE_32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const LINK_CHARACTERS = 26;

/** As containers/storage names the file of a document. */
export function documentFile(name: string): string {
	return /^[0-9a-z.]+$/.test(name) ? name : `=${Buffer.from(name).toString("base64")}`;
}

/** As containers/image names a layer that lies on `parent`, itself such an id; undefined: on none. */
export function layerIdOf(parent: string | undefined, diffId: Digest): string {
	const own = digestHex(diffId);
	return parent === undefined ? own : createHash("sha256").update(`${parent}+${own}`).digest("hex");
}

/** A short name for the mount options: containers/storage has random ones. */
export function linkNameOf(layerId: string): string {
	const digest = createHash("sha256").update(layerId).digest();
	return Array.from({ length: LINK_CHARACTERS }, (_, i) => BASE_32[(digest[i] ?? 0) % BASE_32.length]).join("");
}

import { createHash } from "node:crypto";

/** Bytes that nothing can compress, the same for the same seed. */
export function noise(byteLength: number, seed: string | number = "noise"): Buffer {
	return createHash("shake256", { outputLength: byteLength }).update(`${seed}`).digest();
}

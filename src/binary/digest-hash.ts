import { randomInt } from "node:crypto";

/** Others in every process: nobody can make keys that crowd a table. */
const SEED = randomInt(2 ** 32);
const MULTIPLIER = 2 * randomInt(2 ** 30, 2 ** 31) + 1;

/**
 * A hash value of 32 bits, as a signed number, of 32 bytes. All of them count: those who choose contents, or write digests that no content has,
 * may make any part of them equal. Never part of what is written.
 */
export function digestHash(bytes: Uint8Array): number {
	let hash = SEED;
	for (let i = 0; i < 32; i += 4) {
		const word =
			((bytes[i] ?? 0) << 24) | ((bytes[i + 1] ?? 0) << 16) | ((bytes[i + 2] ?? 0) << 8) | (bytes[i + 3] ?? 0);
		hash = Math.imul(hash ^ word, MULTIPLIER);
		hash ^= hash >>> 15;
	}
	return hash;
}

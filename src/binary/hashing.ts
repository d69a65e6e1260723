import { createHash } from "node:crypto";
import type { Steps } from "./turns.ts";
import { MiB } from "./units.ts";

/** What is hashed in a step: less than a millisecond. */
const PIECE_BYTES = MiB / 4;

/** The SHA-256 of `bytes` as if the bytes of `blank` were zero, in steps. */
export function* hashingWithBlank(
	bytes: Uint8Array,
	{ offset, byteLength }: { readonly offset: number; readonly byteLength: number },
): Steps<Buffer> {
	const digest = createHash("sha256").update(bytes.subarray(0, offset)).update(Buffer.alloc(byteLength));
	for (let at = offset + byteLength; at < bytes.byteLength; at += PIECE_BYTES) {
		digest.update(bytes.subarray(at, at + PIECE_BYTES));
		yield;
	}
	return digest.digest();
}

import { corrupt, type Oci2isoError } from "../errors.ts";
import type { Descriptor } from "./descriptor.ts";
import { type Digest, Digester, digestAlgorithm } from "./digest.ts";

/**
 * Passes a blob's chunks on and checks size and digest on the way: an excess is thrown before the chunk that exceeds is passed on, a shortage
 * or another digest after the last chunk. A consumer must therefore read to the end before it trusts what it got.
 * Throws `Oci2isoError` BLOB_SIZE_MISMATCH or BLOB_DIGEST_MISMATCH, and BLOB_TOO_LARGE where more than `maxBytes` are declared (all exit 5).
 */
export function verifiedBlob(
	chunks: AsyncIterable<Uint8Array>,
	descriptor: Pick<Descriptor, "digest" | "size">,
	where: string,
	maxBytes = Number.POSITIVE_INFINITY,
): AsyncGenerator<Uint8Array, void, undefined> {
	return digestChecked(sizeChecked(chunks, descriptor.size, where, maxBytes), descriptor.digest, where);
}

/** The part of `verifiedBlob` that counts. */
export async function* sizeChecked(
	chunks: AsyncIterable<Uint8Array>,
	size: number,
	where: string,
	maxBytes = Number.POSITIVE_INFINITY,
): AsyncGenerator<Uint8Array, void, undefined> {
	if (size > maxBytes) throw corrupt("BLOB_TOO_LARGE", `blob of ${size} bytes`, where, `at most ${maxBytes} bytes`);
	let received = 0;
	for await (const chunk of chunks) {
		received += chunk.byteLength;
		if (received > size) throw sizeMismatch(`at least ${received}`, size, where);
		yield chunk;
	}
	if (received < size) throw sizeMismatch(`${received}`, size, where);
}

/** The part of `verifiedBlob` that digests. */
export async function* digestChecked(
	chunks: AsyncIterable<Uint8Array>,
	digest: Digest,
	where: string,
): AsyncGenerator<Uint8Array, void, undefined> {
	const digester = new Digester(digestAlgorithm(digest));
	for await (const chunk of chunks) {
		digester.update(chunk);
		yield chunk;
	}
	checkBlobDigest(digester.finish(), digest, where);
}

/** Throws `Oci2isoError` BLOB_DIGEST_MISMATCH (exit 5). */
export function checkBlobDigest(actual: Digest, expected: Digest, where: string): void {
	if (actual !== expected) throw digestMismatch("BLOB_DIGEST_MISMATCH", "blob", actual, expected, where);
}

export function sizeMismatch(actual: string, size: number, where: string): Oci2isoError {
	return corrupt("BLOB_SIZE_MISMATCH", `blob has ${actual} bytes`, where, `${size} bytes as its descriptor says`);
}

export function digestMismatch(
	code: string,
	name: string,
	actual: Digest,
	expected: Digest,
	where: string,
): Oci2isoError {
	return corrupt(code, `${name} has the digest ${actual}`, where, expected);
}

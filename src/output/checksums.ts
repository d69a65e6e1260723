import { createHash } from "node:crypto";
import { basename } from "node:path";
import { Turns } from "../binary/turns.ts";
import { KiB } from "../binary/units.ts";
import type { FileTarget } from "./file-target.ts";

/** What coreutils checks, by its own names. */
export const CHECKSUM_ALGORITHMS = ["sha256", "sha512", "blake2b"] as const;
export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number];

/** In hexadecimal digits. */
export type Checksums = Readonly<Partial<Record<ChecksumAlgorithm, string>>>;

/** As OpenSSL calls them, and `cksum --tag`. */
const NAMES = {
	sha256: { openssl: "sha256", tag: "SHA256" },
	sha512: { openssl: "sha512", tag: "SHA512" },
	blake2b: { openssl: "blake2b512", tag: "BLAKE2b" },
} as const satisfies Record<ChecksumAlgorithm, unknown>;

const CHUNK_BYTES = 256 * KiB;

/** Of the whole file as it is now. Rejects with `Oci2isoError` (exit 6) where it cannot be read back. */
export async function fileChecksums(
	target: FileTarget,
	algorithms: readonly ChecksumAlgorithm[],
	{ onBytes, signal }: { onBytes(doneBytes: number, totalBytes: number): void; signal?: AbortSignal | undefined },
): Promise<Checksums> {
	const hashes = algorithms.map((algorithm) => [algorithm, createHash(NAMES[algorithm].openssl)] as const);
	const totalBytes = target.byteLength;
	const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
	const turns = new Turns(signal);
	for (let doneBytes = 0; doneBytes < totalBytes; ) {
		// a stream takes half as long again: it makes a buffer for each chunk
		const bytes = target.readNow(doneBytes, Math.min(CHUNK_BYTES, totalBytes - doneBytes), buffer);
		for (const [, hash] of hashes) hash.update(bytes);
		doneBytes += bytes.byteLength;
		onBytes(doneBytes, totalBytes);
		if (turns.areDue()) await turns.next();
	}
	return Object.fromEntries(hashes.map(([algorithm, hash]) => [algorithm, hash.digest("hex")]));
}

/** Where they go: beside the file, as `NAME-CHECKSUM`. */
export function checksumPathOf(path: string): string {
	return `${path}-CHECKSUM`;
}

/**
 * The text of such a file: a line as `sha256sum` prints it for one algorithm, lines as `cksum --tag` does for several, which its like tell apart
 * (GNU coreutils 9.1, "md5sum invocation"). A name with a line break or backslash is escaped as they do.
 */
export function checksumText(path: string, checksums: Checksums): string {
	const given = basename(path);
	const name = given.replace(/[\\\n\r]/g, (c) => (c === "\n" ? "\\n" : c === "\r" ? "\\r" : "\\\\"));
	const mark = name === given ? "" : "\\";
	const digests = CHECKSUM_ALGORITHMS.flatMap((algorithm) => {
		const digest = checksums[algorithm];
		return digest === undefined ? [] : [{ algorithm, digest }];
	});
	const lines = digests.map(({ algorithm, digest }) =>
		digests.length === 1 ? `${mark}${digest}  ${name}` : `${mark}${NAMES[algorithm].tag} (${name}) = ${digest}`,
	);
	return lines.map((line) => `${line}\n`).join("");
}

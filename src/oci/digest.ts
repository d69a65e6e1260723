import { createHash, type Hash } from "node:crypto";

export type DigestAlgorithm = "sha256" | "sha512";

/** `ALGORITHM:HEX` with lower-case hexadecimal digits (OCI image-spec, descriptor.md, "Digests"). */
export type Digest = `${DigestAlgorithm}:${string}`;

const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

export function isDigest(text: string): text is Digest {
	return DIGEST.test(text);
}

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
	return digest.startsWith("sha512:") ? "sha512" : "sha256";
}

/** The hexadecimal digits after the colon. */
export function digestHex(digest: Digest): string {
	return digest.slice(digest.indexOf(":") + 1);
}

export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = "sha256"): Digest {
	return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/** Digests bytes that arrive in pieces. */
export class Digester {
	readonly #algorithm: DigestAlgorithm;
	readonly #hash: Hash;

	constructor(algorithm: DigestAlgorithm) {
		this.#algorithm = algorithm;
		this.#hash = createHash(algorithm);
	}

	update(bytes: Uint8Array): void {
		this.#hash.update(bytes);
	}

	/** To be called once, after the last `update`. */
	finish(): Digest {
		return `${this.#algorithm}:${this.#hash.digest("hex")}`;
	}
}

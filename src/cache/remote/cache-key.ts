import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { Oci2isoError } from "../../errors.ts";
import { reasonOf } from "../store-directory.ts";
import { type ArtifactEntry, descriptorOf } from "./artifact.ts";

const MIN_KEY_BYTES = 32;
const MAX_KEY_BYTES = 65_536;

/**
 * The secret of those who may write a shared cache: HMAC-SHA-256 (RFC 2104) over each entry's descriptor, whose digests cover all of its bytes.
 * To whoever has the key, what others wrote is not there.
 */
export class CacheKey {
	readonly #secret: Buffer;

	private constructor(secret: Buffer) {
		this.#secret = secret;
	}

	/** The file's bytes without white space at its end. Throws `Oci2isoError` CACHE_KEY_INVALID (exit 2) for a file that cannot be read, is short or long. */
	static read(path: string): CacheKey {
		const fault = (what: string): Oci2isoError =>
			new Oci2isoError({
				code: "CACHE_KEY_INVALID",
				kind: "usage",
				what,
				where: path,
				expected: `a file of ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} bytes that nobody can guess`,
				remedy: "make one with: openssl rand -hex 32",
			});
		let bytes: Buffer;
		try {
			bytes = readFileSync(path);
		} catch (error) {
			throw fault(`the shared cache's key cannot be read: ${reasonOf(error)}`);
		}
		const secret = Buffer.from(bytes.toString("latin1").trimEnd(), "latin1");
		if (secret.byteLength < MIN_KEY_BYTES || secret.byteLength > MAX_KEY_BYTES)
			throw fault(`the shared cache's key has ${secret.byteLength} bytes`);
		return new CacheKey(secret);
	}

	/** Tells keys apart and tells nothing of the key. */
	get id(): string {
		return createHmac("sha256", this.#secret).update("id").digest("hex");
	}

	seal(entry: ArtifactEntry): ArtifactEntry {
		return { ...entry, seal: this.#sealOf(entry) };
	}

	/** Whether someone with the key wrote the entry. */
	isSealed(entry: ArtifactEntry): boolean {
		const said = Buffer.from(entry.seal ?? "");
		const expected = Buffer.from(this.#sealOf(entry));
		return said.byteLength === expected.byteLength && timingSafeEqual(said, expected);
	}

	#sealOf({ seal: _, ...entry }: ArtifactEntry): string {
		return createHmac("sha256", this.#secret)
			.update(JSON.stringify(descriptorOf(entry)))
			.digest("hex");
	}
}

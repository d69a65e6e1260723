import { DIGEST_BYTES } from "../binary/digest-numbers.ts";
import { assert } from "../errors.ts";

const MIN_CAPACITY = 1024;

/** SHA-256 digests by number, from 0 on without large gaps: 33 bytes each, none of them on the JavaScript heap. */
export class DigestTable {
	#bytes = Buffer.alloc(MIN_CAPACITY * DIGEST_BYTES);
	#isSet = new Uint8Array(MIN_CAPACITY);

	/** `digest` is copied. */
	set(number: number, digest: Uint8Array): void {
		assert(digest.byteLength === DIGEST_BYTES, "a digest has 32 bytes");
		if (number >= this.#isSet.length) this.#grow(number + 1);
		this.#bytes.set(digest, number * DIGEST_BYTES);
		this.#isSet[number] = 1;
	}

	has(number: number): boolean {
		return this.#isSet[number] === 1;
	}

	/** 64 hexadecimal digits. */
	get(number: number): string | undefined {
		if (!this.has(number)) return undefined;
		return this.#bytes.toString("hex", number * DIGEST_BYTES, (number + 1) * DIGEST_BYTES);
	}

	#grow(atLeast: number): void {
		const capacity = Math.max(atLeast, 2 * this.#isSet.length);
		const bytes = Buffer.alloc(capacity * DIGEST_BYTES);
		bytes.set(this.#bytes);
		const isSet = new Uint8Array(capacity);
		isSet.set(this.#isSet);
		[this.#bytes, this.#isSet] = [bytes, isSet];
	}
}

import { KiB } from "../../binary/units.ts";
import { nativeCrc64 } from "../../native/crc64.ts";

const WORD_BYTES = 8;
/** What the addon takes no time for that is worth a call. */
const MIN_NATIVE_BYTES = KiB / 2;

let native: ReturnType<typeof nativeCrc64> | "unasked" = "unasked";

/** CRC-64 with ISO 3309's polynomial, as tar-split has it of files. */
export class Crc64 {
	readonly #halves = Int32Array.of(~0, ~0);

	update(bytes: Uint8Array): void {
		if (native === "unasked") native = nativeCrc64();
		if (native !== undefined && bytes.byteLength >= MIN_NATIVE_BYTES) native(bytes, this.#halves);
		else addTo(this.#halves, bytes);
	}

	/** 8 bytes, the most significant first. The next checksum begins. */
	finish(): Buffer {
		const bytes = Buffer.alloc(2 * Int32Array.BYTES_PER_ELEMENT);
		bytes.writeInt32BE(~(this.#halves[1] ?? 0), 0);
		bytes.writeInt32BE(~(this.#halves[0] ?? 0), 4);
		this.#halves.fill(~0);
		return bytes;
	}
}

/**
 * The polynomial is x^64 + x^4 + x^3 + x + 1, and the lowest bit the highest power: eight bytes are taken at once without a table, since x^64 times the remainder is the
 * remainder shifted by 0, 1, 3 and 4, and so is what that shifts out.
 */
function addTo(halves: Int32Array, bytes: Uint8Array): void {
	let [low = 0, high = 0] = halves;
	const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const end = bytes.byteLength - (bytes.byteLength % WORD_BYTES);
	for (let at = 0; at < end; at += WORD_BYTES) {
		low ^= words.getInt32(at, true);
		high ^= words.getInt32(at + 4, true);
		high ^= (low << 31) ^ (low << 29) ^ (low << 28);
		low ^= (low >>> 1) ^ (low >>> 3) ^ (low >>> 4) ^ (high << 31) ^ (high << 29) ^ (high << 28);
		high ^= (high >>> 1) ^ (high >>> 3) ^ (high >>> 4);
	}
	for (let at = end; at < bytes.byteLength; at++) {
		const lost = (low ^ words.getUint8(at)) << 24;
		low = (low >>> 8) ^ (high << 24);
		high = (high >>> 8) ^ lost ^ (lost >>> 1) ^ (lost >>> 3) ^ (lost >>> 4);
	}
	halves[0] = low;
	halves[1] = high;
}

import type { ByteSource } from "../../binary/byte-source.ts";
import { KiB } from "../../binary/units.ts";
import { Recent } from "../../content/recent.ts";

const WINDOW_BYTES = 64 * KiB;
const WINDOWS_KEPT = 128;

/** Short reads at any place, many near each other. */
export class MetadataBytes {
	readonly #image: ByteSource;
	readonly #windows = new Recent<number, Uint8Array>(WINDOWS_KEPT);

	constructor(image: ByteSource) {
		this.#image = image;
	}

	/** Valid as long as it is held, and not to be changed. Throws `Oci2isoError` UNEXPECTED_END. */
	async read(position: number, length: number): Promise<Uint8Array> {
		const offset = position % WINDOW_BYTES;
		if (offset + length > WINDOW_BYTES || position + length > this.#image.byteLength)
			return this.#image.read(position, length);
		const start = position - offset;
		let window = this.#windows.get(start);
		if (window === undefined) {
			window = await this.#image.read(start, Math.min(WINDOW_BYTES, this.#image.byteLength - start));
			this.#windows.set(start, window);
		}
		return window.subarray(offset, offset + length);
	}

	view(bytes: Uint8Array): DataView {
		return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	}
}

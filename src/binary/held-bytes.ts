import { corrupt } from "../errors.ts";
import { MiB } from "./units.ts";

/** What one command holds of an image's contents beside its tree, at most. */
export const MAX_HELD_BYTES = 512 * MiB;

/** The one account of contents that are held in memory beside an image's tree: whoever keeps some takes it from here first. */
export class HeldBytes {
	readonly #maxBytes: number;
	#byteLength = 0;

	constructor(maxBytes: number = MAX_HELD_BYTES) {
		this.#maxBytes = maxBytes;
	}

	get byteLength(): number {
		return this.#byteLength;
	}

	/** Takes room for `byteLength` bytes where there is so much. */
	tryHold(byteLength: number): boolean {
		if (this.#byteLength + byteLength > this.#maxBytes) return false;
		this.#byteLength += byteLength;
		return true;
	}

	/** Takes room for what cannot be done without. Throws `Oci2isoError` CONTENTS_TOO_LARGE (corrupt) where there is not so much. */
	hold(byteLength: number, where: string): void {
		if (this.tryHold(byteLength)) return;
		const held = this.#byteLength === 0 ? "" : ` beside ${this.#byteLength} others`;
		throw corrupt(
			"CONTENTS_TOO_LARGE",
			`${byteLength} bytes${held} would have to be held in memory`,
			where,
			`at most ${this.#maxBytes} bytes of files that are needed and not in the squashfs`,
		);
	}

	release(byteLength: number): void {
		this.#byteLength -= byteLength;
	}
}

import type { ByteString } from "../binary/byte-string.ts";
import { HeldBytes } from "../binary/held-bytes.ts";
import { MiB } from "../binary/units.ts";

/** Of contents that are kept in memory before it is known that they are needed. */
const MAX_ASIDE_BYTES = 64 * MiB;

/** Bounds what is held of contents that the root file system leaves out. */
export class AsideBudget {
	readonly #held = new HeldBytes();
	readonly #isWanted: (path: ByteString) => boolean;
	#bytesLeft = MAX_ASIDE_BYTES;

	/** `isWanted` says which files somebody will ask for. */
	constructor(isWanted: (path: ByteString) => boolean = () => false) {
		this.#isWanted = isWanted;
	}

	/** Before anybody asked for it: false where that is unlikely, or there is no room. */
	tryHold(path: ByteString, byteLength: number): boolean {
		if (this.#isWanted(path)) return this.#held.tryHold(byteLength);
		if (!isAsidePath(path) || byteLength > this.#bytesLeft || !this.#held.tryHold(byteLength)) return false;
		this.#bytesLeft -= byteLength;
		return true;
	}

	/** What was asked for. Throws as `HeldBytes.hold`. */
	hold(byteLength: number, where: string): void {
		this.#held.hold(byteLength, where);
	}
}

/** Boot loaders and kernel configurations are left out of the root file system by default, and are looked at. */
function isAsidePath(path: ByteString): boolean {
	return path.startsWith("boot/efi/") || (path.startsWith("boot/config-") && path.lastIndexOf("/") === "boot".length);
}

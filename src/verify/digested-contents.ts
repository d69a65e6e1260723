import { DIGEST_BYTES } from "../binary/digest-numbers.ts";
import { KiB } from "../binary/units.ts";
import type { ContentSink } from "../layers/read-layer.ts";
import { type ContentDigester, contentDigester, type DigestedUnit, MAX_UNITS } from "../native/content-digester.ts";
import { ContentDigest, UNIT_BYTES, UnitDigests } from "./content-digest.ts";

const SLOT_BYTES = 256 * KiB;

/** Told of the digest of a content, some time after its end. */
type OnDigest = (digest: Uint8Array) => void;

/** Digests contents as they come, many files at once where there is the addon. */
export interface DigestedContents {
	/** Where a content of so many bytes, holes included, goes. */
	sink(byteLength: number, onDigest: OnDigest): ContentSink;
	/** All of what has ended is digested. */
	finish(): void;
	close(): void;
}

export function digestContents(): DigestedContents {
	const digester = contentDigester("none", { blockBytes: 0, slotBytes: SLOT_BYTES });
	if (digester === undefined) return { sink: plainSink, finish: () => {}, close: () => {} };
	const units = new UnitQueue(digester);
	return {
		sink: (byteLength, onDigest) => new UnitSink(units, byteLength, onDigest),
		finish() {
			units.flush();
			digester.finish();
		},
		close: () => digester.close(),
	};
}

function plainSink(byteLength: number, onDigest: OnDigest): ContentSink {
	const digest = new ContentDigest(byteLength);
	return {
		data: (bytes) => digest.update(bytes),
		hole: (length) => digest.hole(length),
		end: () => onDigest(digest.finish()),
	};
}

/** Gathers units of many files for one job. */
class UnitQueue {
	readonly #digester: ContentDigester;
	#buffer: Buffer | undefined;
	#filled = 0;
	#units: DigestedUnit[] = [];
	#owners: ((digest: Buffer) => void)[] = [];

	constructor(digester: ContentDigester) {
		this.#digester = digester;
	}

	/** Memory for a unit, which has to be filled before the next is asked for. `onDigest` gets its digest. */
	place(byteLength: number, endsWithLength: boolean, onDigest: (digest: Buffer) => void): Buffer {
		if (this.#filled + byteLength > SLOT_BYTES || this.#units.length === MAX_UNITS) this.flush();
		this.#buffer ??= this.#digester.acquire();
		const offset = this.#filled;
		this.#filled += byteLength;
		this.#units.push({ offset, byteLength, endsWithLength });
		this.#owners.push(onDigest);
		return this.#buffer.subarray(offset, this.#filled);
	}

	flush(): void {
		if (this.#buffer === undefined) return;
		const owners = this.#owners;
		this.#digester.submit(this.#buffer, this.#filled, 0, this.#units, (byteLength, digests) => {
			// Too little memory for a digest: the files have none, as if they could not be read.
			if (byteLength === undefined) return;
			for (const [i, owner] of owners.entries()) owner(digests.subarray(DIGEST_BYTES * i, DIGEST_BYTES * (i + 1)));
		});
		this.#buffer = undefined;
		this.#filled = 0;
		this.#units = [];
		this.#owners = [];
	}
}

/** Cuts one content into units. */
class UnitSink implements ContentSink {
	readonly #queue: UnitQueue;
	readonly #byteLength: number;
	readonly #onDigest: OnDigest;
	readonly #digests: UnitDigests;
	/** The unit that is being filled. */
	#unit: Buffer | undefined;
	#filled = 0;
	#position = 0;
	#undigested = 0;
	#hasEnded = false;

	constructor(queue: UnitQueue, byteLength: number, onDigest: OnDigest) {
		this.#queue = queue;
		this.#byteLength = byteLength;
		this.#onDigest = onDigest;
		this.#digests = new UnitDigests(byteLength);
	}

	data(bytes: Uint8Array): void {
		for (let at = 0; at < bytes.byteLength; ) {
			const unit = this.#open();
			const part = bytes.subarray(at, at + unit.byteLength - this.#filled);
			unit.set(part, this.#filled);
			this.#advance(part.byteLength);
			at += part.byteLength;
		}
	}

	hole(byteLength: number): void {
		let rest = byteLength;
		if (this.#unit === undefined) {
			const end = this.#position + rest;
			const skipped = end === this.#byteLength ? rest : rest - (rest % UNIT_BYTES);
			this.#position += skipped;
			rest -= skipped;
		}
		if (rest === 0) return;
		const unit = this.#open();
		const part = Math.min(rest, unit.byteLength - this.#filled);
		unit.fill(0, this.#filled, this.#filled + part);
		this.#advance(part);
		if (part < rest) this.hole(rest - part);
	}

	end(): void {
		this.#hasEnded = true;
		this.#finish();
	}

	#open(): Buffer {
		if (this.#unit !== undefined) return this.#unit;
		const number = this.#position / UNIT_BYTES;
		const byteLength = Math.min(UNIT_BYTES, this.#byteLength - this.#position);
		this.#undigested++;
		this.#unit = this.#queue.place(byteLength, this.#digests.isWhole, (digest) => {
			this.#digests.add(number, digest);
			this.#undigested--;
			this.#finish();
		});
		return this.#unit;
	}

	#advance(byteLength: number): void {
		this.#filled += byteLength;
		this.#position += byteLength;
		if (this.#filled < (this.#unit?.byteLength ?? 0)) return;
		this.#unit = undefined;
		this.#filled = 0;
	}

	#finish(): void {
		if (this.#hasEnded && this.#undigested === 0) this.#onDigest(this.#digests.finish());
	}
}

import { createHash } from "node:crypto";
import { ByteWriter } from "../../binary/byte-writer.ts";
import { MiB } from "../../binary/units.ts";
import type { DataSink } from "../../content/stored-data.ts";
import { assert } from "../../errors.ts";

/** A stretch of the image that is written from its beginning to its end, and digested. */
export class MetadataOutput {
	readonly #sink: Pick<DataSink, "write">;
	readonly #start: number;
	readonly #digest = createHash("sha256");
	#pending = new ByteWriter(MiB);
	#flushed = 0;

	/** `start` is its place in the image. */
	constructor(sink: Pick<DataSink, "write">, start: number) {
		this.#sink = sink;
		this.#start = start;
	}

	write(bytes: Uint8Array): void {
		this.#pending.bytes(bytes);
		if (this.#pending.length >= MiB) this.#flush();
	}

	/** Zeros up to a byte of the stretch. */
	seek(position: number): void {
		const zeros = position - this.#flushed - this.#pending.length;
		assert(zeros >= 0, "metadata is written in order");
		this.#pending.zeros(zeros);
	}

	/** Of all of it; nothing is written after that. */
	finish(): Buffer {
		this.#flush();
		return this.#digest.digest();
	}

	#flush(): void {
		const bytes = this.#pending.view();
		this.#digest.update(bytes);
		this.#sink.write(this.#start + this.#flushed, bytes);
		this.#flushed += bytes.byteLength;
		this.#pending = new ByteWriter(MiB);
	}
}

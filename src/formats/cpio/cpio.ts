import { type ByteString, byteStringOf } from "../../binary/byte-string.ts";
import { leadingZeros } from "./leading-zeros.ts";

/** One member of a newc archive (cpio(5), "New ASCII Format"). */
export interface CpioEntry {
	/** As recorded, without NUL. */
	readonly path: ByteString;
	/** File type and permissions, as st_mode. */
	readonly mode: number;
	readonly byteLength: number;
	readonly linkCount: number;
	/** Device and inode number: hard links of one file have the same. */
	readonly fileId: string;
}

interface CpioHandler {
	/** Whether the entry's content is to be given to `content`. */
	entry(entry: CpioEntry): boolean;
	content(entry: CpioEntry, bytes: Buffer): void;
}

/** What is wrong with an archive. */
export class CpioFault extends Error {}

const HEADER_BYTES = 110;
const MAX_NAME_BYTES = 4096;
const TRAILER = "TRAILER!!!";

type Expecting = "header" | "name" | "body" | "padding";

/**
 * Reads newc archives, one after another, from chunks of any length. After a trailer a kernel skips zeros and looks for another
 * archive or compressed data at the next byte: `atBoundary` says when that is. Throws `CpioFault` out of `push`.
 *
 * Invariants: `#offset` counts bytes since construction, and headers, names and bodies start at multiples of 4 of it.
 */
export class CpioReader {
	readonly #handler: CpioHandler;
	readonly #header = Buffer.alloc(HEADER_BYTES);
	#expecting: Expecting = "header";
	#have = 0;
	#left = 0;
	#offset = 0;
	#name: Buffer = Buffer.alloc(0);
	#entry: CpioEntry | undefined;
	#body: Buffer | undefined;
	#nameBytes = 0;
	#next: Expecting = "header";
	#isBoundary = true;

	constructor(handler: CpioHandler) {
		this.#handler = handler;
	}

	/** No archive is open: the next byte may begin anything. */
	get atBoundary(): boolean {
		return this.#isBoundary && this.#expecting === "header" && this.#have === 0;
	}

	/** Takes bytes until the chunk is used up, or, at a boundary, until something begins that is no archive. Returns the number taken. */
	push(chunk: Uint8Array): number {
		let at = 0;
		while (at < chunk.byteLength) {
			if (this.atBoundary) {
				const zeros = leadingZeros(chunk, at);
				at += zeros;
				this.#offset += zeros;
				if (at === chunk.byteLength || chunk[at] !== 0x30 || this.#offset % 4 !== 0) return at;
				this.#isBoundary = false;
			}
			at += this.#take(chunk, at);
		}
		return at;
	}

	/** Says that no more data comes. Throws `CpioFault` inside an archive; one that merely lacks its trailer is complete, as to a kernel. */
	finish(): void {
		if (this.#expecting !== "header" || this.#have > 0)
			if (this.#expecting !== "padding") throw new CpioFault("the archive ends inside a member");
	}

	#take(chunk: Uint8Array, at: number): number {
		switch (this.#expecting) {
			case "header": {
				const length = Math.min(HEADER_BYTES - this.#have, chunk.byteLength - at);
				this.#header.set(chunk.subarray(at, at + length), this.#have);
				this.#advance(length);
				this.#have += length;
				if (this.#have === HEADER_BYTES) this.#startMember();
				return length;
			}
			case "name": {
				const length = Math.min(this.#left, chunk.byteLength - at);
				this.#name.set(chunk.subarray(at, at + length), this.#nameBytes - this.#left);
				this.#advance(length);
				this.#left -= length;
				if (this.#left === 0) this.#endName();
				return length;
			}
			case "body": {
				const length = Math.min(this.#left, chunk.byteLength - at);
				const entry = this.#entry;
				this.#body?.set(chunk.subarray(at, at + length), (entry?.byteLength ?? 0) - this.#left);
				this.#advance(length);
				this.#left -= length;
				if (this.#left === 0) {
					if (entry !== undefined && this.#body !== undefined) this.#handler.content(entry, this.#body);
					this.#body = undefined;
					this.#pad("header");
				}
				return length;
			}
			case "padding": {
				const length = Math.min(this.#left, chunk.byteLength - at);
				this.#advance(length);
				this.#left -= length;
				if (this.#left === 0) this.#begin(this.#next);
				return length;
			}
		}
	}

	#advance(length: number): void {
		this.#offset += length;
	}

	#startMember(): void {
		const text = this.#header.toString("latin1");
		// 070702 is the same with checksums, which kernels take and do not check.
		if (!/^07070[12]/.test(text)) throw new CpioFault("a member does not start with 070701");
		const field = (index: number): number => {
			const digits = text.slice(6 + index * 8, 14 + index * 8);
			if (!/^[0-9a-fA-F]{8}$/.test(digits)) throw new CpioFault(`field ${index} of a header is no hexadecimal number`);
			return Number.parseInt(digits, 16);
		};
		this.#nameBytes = field(11);
		if (this.#nameBytes === 0 || this.#nameBytes > MAX_NAME_BYTES)
			throw new CpioFault(`a name of ${this.#nameBytes} bytes`);
		this.#name = Buffer.alloc(this.#nameBytes);
		this.#entry = {
			path: "",
			mode: field(1),
			byteLength: field(6),
			linkCount: field(4),
			fileId: `${field(7)}:${field(8)}:${field(0)}`,
		};
		this.#left = this.#nameBytes;
		this.#expecting = "name";
	}

	#endName(): void {
		const entry = this.#entry;
		if (entry === undefined) return;
		const end = this.#name.indexOf(0);
		const path = byteStringOf(this.#name.subarray(0, end < 0 ? this.#nameBytes : end));
		if (path === TRAILER) {
			this.#isBoundary = true;
			this.#pad("header");
			return;
		}
		const named = { ...entry, path };
		this.#entry = named;
		this.#body = this.#handler.entry(named) ? Buffer.alloc(named.byteLength) : undefined;
		this.#pad("body");
	}

	#pad(next: Expecting): void {
		const padding = (4 - (this.#offset % 4)) % 4;
		this.#next = next;
		if (padding === 0) this.#begin(next);
		else {
			this.#left = padding;
			this.#expecting = "padding";
		}
	}

	#begin(what: Expecting): void {
		this.#expecting = what;
		this.#have = 0;
		if (what !== "body") return;
		this.#left = this.#entry?.byteLength ?? 0;
		if (this.#left > 0) return;
		const entry = this.#entry;
		if (entry !== undefined && this.#body !== undefined) this.#handler.content(entry, this.#body);
		this.#body = undefined;
		this.#pad("header");
	}
}

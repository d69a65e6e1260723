import type { ByteString } from "../../src/binary/byte-string.ts";
import { TAR_BLOCK_BYTES } from "../../src/formats/tar/header.ts";
import { type HeaderFields, paxHeader, paxRecord, tarHeader } from "./tar-fixtures.ts";

const FLUSH_BYTES = 1 << 20;

/**
 * Writes archives of millions of members: ustar headers patched into a copy of one, PAX only where it is asked for.
 * Bytes go to `append` in chunks of about 1 MiB.
 */
export class ArchiveWriter {
	readonly #append: (bytes: Uint8Array) => Promise<void>;
	readonly #templates = new Map<string, Buffer>();
	#parts: Buffer[] = [];
	#length = 0;
	members = 0;

	constructor(append: (bytes: Uint8Array) => Promise<void>) {
		this.#append = append;
	}

	/** A member with at most 100 bytes of name and link target unless `records` give them. */
	async add(
		fields: Partial<HeaderFields> & { readonly name: ByteString },
		content: string | Uint8Array = "",
		records: Readonly<Record<string, ByteString>> = {},
	): Promise<void> {
		this.members++;
		const pax = Object.entries(records).map(([keyword, value]) => paxRecord(keyword, value));
		if (pax.length > 0) this.#push(paxHeader(pax));
		const { name, linkname = "", uid = 0, gid = 0, mtime = 0, ...same } = fields;
		const key = JSON.stringify(same);
		let template = this.#templates.get(key);
		if (template === undefined) {
			template = tarHeader(same);
			this.#templates.set(key, template);
		}
		const bytes = typeof content === "string" ? Buffer.from(content, "latin1") : content;
		const block = Buffer.alloc(TAR_BLOCK_BYTES * (1 + Math.ceil(bytes.byteLength / TAR_BLOCK_BYTES)));
		template.copy(block);
		block.write(name.slice(0, 100), 0, "latin1");
		block.write(linkname.slice(0, 100), 157, "latin1");
		writeNumber(block, uid, 108, 8);
		writeNumber(block, gid, 116, 8);
		writeNumber(block, bytes.byteLength, 124, 12);
		writeNumber(block, mtime, 136, 12);
		block.fill(0x20, 148, 156);
		let sum = 0;
		for (let i = 0; i < TAR_BLOCK_BYTES; i++) sum += block[i] ?? 0;
		block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
		block.set(bytes, TAR_BLOCK_BYTES);
		this.#push(block);
		if (this.#length >= FLUSH_BYTES) await this.#flush();
	}

	async finish(): Promise<void> {
		this.#push(Buffer.alloc(2 * TAR_BLOCK_BYTES));
		await this.#flush();
	}

	#push(bytes: Buffer): void {
		this.#parts.push(bytes);
		this.#length += bytes.byteLength;
	}

	async #flush(): Promise<void> {
		await this.#append(Buffer.concat(this.#parts));
		this.#parts = [];
		this.#length = 0;
	}
}

/** Octal, or GNU's base 256 where octal digits do not suffice. */
function writeNumber(block: Buffer, value: number, at: number, byteLength: number): void {
	if (value >= 0 && value < 8 ** (byteLength - 1)) {
		block.write(`${value.toString(8).padStart(byteLength - 1, "0")}\0`, at, "latin1");
		return;
	}
	let rest = BigInt.asUintN(8 * byteLength, BigInt(value));
	for (let i = byteLength - 1; i >= 0; i--, rest >>= 8n) block[at + i] = Number(rest & 0xffn);
	block[at] = (block[at] ?? 0) | 0x80;
}

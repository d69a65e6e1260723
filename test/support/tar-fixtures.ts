import { type ByteString, bytesOf } from "../../src/binary/byte-string.ts";
import type { TarEntry, TarEntryType, TarHandler } from "../../src/formats/tar/entry.ts";
import { TAR_BLOCK_BYTES, ustarHeader } from "../../src/formats/tar/header.ts";
import { TarReader } from "../../src/formats/tar/reader.ts";
import { type SparseForm, sparseMember } from "./sparse-members.ts";

/** A member to write; what is absent takes a plain default. */
export interface TarMember {
	readonly path: ByteString;
	readonly type?: TarEntryType;
	readonly linkTarget?: ByteString;
	readonly mode?: number;
	readonly uid?: number;
	readonly gid?: number;
	readonly mtime?: { readonly seconds: number; readonly nanoseconds: number };
	readonly major?: number;
	readonly minor?: number;
	readonly content?: Uint8Array;
	/** Leave the zeros of `content` out, in this form. */
	readonly sparse?: SparseForm | undefined;
	readonly xattrs?: ReadonlyMap<ByteString, Uint8Array>;
}

export const typeFlags: Readonly<Record<Exclude<TarEntryType, "socket">, string>> = {
	file: "0",
	"hard-link": "1",
	symlink: "2",
	"character-device": "3",
	"block-device": "4",
	directory: "5",
	fifo: "6",
};

/** An archive of the members, with PAX headers where ustar has no room, and the two zero blocks at its end. */
export function tarArchive(members: readonly TarMember[]): Buffer {
	return Buffer.concat([...members.map(tarMember), Buffer.alloc(2 * TAR_BLOCK_BYTES)]);
}

export function tarMember(member: TarMember): Buffer {
	const { path, type = "file", linkTarget = "", content = Buffer.alloc(0) } = member;
	const records: Buffer[] = [];
	if (path.length > 100 && !member.sparse?.startsWith("pax")) records.push(paxRecord("path", path));
	if (linkTarget.length > 100) records.push(paxRecord("linkpath", linkTarget));
	const mtime = member.mtime ?? { seconds: 0, nanoseconds: 0 };
	if (mtime.nanoseconds !== 0) records.push(paxRecord("mtime", paxTime(mtime)));
	if (type === "socket") records.push(paxRecord("SCHILY.filetype", "socket"));
	for (const [name, value] of member.xattrs ?? [])
		records.push(paxRecord(`SCHILY.xattr.${name}`, Buffer.from(value).toString("latin1")));
	const sparse = member.sparse === undefined ? undefined : sparseMember(path, content, member.sparse);
	records.push(...(sparse?.records ?? []));
	const recorded = sparse?.recorded ?? content;
	const fields = {
		name: path.slice(0, 100),
		mode: member.mode ?? 0o644,
		uid: member.uid ?? 0,
		gid: member.gid ?? 0,
		size: type === "file" ? recorded.byteLength : 0,
		mtime: mtime.seconds,
		typeflag: type === "socket" ? "0" : typeFlags[type],
		linkname: linkTarget.slice(0, 100),
		devmajor: member.major ?? 0,
		devminor: member.minor ?? 0,
		...sparse?.fields,
	};
	const header = tarHeader(fields, sparse?.patch);
	const extensions = sparse?.extensions ?? Buffer.alloc(0);
	return Buffer.concat([
		records.length === 0 ? Buffer.alloc(0) : paxHeader(records),
		header,
		extensions,
		padded(recorded),
	]);
}

export interface HeaderFields {
	name: string;
	mode: number;
	uid: number;
	gid: number;
	size: number;
	mtime: number;
	typeflag: string;
	linkname: string;
	magic: string;
	devmajor: number;
	devminor: number;
	prefix: string;
}

/** One header block with its checksum; what is absent is zero or empty. `after` may change the block before it is summed. */
export function tarHeader(fields: Partial<HeaderFields>, after: (block: Buffer) => void = () => {}): Buffer {
	const block = ustarHeader.encode({
		name: fields.name ?? "",
		mode: fields.mode ?? 0o644,
		uid: fields.uid ?? 0,
		gid: fields.gid ?? 0,
		size: fields.size ?? 0,
		mtime: fields.mtime ?? 0,
		chksum: 0,
		typeflag: (fields.typeflag ?? "0").charCodeAt(0),
		linkname: fields.linkname ?? "",
		magic: fields.magic ?? "ustar\x0000",
		uname: "",
		gname: "",
		devmajor: fields.devmajor ?? 0,
		devminor: fields.devminor ?? 0,
		prefix: fields.prefix ?? "",
	});
	after(block);
	return withChecksum(block);
}

/** Sets the checksum over the block as it is. */
export function withChecksum(block: Buffer): Buffer {
	block.fill(" ", 148, 156);
	const sum = block.reduce((total, byte) => total + byte, 0);
	block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
	return block;
}

/** An "x" or "g" header with its body. */
export function paxHeader(records: readonly Buffer[], typeflag = "x"): Buffer {
	const body = Buffer.concat(records);
	return Buffer.concat([tarHeader({ name: "PaxHeaders/0", size: body.byteLength, typeflag }), padded(body)]);
}

/** `"%d %s=%s\n"`, the length counting itself. */
export function paxRecord(keyword: ByteString, value: ByteString): Buffer {
	const rest = ` ${keyword}=${value}\n`;
	let length = rest.length + 1;
	while (String(length).length + rest.length !== length) length++;
	return bytesOf(`${length}${rest}`);
}

/** GNU's header for a long name ("L") or link target ("K"). */
export function gnuLongName(name: ByteString, typeflag: "L" | "K" = "L"): Buffer {
	const body = bytesOf(`${name}\0`);
	const header = tarHeader({ name: "././@LongLink", size: body.byteLength, typeflag, magic: "ustar  \0" });
	return Buffer.concat([header, padded(body)]);
}

export function padded(content: Uint8Array): Buffer {
	const padding = (TAR_BLOCK_BYTES - (content.byteLength % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES;
	return Buffer.concat([content, Buffer.alloc(padding)]);
}

function paxTime({ seconds, nanoseconds }: { readonly seconds: number; readonly nanoseconds: number }): string {
	const total = BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
	const magnitude = (total < 0n ? -total : total).toString().padStart(10, "0");
	return `${total < 0n ? "-" : ""}${magnitude.slice(0, -9)}.${magnitude.slice(-9)}`;
}

/** A member that was read, with its content: recorded bytes in place, holes as zeros. */
export interface ReadMember extends TarEntry {
	readonly content: Buffer;
	/** Bytes that came as holes. */
	readonly holeBytes: number;
}

/** Reads a whole archive, in chunks of the given lengths (the last one repeats). */
export function readTar(
	archive: Uint8Array,
	chunkLengths: readonly number[] = [archive.byteLength],
	options: { readonly maxHeaderBytes?: number } = {},
): ReadMember[] {
	const collector = new Collector();
	const reader = new TarReader(collector, { origin: "test.tar", ...options });
	let position = 0;
	for (let i = 0; position < archive.byteLength; i++) {
		const length = Math.max(1, chunkLengths[Math.min(i, chunkLengths.length - 1)] ?? 1);
		// A copy that is wiped afterwards: nothing may hold on to a chunk.
		const chunk = Buffer.from(archive.subarray(position, position + length));
		reader.push(chunk);
		chunk.fill(0xee);
		position += length;
	}
	reader.finish();
	return collector.members;
}

class Collector implements TarHandler {
	readonly members: ReadMember[] = [];
	#entry: TarEntry | undefined;
	#parts: Buffer[] = [];
	#holeBytes = 0;

	entry(entry: TarEntry): void {
		if (this.#entry !== undefined) throw new Error("entry before the last one's end");
		this.#entry = entry;
		this.#parts = [];
		this.#holeBytes = 0;
	}

	data(bytes: Uint8Array): void {
		this.#expectFile();
		if (bytes.byteLength === 0) throw new Error("empty data");
		this.#parts.push(Buffer.from(bytes));
	}

	hole(byteLength: number): void {
		this.#expectFile();
		if (byteLength < 1) throw new Error("empty hole");
		if (byteLength > 2 ** 24) throw new Error("hole too large to collect");
		this.#parts.push(Buffer.alloc(byteLength));
		this.#holeBytes += byteLength;
	}

	endEntry(): void {
		if (this.#entry === undefined) throw new Error("end without entry");
		const content = Buffer.concat(this.#parts);
		if (content.byteLength !== this.#entry.byteLength) throw new Error("content and length differ");
		this.members.push({ ...this.#entry, content, holeBytes: this.#holeBytes });
		this.#entry = undefined;
	}

	#expectFile(): void {
		if (this.#entry?.type !== "file") throw new Error("content outside a regular file");
	}
}

import { gunzipSync, gzipSync } from "node:zlib";
import { digestOf } from "../../src/oci/digest.ts";
import { padded, type TarMember, tarMember } from "./tar-fixtures.ts";
import { zstdSkippable, zstdStored } from "./zstd-stored.ts";

/** A layer with a table of contents: the archive, what is stored of it, and what the manifest says about it. */
export interface TocLayer {
	readonly tar: Buffer;
	readonly blob: Buffer;
	readonly compression: "gzip" | "zstd";
	readonly annotations: Readonly<Record<string, string>>;
}

/** One record of a table of contents, as JSON has it. */
export type TocRecord = Record<string, unknown>;

export interface TocLayerOptions {
	/** Contents are split into chunks of this many bytes; default: not at all. */
	readonly chunkBytes?: number;
	/** Leaves out the digest of whole files, which is optional in eStargz. */
	readonly withoutFileDigests?: boolean;
	/** Changes the table before it is stored, with its digest right. */
	readonly change?: (records: TocRecord[]) => unknown;
}

const TYPES = {
	file: "reg",
	"hard-link": "hardlink",
	symlink: "symlink",
	"character-device": "char",
	"block-device": "block",
	directory: "dir",
	fifo: "fifo",
	socket: "reg",
} as const;

interface Stream {
	/** Compresses everything since the last call on its own. */
	cut(): void;
	push(bytes: Uint8Array): void;
	offset(): number;
	readonly blob: Buffer[];
}

function stream(compress: (bytes: Uint8Array) => Uint8Array): Stream {
	const blob: Buffer[] = [];
	let pending: Uint8Array[] = [];
	let offset = 0;
	return {
		blob,
		push: (bytes) => pending.push(bytes),
		offset: () => offset,
		cut() {
			if (pending.length === 0) return;
			const bytes = Buffer.from(compress(Buffer.concat(pending)));
			blob.push(bytes);
			offset += bytes.byteLength;
			pending = [];
		},
	};
}

/** Writes the members so that each content has compressed streams of its own, and lists them. */
function writeMembers(out: Stream, members: readonly TarMember[], options: TocLayerOptions, withEnds: boolean) {
	const records: TocRecord[] = [];
	for (const member of members) {
		const { path, type = "file", content = Buffer.alloc(0) } = member;
		const record: TocRecord = {
			type: TYPES[type],
			name: Buffer.from(path, "latin1").toString("utf8"),
			mode: member.mode ?? 0o644,
			uid: member.uid ?? 0,
			gid: member.gid ?? 0,
			modtime: new Date((member.mtime?.seconds ?? 0) * 1000).toISOString().replace(".000Z", "Z"),
		};
		if (member.linkTarget !== undefined && member.linkTarget !== "")
			record["linkName"] = Buffer.from(member.linkTarget, "latin1").toString("utf8");
		if (member.major) record["devMajor"] = member.major;
		if (member.minor) record["devMinor"] = member.minor;
		if (member.xattrs?.size)
			record["xattrs"] = Object.fromEntries(
				[...member.xattrs].map(([name, value]) => [name, Buffer.from(value).toString("base64")]),
			);
		records.push(record);
		const whole = tarMember(member);
		const isStored = type === "file" && content.byteLength > 0;
		const header = isStored ? whole.subarray(0, whole.byteLength - padded(content).byteLength) : whole;
		out.push(header);
		if (!isStored) continue;
		out.cut();
		record["size"] = content.byteLength;
		if (options.withoutFileDigests !== true) record["digest"] = digestOf(content);
		const chunkBytes = options.chunkBytes ?? content.byteLength;
		for (let at = 0; at < content.byteLength; at += chunkBytes) {
			const chunk = content.subarray(at, at + chunkBytes);
			const target: TocRecord = at === 0 ? record : { type: "chunk", name: record["name"], chunkOffset: at };
			target["offset"] = out.offset();
			const isLast = at + chunkBytes >= content.byteLength;
			if (!isLast || withEnds) target["chunkSize"] = chunk.byteLength;
			target["chunkDigest"] = digestOf(chunk);
			if (at > 0) records.push(target);
			out.push(chunk);
			out.cut();
		}
		if (withEnds) record["endOffset"] = out.offset();
		out.push(Buffer.alloc(padded(content).byteLength - content.byteLength));
	}
	return records;
}

/** As docs/estargz.md of containerd/stargz-snapshotter describes it. */
export function estargzLayer(members: readonly TarMember[], options: TocLayerOptions = {}): TocLayer {
	const out = stream((bytes) => gzipSync(bytes, { level: 1 }));
	const records = writeMembers(out, members, options, false);
	out.cut();
	const json = Buffer.from(JSON.stringify(options.change?.(records) ?? { version: 1, entries: records }));
	const offset = out.offset();
	out.push(Buffer.concat([tarMember({ path: "stargz.index.json", content: json }), Buffer.alloc(1024)]));
	out.cut();
	const blob = Buffer.concat([...out.blob, estargzFooter(offset)]);
	const annotations = { "containerd.io/snapshot/stargz/toc.digest": digestOf(json) };
	return { tar: gunzipSync(blob), blob, compression: "gzip", annotations };
}

/** An empty gzip member that says where the table is. */
export function estargzFooter(offset: number): Buffer {
	const head = Buffer.from("1f8b08040000000000ff1a0053471600", "hex");
	const place = Buffer.from(`${offset.toString(16).padStart(16, "0")}STARGZ`);
	return Buffer.concat([head, place, Buffer.from("010000ffff0000000000000000", "hex")]);
}

/** As containers/storage writes it (docs/containers-storage-zstd-chunked.md). */
export function zstdChunkedLayer(members: readonly TarMember[], options: TocLayerOptions = {}): TocLayer {
	const out = stream(zstdStored);
	const records = writeMembers(out, members, options, true);
	out.push(Buffer.alloc(1024));
	out.cut();
	const tar = Buffer.concat(archiveParts(members));
	const json = Buffer.from(JSON.stringify(options.change?.(records) ?? { version: 1, entries: records }));
	const manifest = zstdStored(json);
	const offset = out.offset() + 8;
	const footer = Buffer.alloc(64);
	for (const [index, value] of [offset, manifest.byteLength, json.byteLength, 1].entries())
		footer.writeBigUInt64LE(BigInt(value), index * 8);
	footer.write("GNUlInUx", 56, "latin1");
	return {
		tar,
		blob: Buffer.concat([...out.blob, zstdSkippable(manifest), zstdSkippable(footer)]),
		compression: "zstd",
		annotations: {
			"io.github.containers.zstd-chunked.manifest-checksum": digestOf(manifest),
			"io.github.containers.zstd-chunked.manifest-position": `${offset}:${manifest.byteLength}:${json.byteLength}:1`,
		},
	};
}

function archiveParts(members: readonly TarMember[]): Buffer[] {
	return [...members.map(tarMember), Buffer.alloc(1024)];
}

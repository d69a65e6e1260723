import { getHeapStatistics } from "node:v8";
import { MiB } from "../../binary/units.ts";
import { TarReader } from "../../formats/tar/reader.ts";
import type { Descriptor } from "../descriptor.ts";
import { type Digest, digestAlgorithm, digestOf, isDigest } from "../digest.ts";
import { decompress } from "../inflate-layer.ts";
import { TocFault } from "./toc-fault.ts";

export type TocFormat = "zstd:chunked" | "eStargz";

/** Where a table of contents is, and what the manifest says its digest is. */
interface TocPlace {
	readonly format: TocFormat;
	readonly digest: Digest;
	/** Undefined where the blob's last bytes have to be asked. */
	readonly position: { readonly offset: number; readonly byteLength: number; readonly jsonBytes: number } | undefined;
}

/** Both spellings are written; the second is the older one. */
const ZSTD_CHUNKED = ["io.github.containers.zstd-chunked", "io.containers.zstd-chunked"] as const;
const ESTARGZ_DIGEST = "containerd.io/snapshot/stargz/toc.digest";
const MANIFEST_TYPE_CRFS = 1;
const MAX_TOC_BYTES = 64 * MiB;
/** JSON of three bytes can become an object of 64: all of it has to fit into V8's heap, beyond whose limit the process would end. */
const MAX_TOC_JSON_BYTES = Math.min(128 * MiB, Math.floor(getHeapStatistics().heap_size_limit / 32));

/** docs/estargz.md, "Footer". */
export const ESTARGZ_FOOTER_BYTES = 51;
/** RFC 1952 2.3: identification, deflate, the flag FEXTRA. */
const GZIP_WITH_EXTRA = "1f8b0804";
/** XLEN 26, subfield "SG" of 22 bytes. */
const EXTRA_SG = "1a0053471600";
const TOC_NAME = "stargz.index.json";

/**
 * What a layer's descriptor says of a table of contents; undefined where there is none. One without a digest in the manifest is none: nothing
 * would vouch for it. Throws `TocFault`.
 */
export function tocPlaceOf({ annotations, size }: Pick<Descriptor, "annotations" | "size">): TocPlace | undefined {
	const annotation = (name: string): string | undefined =>
		annotations !== null && annotations !== undefined && Object.hasOwn(annotations, name)
			? annotations[name]
			: undefined;
	for (const prefix of ZSTD_CHUNKED) {
		const position = annotation(`${prefix}.manifest-position`);
		const digest = annotation(`${prefix}.manifest-checksum`);
		if (position === undefined || digest === undefined) continue;
		const match = /^(\d{1,15}):(\d{1,15}):(\d{1,15}):(\d{1,3})$/.exec(position);
		const [offset = 0, byteLength = 0, jsonBytes = 0, type = 0] = (match ?? []).slice(1).map(Number);
		if (type !== MANIFEST_TYPE_CRFS || byteLength === 0 || offset + byteLength > size || !isDigest(digest))
			throw new TocFault(`it is said to be at ${position.slice(0, 60)}`);
		requireBounded(byteLength, jsonBytes);
		return { format: "zstd:chunked", digest, position: { offset, byteLength, jsonBytes } };
	}
	const digest = annotation(ESTARGZ_DIGEST);
	if (digest === undefined) return undefined;
	if (!isDigest(digest)) throw new TocFault(`its digest is said to be ${digest.slice(0, 80)}`);
	return { format: "eStargz", digest, position: undefined };
}

/** The offset of the table's gzip member that an eStargz blob's footer states. Throws `TocFault`. */
export function decodeEstargzFooter(footer: Uint8Array, blobBytes: number): number {
	const bytes = Buffer.from(footer);
	const isFooter =
		bytes.byteLength === ESTARGZ_FOOTER_BYTES &&
		bytes.toString("hex", 0, 4) === GZIP_WITH_EXTRA &&
		bytes.toString("hex", 10, 16) === EXTRA_SG;
	const digits = /^([0-9a-f]{16})STARGZ$/.exec(bytes.toString("latin1", 16, 38))?.[1];
	const offset = isFooter && digits !== undefined ? Number.parseInt(digits, 16) : 0;
	const end = blobBytes - ESTARGZ_FOOTER_BYTES;
	if (!(offset > 0 && offset < end)) throw new TocFault("the blob does not end in a footer that says where it is");
	requireBounded(end - offset, 0);
	return offset;
}

/** The JSON document in the bytes of a zstd:chunked table, which the digest is of. Throws `TocFault`. */
export async function zstdChunkedJson(bytes: Uint8Array, digest: Digest, jsonBytes: number): Promise<Uint8Array> {
	requireDigest(bytes, digest);
	const json = await inflated(bytes, "zstd", jsonBytes);
	if (json.byteLength !== jsonBytes) throw new TocFault("it has another size than the manifest says");
	return json;
}

/** The JSON document, which the digest is of, in the gzip members at the end of an eStargz blob: the last member of its archive. Throws `TocFault`. */
export async function estargzJson(bytes: Uint8Array, digest: Digest): Promise<Uint8Array> {
	const archive = await inflated(bytes, "gzip", MAX_TOC_JSON_BYTES);
	const pieces: Buffer[] = [];
	let isToc = false;
	const reader = new TarReader(
		{
			entry: ({ path, type }) => {
				isToc = path === TOC_NAME && type === "file";
			},
			data: (piece) => {
				if (isToc) pieces.push(Buffer.from(piece));
			},
			hole: () => {},
			endEntry: () => {},
		},
		{ origin: "table of contents" },
	);
	try {
		reader.push(archive);
	} catch {
		throw new TocFault("it is no archive");
	}
	const json = Buffer.concat(pieces);
	requireDigest(json, digest);
	return json;
}

function requireBounded(byteLength: number, jsonBytes: number): void {
	if (byteLength > MAX_TOC_BYTES || jsonBytes > MAX_TOC_JSON_BYTES)
		throw new TocFault(`it has ${byteLength} bytes, ${jsonBytes} uncompressed`);
}

function requireDigest(bytes: Uint8Array, digest: Digest): void {
	if (digestOf(bytes, digestAlgorithm(digest)) !== digest)
		throw new TocFault("it does not have the digest that the manifest says");
}

async function inflated(bytes: Uint8Array, compression: "zstd" | "gzip", maxBytes: number): Promise<Uint8Array> {
	const pieces: Buffer[] = [];
	let byteLength = 0;
	try {
		for await (const piece of decompress(compression, [bytes], "table of contents")) {
			byteLength += piece.byteLength;
			if (byteLength > maxBytes) throw new TocFault(`it has more than ${maxBytes} bytes`);
			pieces.push(Buffer.from(piece));
		}
	} catch (error) {
		if (error instanceof TocFault) throw error;
		throw new TocFault("it cannot be decompressed");
	}
	return Buffer.concat(pieces);
}

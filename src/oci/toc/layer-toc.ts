import { elementAt } from "../../binary/element-at.ts";
import { corrupt, Oci2isoError } from "../../errors.ts";
import type { TarEntry } from "../../formats/tar/entry.ts";
import { type BlobSource, RANGE_IGNORED } from "../blob-source.ts";
import type { Descriptor } from "../descriptor.ts";
import { digestAlgorithm, digestOf } from "../digest.ts";
import { decompress } from "../inflate-layer.ts";
import {
	decodeEstargzFooter,
	ESTARGZ_FOOTER_BYTES,
	estargzJson,
	type TocFormat,
	tocPlaceOf,
	zstdChunkedJson,
} from "./locate-toc.ts";
import { parseToc, type TocContent, type TocListing } from "./toc-entries.ts";
import { TocFault } from "./toc-fault.ts";

/** A layer whose files can be read one by one. What it says is vouched for by the image's manifest, which has its digest. */
export interface LayerToc {
	readonly format: TocFormat;
	/** In the archive's order; `index` is the position here. */
	readonly entries: readonly TarEntry[];
	/**
	 * The whole content of the regular file at `index`; only its part of the blob is read. Throws `Oci2isoError` LAYER_TOC_MISMATCH (exit 5) where
	 * that does not have the digests of the table.
	 */
	content(index: number, signal?: AbortSignal): Promise<Buffer>;
}

interface LayerTocOptions {
	/** Names the layer in errors. */
	readonly where: string;
	readonly signal?: AbortSignal | undefined;
	/** Told of every part of the blob that was read. */
	readonly onBlobBytes?: ((bytes: number) => void) | undefined;
	/** Told why a table that is there is not used. */
	note(text: string): void;
}

/**
 * A layer's verified table of contents. Undefined where it has none, where parts of blobs cannot be had, and, with a note, where what it has is not
 * to be trusted. Throws as `BlobSource.part` does.
 */
export async function openLayerToc(
	source: BlobSource,
	descriptor: Descriptor,
	options: LayerTocOptions,
): Promise<LayerToc | undefined> {
	const part = source.part?.bind(source);
	if (part === undefined) return undefined;
	const tryPart = async (start: number, end: number, signal: AbortSignal | undefined): Promise<Buffer | undefined> => {
		try {
			return await cut(part(descriptor, { start, end }, signal), 0, end - start, options.onBlobBytes);
		} catch (error) {
			if (error instanceof Oci2isoError && error.code === RANGE_IGNORED) return undefined;
			throw error;
		}
	};
	const read = async (offset: number, end: number): Promise<Buffer> => {
		const bytes = await tryPart(offset, end, options.signal);
		if (bytes === undefined) throw new TocFault("the registry does not give parts of blobs");
		return bytes;
	};
	// Once the table is in use, a server that gives parts only now and then costs bytes.
	const readSurely: ReadPart = async (offset, end, signal) =>
		(await tryPart(offset, end, signal)) ??
		(await cut(source.blob(descriptor, signal), offset, end, options.onBlobBytes));
	try {
		const place = tocPlaceOf(descriptor);
		if (place === undefined) return undefined;
		const { format, position, digest } = place;
		let listing: TocListing;
		if (position !== undefined) {
			const bytes = await read(position.offset, position.offset + position.byteLength);
			listing = parseToc(await zstdChunkedJson(bytes, digest, position.jsonBytes), position.offset);
		} else {
			const footer = descriptor.size - ESTARGZ_FOOTER_BYTES;
			if (footer <= 0) throw new TocFault("the blob is too small");
			const offset = decodeEstargzFooter(await read(footer, descriptor.size), descriptor.size);
			listing = parseToc(await estargzJson(await read(offset, footer), digest), offset);
		}
		return layerToc(format, listing, readSurely, options.where);
	} catch (error) {
		if (!(error instanceof TocFault)) throw error;
		options.note(`${options.where}: its table of contents is not used: ${error.message}`);
		return undefined;
	}
}

type ReadPart = (offset: number, end: number, signal: AbortSignal | undefined) => Promise<Buffer>;

/** The part of a blob that is read from its start; shorter where the blob is. */
async function cut(
	blob: AsyncIterable<Uint8Array>,
	offset: number,
	end: number,
	onBytes: ((bytes: number) => void) | undefined,
): Promise<Buffer> {
	const pieces: Buffer[] = [];
	let at = 0;
	for await (const chunk of blob) {
		onBytes?.(chunk.byteLength);
		const first = Math.max(0, offset - at);
		if (first < chunk.byteLength) pieces.push(Buffer.from(chunk.subarray(first, end - at)));
		at += chunk.byteLength;
		if (at >= end) break;
	}
	return Buffer.concat(pieces);
}

function layerToc(format: TocFormat, { entries, contents }: TocListing, read: ReadPart, where: string): LayerToc {
	return {
		format,
		entries,
		async content(index, signal) {
			const { byteLength, path } = elementAt(entries, index);
			const content = contents.get(index);
			if (content === undefined || byteLength === 0) return Buffer.alloc(0);
			const stored = await read(content.offset, content.end, signal);
			const bytes = await inflate(format, stored, content, byteLength);
			if (bytes !== undefined) return bytes;
			const what = "what the table of contents points at is not the file's content";
			throw corrupt("LAYER_TOC_MISMATCH", what, `${where}, ${JSON.stringify(path.slice(0, 512))}`);
		},
	};
}

/** Undefined where it is not what the table says. */
async function inflate(
	format: TocFormat,
	stored: Buffer,
	{ skippedBytes, parts }: TocContent,
	byteLength: number,
): Promise<Buffer | undefined> {
	const bytes = Buffer.alloc(byteLength);
	let at = -skippedBytes;
	try {
		for await (const piece of decompress(format === "eStargz" ? "gzip" : "zstd", [stored], "")) {
			const start = Math.max(0, -at);
			if (start < piece.byteLength) bytes.set(piece.subarray(start, Math.max(start, byteLength - at)), Math.max(0, at));
			at += piece.byteLength;
			if (at >= byteLength) break;
		}
	} catch (error) {
		if (!(error instanceof Oci2isoError)) throw error;
		return undefined;
	}
	if (at < byteLength) return undefined;
	let position = 0;
	for (const part of parts) {
		const piece = bytes.subarray(position, position + part.byteLength);
		if (digestOf(piece, digestAlgorithm(part.digest)) !== part.digest) return undefined;
		position += part.byteLength;
	}
	return bytes;
}

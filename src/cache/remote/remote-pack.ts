import { hash } from "node:crypto";
import { inParallel } from "../../binary/in-parallel.ts";
import { inTurns } from "../../binary/turns.ts";
import { KiB, MiB } from "../../binary/units.ts";
import { corrupt, Oci2isoError } from "../../errors.ts";
import { RANGE_IGNORED } from "../../oci/blob-source.ts";
import type { RegistrySource } from "../../oci/registry/registry-source.ts";
import {
	decodingPackHead,
	encodingPackHead,
	MAX_CONTENT_BYTES,
	type PackEntry,
	type PackHead,
	packHeadBytes,
	storedBytes,
} from "../pack-format.ts";
import type { PendingFile } from "../store-directory.ts";
import { descriptorOf, type PackBlob, sha256 } from "./artifact.ts";
import { type BlockRange, coalesce } from "./block-ranges.ts";

/** Heads of packs are held in memory. */
export const MAX_HEAD_BYTES = 64 * MiB;
const RANGES = { maxGapBytes: 64 * KiB, maxBytes: 4 * MiB };
const REQUESTS_AT_A_TIME = 4;
/** Times that a stretch is fetched before its damage counts as the registry's. */
const TRIES = 2;

type Blobs = Pick<RegistrySource, "blob" | "part">;

/** A pack in a registry whose blocks can be fetched one by one. */
export interface RemotePack {
	readonly source: Blobs;
	readonly blob: PackBlob;
	readonly head: PackHead;
}

/** Code of the failure where the bytes in the registry are not what they were when they were pushed. */
export const REMOTE_DAMAGED = "CACHE_REMOTE_DAMAGED";

/** Fetches and checks what comes before the data. Throws CACHE_REMOTE_DAMAGED (exit 5) and what the registry's client throws. */
export async function openRemotePack(source: Blobs, blob: PackBlob, signal?: AbortSignal): Promise<RemotePack> {
	if (blob.headBytes > MAX_HEAD_BYTES) throw damagedBlob("has a head that is too large", blob);
	for (let tries = 1; ; tries++) {
		const bytes = await readPart(source, blob, 0, blob.headBytes, signal);
		const head =
			sha256(bytes) === blob.headDigest ? await inTurns(decodingPackHead(bytes, blob.size), signal) : undefined;
		if (head !== undefined && head.description.settings === blob.settings && isOrdered(head))
			return { source, blob, head };
		if (tries === TRIES) throw damagedBlob("is no pack", blob);
	}
}

/** Blocks one after the other, as a writer leaves them; others could make one byte of the pack count many times. */
function isOrdered({ entries }: PackHead): boolean {
	let end = 0;
	for (const entry of entries) {
		if (entry.offset < end) return false;
		end = entry.offset + storedBytes(entry);
	}
	return true;
}

/**
 * Fetches blocks of one pack into a pack of the local store, and returns its head. `wanted` ascends by offset. Every block is checked; after a failure
 * the file is of no use.
 */
export async function fetchBlocks(
	pack: RemotePack,
	wanted: readonly PackEntry[],
	file: PendingFile,
	signal?: AbortSignal,
): Promise<Buffer> {
	const { description } = pack.head;
	const dataOffset = packHeadBytes(description, wanted.length);
	const offsets = new Map<PackEntry, number>();
	let dataBytes = 0;
	const entries = wanted.map((entry): PackEntry => {
		const offset = dataBytes;
		offsets.set(entry, offset);
		dataBytes += storedBytes(entry);
		return { ...entry, offset };
	});
	const store = (block: PackEntry, bytes: Uint8Array): void =>
		file.write(dataOffset + (offsets.get(block) ?? 0), bytes);
	const ranges = coalesce(wanted, RANGES);
	const [first] = ranges;
	try {
		// tells whether there is anything but whole blobs to be had
		if (first !== undefined) await fetchRange(pack, first, store, signal);
		await inParallel(ranges.slice(1), REQUESTS_AT_A_TIME, (range) => fetchRange(pack, range, store, signal));
	} catch (error) {
		if (!(error instanceof Oci2isoError) || error.code !== RANGE_IGNORED) throw error;
		await fetchInOne(pack, wanted, store, signal);
	}
	const head = await inTurns(encodingPackHead(description, entries, dataBytes), signal);
	file.write(0, head);
	return head;
}

async function fetchRange(
	{ source, blob, head }: RemotePack,
	{ start, end, blocks }: BlockRange,
	store: (block: PackEntry, bytes: Uint8Array) => void,
	signal: AbortSignal | undefined,
): Promise<void> {
	for (let tries = 1; ; tries++) {
		const bytes = await readPart(source, blob, head.dataOffset + start, head.dataOffset + end, signal);
		const parts = blocks.map((block) =>
			bytes.subarray(block.offset - start, block.offset - start + storedBytes(block)),
		);
		if (blocks.every((block, i) => isIntact(block, parts[i]))) {
			for (const [i, block] of blocks.entries()) store(block, parts[i] ?? bytes);
			return;
		}
		if (tries === TRIES) throw damagedBlob("has a block with a wrong checksum", blob);
	}
}

/** Reads the blob from its start to the last block. */
async function fetchInOne(
	{ source, blob, head }: RemotePack,
	wanted: readonly PackEntry[],
	store: (block: PackEntry, bytes: Uint8Array) => void,
	signal: AbortSignal | undefined,
): Promise<void> {
	const largest = wanted.reduce((most, block) => Math.max(most, storedBytes(block)), 0);
	const buffer = Buffer.allocUnsafe(Math.min(largest, MAX_CONTENT_BYTES));
	let position = -head.dataOffset;
	let next = 0;
	for await (const piece of source.blob(descriptorOf(blob), signal)) {
		const pieceEnd = position + piece.byteLength;
		for (let block = wanted[next]; block !== undefined && block.offset < pieceEnd; block = wanted[next]) {
			const from = Math.max(position, block.offset);
			const blockEnd = block.offset + storedBytes(block);
			buffer.set(piece.subarray(from - position, blockEnd - position), from - block.offset);
			if (blockEnd > pieceEnd) break;
			const bytes = buffer.subarray(0, storedBytes(block));
			if (!isIntact(block, bytes)) throw damagedBlob("has a block with a wrong checksum", blob);
			store(block, bytes);
			next++;
		}
		position = pieceEnd;
		if (next === wanted.length) return;
	}
	throw damagedBlob("is cut short", blob);
}

async function readPart(
	source: Blobs,
	blob: PackBlob,
	start: number,
	end: number,
	signal: AbortSignal | undefined,
): Promise<Buffer> {
	const bytes = Buffer.allocUnsafe(end - start);
	let length = 0;
	try {
		for await (const piece of source.part(descriptorOf(blob), { start, end }, signal)) {
			bytes.set(piece, length);
			length += piece.byteLength;
		}
	} catch (error) {
		if (start > 0 || !(error instanceof Oci2isoError) || error.code !== RANGE_IGNORED) throw error;
		for await (const piece of source.blob(descriptorOf(blob), signal)) {
			const wanted = piece.subarray(0, end - length);
			bytes.set(wanted, length);
			length += wanted.byteLength;
			if (length === end) break;
		}
	}
	if (length !== bytes.byteLength) throw damagedBlob("is cut short", blob);
	return bytes;
}

function isIntact({ checksum }: PackEntry, bytes: Uint8Array | undefined): boolean {
	return bytes !== undefined && hash("sha256", bytes, "buffer").equals(checksum);
}

function damagedBlob(what: string, { digest }: PackBlob): Oci2isoError {
	return corrupt(REMOTE_DAMAGED, `a pack of the shared cache ${what}`, digest);
}

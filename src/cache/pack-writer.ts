import { hash } from "node:crypto";
import type { Steps } from "../binary/turns.ts";
import { MiB } from "../binary/units.ts";
import {
	encodingPackHead,
	MAX_PACK_ENTRIES,
	type PackDescription,
	type PackEntry,
	packHeadBytes,
	storedBytes,
} from "./pack-format.ts";
import type { StoreDirectory } from "./store-directory.ts";

const CHUNK_BYTES = MiB;

/** Reads the image that blocks were stored in; `into` is memory for the result. */
export type ReadImage = (position: number, length: number, into: Uint8Array) => Uint8Array;

/** A block to put into a pack. */
export interface PackedBlock extends Pick<PackEntry, "kind" | "key" | "storedSize" | "rawBytes"> {
	/** Where its stored bytes are: in memory, or at a position of what `read` reads. */
	readonly bytes: Uint8Array | number;
}

/**
 * Writes a pack under a name made of `prefix` and what it holds, in steps; returns the name. `read` gives the bytes at a position of the image that the
 * blocks were stored in; neighbours are read together. Throws what `node:fs` throws; what was written is removed then, and where the steps are stopped.
 */
export function* writingPack(
	directory: StoreDirectory,
	prefix: string,
	description: PackDescription,
	blocks: readonly PackedBlock[],
	read: ReadImage,
): Steps<string> {
	const kept = blocks.slice(0, MAX_PACK_ENTRIES);
	const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
	const dataOffset = packHeadBytes(description, kept.length);
	const file = directory.create("pack");
	try {
		const entries: PackEntry[] = [];
		let offset = 0;
		for (const run of runsOf(kept)) {
			const first = run[0];
			if (first === undefined) continue;
			const bytes = typeof first.bytes === "number" ? read(first.bytes, totalBytes(run), chunk) : first.bytes;
			file.write(dataOffset + offset, bytes);
			let at = 0;
			for (const { kind, key, storedSize, rawBytes } of run) {
				const length = storedBytes({ kind, storedSize });
				const checksum = hash("sha256", bytes.subarray(at, at + length), "buffer");
				entries.push({ kind, key, checksum, offset: offset + at, storedSize, rawBytes });
				at += length;
			}
			offset += at;
			yield;
		}
		const head = yield* encodingPackHead(description, entries, offset);
		file.write(0, head);
		const name = packName(prefix, head);
		file.publish(name);
		return name;
	} finally {
		file.discard();
	}
}

/** `prefix` is of the layer and the settings; what a pack holds decides the rest. `suffix` keeps packs of other machines apart. */
export function packName(prefix: string, head: Uint8Array, suffix = ""): string {
	return `${prefix}.${hash("sha256", head).slice(0, 16)}${suffix}.pack`;
}

/** Blocks that lie side by side, up to a chunk of them. */
function* runsOf(blocks: readonly PackedBlock[]): Generator<PackedBlock[]> {
	let run: PackedBlock[] = [];
	let end: number | undefined;
	let length = 0;
	for (const block of blocks) {
		const size = storedBytes(block);
		const follows = typeof block.bytes === "number" && block.bytes === end && length + size <= CHUNK_BYTES;
		if (!follows && run.length > 0) {
			yield run;
			run = [];
			length = 0;
		}
		run.push(block);
		length += size;
		end = typeof block.bytes === "number" ? block.bytes + size : undefined;
	}
	if (run.length > 0) yield run;
}

function totalBytes(run: readonly PackedBlock[]): number {
	return run.reduce((sum, block) => sum + storedBytes(block), 0);
}

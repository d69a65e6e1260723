import { type ByteString, bytesOf } from "../../binary/byte-string.ts";
import type { Steps } from "../../binary/turns.ts";
import { BLOCK_BYTES } from "./constants.ts";
import { DIRECTORY_ENTRY } from "./records.ts";

/** A name of a directory and what it names. */
export interface DirectoryEntry {
	readonly name: ByteString;
	readonly inodeNumber: number;
	/** `ENTRY_TYPE` */
	readonly type: number;
}

const DOTS = [".", ".."];

/** The names and the two dots, all in byte order, as Linux looks them up. */
export function* withDots(names: readonly ByteString[]): Generator<ByteString> {
	let dots = 0;
	for (const name of names) {
		for (let dot = DOTS[dots]; dot !== undefined && dot < name; dot = DOTS[++dots]) yield dot;
		yield name;
	}
	yield* DOTS.slice(dots);
}

/** Length of a directory of these names, the last block only as far as it is filled. A name a step. */
export function* directoryBytes(names: readonly ByteString[]): Steps<number> {
	let full = 0;
	let filled = 0;
	for (const { length } of withDots(names)) {
		const needed = DIRECTORY_ENTRY.byteLength + length;
		if (filled + needed > BLOCK_BYTES) {
			full += BLOCK_BYTES;
			filled = 0;
		}
		filled += needed;
		yield;
	}
	return full + filled;
}

/** Writes a directory's blocks, the last one as far as it is filled. An entry a step. */
export function* writingDirectory(entries: Iterable<DirectoryEntry>, write: (block: Buffer) => void): Steps<void> {
	let block: DirectoryEntry[] = [];
	let filled = 0;
	for (const entry of entries) {
		const needed = DIRECTORY_ENTRY.byteLength + entry.name.length;
		if (filled + needed > BLOCK_BYTES) {
			write(encodeBlock(block, BLOCK_BYTES));
			block = [];
			filled = 0;
		}
		block.push(entry);
		filled += needed;
		yield;
	}
	write(encodeBlock(block, filled));
}

function encodeBlock(entries: readonly DirectoryEntry[], byteLength: number): Buffer {
	const bytes = Buffer.alloc(byteLength);
	const view = new DataView(bytes.buffer, bytes.byteOffset, byteLength);
	let nameOffset = DIRECTORY_ENTRY.byteLength * entries.length;
	for (const [i, { name, inodeNumber, type }] of entries.entries()) {
		const entry = { inodeNumber: BigInt(inodeNumber), nameOffset, type };
		DIRECTORY_ENTRY.encodeInto(entry, view, DIRECTORY_ENTRY.byteLength * i);
		bytes.set(bytesOf(name), nameOffset);
		nameOffset += name.length;
	}
	return bytes;
}

import type { ByteSource } from "../../binary/byte-source.ts";
import { type ByteString, byteStringOf } from "../../binary/byte-string.ts";
import { ISO_BLOCK_BYTES } from "../../binary/units.ts";
import { corrupt, type Oci2isoError } from "../../errors.ts";
import { decodeRecordingDate } from "./dates.ts";
import {
	COMPONENT_FLAGS,
	continuationArea,
	NAME_FLAGS,
	posixAttributes,
	SHARING_PROTOCOL_CHECK,
	sharingProtocol,
	suspHead,
} from "./susp.ts";

/** What Rock Ridge says about one directory record. */
export interface RockRidge {
	readonly name: ByteString | undefined;
	/** `st_mode` with its type bits. */
	readonly attributes: { fileMode: number; links: number; uid: number; gid: number } | undefined;
	readonly mtimeSeconds: number | undefined;
	readonly linkTarget: ByteString | undefined;
	/** Bytes to skip in other records' areas, from SP; undefined without SP. */
	readonly skippedByteLength: number | undefined;
}

/** As many as the Linux kernel follows. */
const MAX_CONTINUATIONS = 32;
const MAX_NAME_BYTES = 255;
const MAX_TARGET_BYTES = 4096;

/** Reads the entries of one system use area and of what it continues in. Throws `Oci2isoError` BAD_SUSP. */
export async function readSystemUse(source: ByteSource, first: Uint8Array, where: string): Promise<RockRidge> {
	const state = new RockRidgeState(where);
	let area: Uint8Array | undefined = first;
	for (let followed = 0; area !== undefined; followed++) {
		if (followed > MAX_CONTINUATIONS)
			throw badSusp("a chain of continuation areas", where, `at most ${MAX_CONTINUATIONS}`);
		const next: Continuation | undefined = readArea(area, state, where);
		area = next === undefined ? undefined : await readContinuation(source, next, where);
	}
	return state.result();
}

interface Continuation {
	readonly block: number;
	readonly offset: number;
	readonly areaByteLength: number;
}

function readContinuation(source: ByteSource, { block, offset, areaByteLength }: Continuation, where: string) {
	if (offset + areaByteLength > ISO_BLOCK_BYTES)
		throw badSusp(`a continuation area at ${offset} of ${areaByteLength} bytes`, where, "an area within one block");
	return source.read(block * ISO_BLOCK_BYTES + offset, areaByteLength);
}

function readArea(area: Uint8Array, state: RockRidgeState, where: string): Continuation | undefined {
	let continuation: Continuation | undefined;
	for (let at = 0; at + suspHead.byteLength <= area.byteLength; ) {
		const { signature, entryByteLength } = suspHead.decode(area, at);
		if (entryByteLength === 0 && signature === "\0\0") break;
		if (entryByteLength < suspHead.byteLength || at + entryByteLength > area.byteLength)
			throw badSusp(`an entry of ${entryByteLength} bytes`, where, `4 to ${area.byteLength - at} bytes`);
		const entry = area.subarray(at, at + entryByteLength);
		if (signature === "ST") break;
		if (signature === "CE") continuation = requireLength(entry, continuationArea.byteLength, where, continuationArea);
		else state.add(signature, entry);
		at += entryByteLength;
	}
	return continuation;
}

function requireLength<Value>(
	entry: Uint8Array,
	byteLength: number,
	where: string,
	table: { decode(bytes: Uint8Array): Value },
): Value {
	if (entry.byteLength < byteLength)
		throw badSusp(`an entry of ${entry.byteLength} bytes`, where, `${byteLength} bytes`);
	return table.decode(entry);
}

/** Joins entries that continue in later ones. */
class RockRidgeState {
	readonly #where: string;
	#name: string | undefined;
	#target: string | undefined;
	/** True while the last component goes on in the next one. */
	#componentOpen = false;
	#attributes: RockRidge["attributes"];
	#mtimeSeconds: number | undefined;
	#skippedByteLength: number | undefined;

	constructor(where: string) {
		this.#where = where;
	}

	add(signature: string, entry: Uint8Array): void {
		if (signature === "PX") {
			// RRIP 1.12 adds a serial number at the end.
			const { fileMode, links, uid, gid } = requireLength(entry, 36, this.#where, posixAttributes);
			this.#attributes = { fileMode, links, uid, gid };
		} else if (signature === "NM") this.#addName(entry);
		else if (signature === "SL") this.#addTarget(entry);
		else if (signature === "TF") this.#addTimes(entry);
		else if (signature === "SP") {
			const { checkBytes, skippedByteLength } = requireLength(entry, 7, this.#where, sharingProtocol);
			if (checkBytes === SHARING_PROTOCOL_CHECK) this.#skippedByteLength = skippedByteLength;
		}
	}

	result(): RockRidge {
		return {
			name: this.#name,
			attributes: this.#attributes,
			mtimeSeconds: this.#mtimeSeconds,
			linkTarget: this.#target,
			skippedByteLength: this.#skippedByteLength,
		};
	}

	#addName(entry: Uint8Array): void {
		const flags = entry[4] ?? 0;
		if ((flags & (NAME_FLAGS.self | NAME_FLAGS.parent)) !== 0) return;
		this.#name = (this.#name ?? "") + byteStringOf(entry.subarray(5));
		if (this.#name.length > MAX_NAME_BYTES)
			throw badSusp("a long name", this.#where, `at most ${MAX_NAME_BYTES} bytes`);
	}

	#addTarget(entry: Uint8Array): void {
		for (let at = 5; at < entry.byteLength; ) {
			const flags = entry[at] ?? 0;
			const end = at + 2 + (entry[at + 1] ?? 0);
			if (at + 2 > entry.byteLength || end > entry.byteLength)
				throw badSusp("a link component beyond its entry", this.#where, "a component within its entry");
			this.#addComponent(flags, byteStringOf(entry.subarray(at + 2, end)));
			at = end;
		}
		if ((this.#target ?? "").length > MAX_TARGET_BYTES)
			throw badSusp("a long link target", this.#where, `at most ${MAX_TARGET_BYTES} bytes`);
	}

	#addComponent(flags: number, content: ByteString): void {
		const before = this.#target ?? "";
		const joined = this.#componentOpen || before === "" || before === "/" ? before : `${before}/`;
		if ((flags & COMPONENT_FLAGS.root) !== 0) this.#target = "/";
		else if ((flags & COMPONENT_FLAGS.self) !== 0) this.#target = `${joined}.`;
		else if ((flags & COMPONENT_FLAGS.parent) !== 0) this.#target = `${joined}..`;
		else this.#target = joined + content;
		this.#componentOpen = (flags & COMPONENT_FLAGS.continued) !== 0;
	}

	#addTimes(entry: Uint8Array): void {
		const flags = entry[4] ?? 0;
		const LONG_FORM = 0x80;
		const CREATION = 0x01;
		const MODIFICATION = 0x02;
		if ((flags & LONG_FORM) !== 0 || (flags & MODIFICATION) === 0) return;
		const at = 5 + ((flags & CREATION) !== 0 ? 7 : 0);
		if (at + 7 > entry.byteLength) throw badSusp("a TF entry without its times", this.#where, "7 bytes for each time");
		this.#mtimeSeconds = decodeRecordingDate(entry.subarray(at, at + 7));
	}
}

function badSusp(what: string, where: string, expected: string): Oci2isoError {
	return corrupt("BAD_SUSP", `ISO 9660 system use area: ${what}`, where, expected);
}

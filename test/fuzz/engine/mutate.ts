import type { Random } from "./random.ts";

/** Numbers at the edges of fields, where range checks go wrong. */
const EDGES = [
	0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
];

export interface MutateOptions {
	readonly maxBytes: number;
	/** Words of the format. */
	readonly dictionary: readonly Uint8Array[];
	/** Another input of the corpus, to splice with. */
	readonly other: Uint8Array;
}

/** A changed copy of `input`: one to eight edits of bits, bytes, numbers, stretches and words. */
export function mutate(input: Uint8Array, random: Random, options: MutateOptions): Buffer {
	let bytes: Buffer = Buffer.from(input);
	for (let edits = 1 << random.below(4); edits > 0; edits--) bytes = edit(bytes, random, options);
	return bytes.subarray(0, options.maxBytes);
}

function edit(bytes: Buffer, random: Random, { dictionary, other, maxBytes }: MutateOptions): Buffer {
	const at = random.below(bytes.byteLength + 1);
	const left = bytes.byteLength - at;
	switch (random.below(11)) {
		case 0:
			if (left > 0) bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random.below(8)), at);
			return bytes;
		case 1:
			if (left > 0) bytes.writeUInt8(random.below(256), at);
			return bytes;
		case 2:
			if (left > 0) bytes.writeUInt8((bytes.readUInt8(at) + random.below(33) + 240) & 0xff, at);
			return bytes;
		case 3:
			return writeEdge(bytes, at, random);
		case 4:
			return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.below(Math.min(left, 64) + 1))]);
		case 5: {
			const noise = Buffer.from(Array.from({ length: 1 + random.below(16) }, () => random.below(256)));
			return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)]);
		}
		case 6: {
			const copied = bytes.subarray(at, at + 1 + random.below(64));
			const to = random.below(bytes.byteLength + 1);
			const times = random.below(16) === 0 ? 1 + random.below(200) : 1;
			if (bytes.byteLength + copied.byteLength * times > maxBytes) return bytes;
			return Buffer.concat([bytes.subarray(0, to), ...Array.from({ length: times }, () => copied), bytes.subarray(to)]);
		}
		case 7: {
			const from = random.below(bytes.byteLength + 1);
			bytes.copy(bytes, at, from, from + 1 + random.below(64));
			return bytes;
		}
		case 8: {
			const word = random.pick(dictionary);
			if (word === undefined) return writeEdge(bytes, at, random);
			const replaced = random.below(2) === 0 ? word.byteLength : 0;
			return Buffer.concat([bytes.subarray(0, at), word, bytes.subarray(at + replaced)]);
		}
		case 9:
			return Buffer.concat([bytes.subarray(0, at), other.subarray(random.below(other.byteLength + 1))]);
		default:
			return random.below(4) === 0 ? bytes.subarray(0, at) : bytes;
	}
}

function writeEdge(bytes: Buffer, at: number, random: Random): Buffer {
	const value = (random.pick(EDGES) ?? 0) >>> 0;
	const width = random.pick([1, 2, 4, 8]) ?? 1;
	if (at + width > bytes.byteLength) return bytes;
	const bigEndian = random.below(3) === 0;
	if (width === 1) bytes.writeUInt8(value & 0xff, at);
	else if (width === 2) bigEndian ? bytes.writeUInt16BE(value & 0xffff, at) : bytes.writeUInt16LE(value & 0xffff, at);
	else if (width === 4) bigEndian ? bytes.writeUInt32BE(value, at) : bytes.writeUInt32LE(value, at);
	else {
		const wide = random.below(2) === 0 ? BigInt(value) : BigInt.asUintN(64, BigInt(value) << BigInt(random.below(33)));
		bigEndian ? bytes.writeBigUInt64BE(wide, at) : bytes.writeBigUInt64LE(wide, at);
	}
	return bytes;
}

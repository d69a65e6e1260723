export interface ElfParts {
	readonly needed?: readonly string[];
	readonly rpath?: string;
	readonly runpath?: string;
	/** Absent: none. */
	readonly interpreter?: string;
	readonly machine?: number;
}

const BASE = 0x400000;

/** A small dynamic ELF file with every part that is read, in either class; nothing in it runs. */
export function makeElf(bits: 32 | 64, parts: ElfParts = {}): Buffer {
	const wide = bits === 64;
	const word = wide ? 8 : 4;
	const headerBytes = wide ? 64 : 52;
	const programHeaderBytes = wide ? 56 : 32;
	const interpreter = Buffer.from(parts.interpreter === undefined ? "" : `${parts.interpreter}\0`);
	const segmentCount = parts.interpreter === undefined ? 2 : 3;

	let strings = "\0";
	const place = (text: string): number => {
		strings += `${text}\0`;
		return strings.length - text.length - 1;
	};
	const named: [number, number][] = (parts.needed ?? []).map((name) => [1, place(name)]);
	if (parts.runpath !== undefined) named.push([29, place(parts.runpath)]);
	if (parts.rpath !== undefined) named.push([15, place(parts.rpath)]);

	const stringsAt = headerBytes + segmentCount * programHeaderBytes;
	const interpreterAt = stringsAt + strings.length;
	const dynamicAt = interpreterAt + interpreter.byteLength;
	const dynamic = [...named, [5, BASE + stringsAt], [10, strings.length], [0, 0]] as const;
	const bytes = Buffer.alloc(dynamicAt + dynamic.length * 2 * word);
	const put = (at: number, value: number): void => {
		if (wide) bytes.writeBigUInt64LE(BigInt(value), at);
		else bytes.writeUInt32LE(value, at);
	};
	bytes.write("\x7fELF", "latin1");
	bytes.set([wide ? 2 : 1, 1, 1], 4);
	bytes.writeUInt16LE(3, 16);
	bytes.writeUInt16LE(parts.machine ?? 62, 18);
	put(wide ? 32 : 28, headerBytes);
	bytes.writeUInt16LE(programHeaderBytes, wide ? 54 : 42);
	bytes.writeUInt16LE(segmentCount, wide ? 56 : 44);
	const segments = [
		[1, 0, bytes.byteLength],
		[2, dynamicAt, dynamic.length * 2 * word],
		[3, interpreterAt, interpreter.byteLength],
	] as const;
	for (const [index, [type, offset, length]] of segments.slice(0, segmentCount).entries()) {
		const at = headerBytes + index * programHeaderBytes;
		bytes.writeUInt32LE(type, at);
		put(at + (wide ? 8 : 4), offset);
		put(at + (wide ? 16 : 8), BASE + offset);
		put(at + (wide ? 32 : 16), length);
	}
	bytes.write(strings, stringsAt, "latin1");
	interpreter.copy(bytes, interpreterAt);
	for (const [index, [tag, value]] of dynamic.entries()) {
		put(dynamicAt + index * 2 * word, tag);
		put(dynamicAt + index * 2 * word + word, value);
	}
	return bytes;
}

import { assert } from "../errors.ts";

/** One field's place and its two directions. `Value` is what callers see. */
export interface Field<Value> {
	readonly offset: number;
	readonly byteLength: number;
	encode(value: Value, view: DataView, at: number): void;
	decode(view: DataView, at: number): Value;
}

// biome-ignore lint/suspicious/noExplicitAny: a table mixes value types; each field keeps its own
export type Fields = Readonly<Record<string, Field<any>>>;
export type ValuesOf<Table extends Fields> = { [Name in keyof Table]: Table[Name] extends Field<infer V> ? V : never };

/** A fixed-size on-disk record, described once and used in both directions. */
export interface RecordType<Table extends Fields> {
	readonly name: string;
	readonly byteLength: number;
	readonly fields: Table;
	/** Bytes no field covers are zero. */
	encode(values: ValuesOf<Table>): Buffer;
	/** The same into `view` at `at`. Bytes no field covers stay as they are. */
	encodeInto(values: ValuesOf<Table>, view: DataView, at: number): void;
	/** Reads at `offset`; throws RangeError where `bytes` is too short. Values are not validated. */
	decode(bytes: Uint8Array, offset?: number): ValuesOf<Table>;
}

/**
 * Declares a record from fields at the specification's own positions.
 * Throws at load time when fields overlap or leave the record.
 */
export function record<Table extends Fields>(name: string, byteLength: number, fields: Table): RecordType<Table> {
	const ordered = Object.entries(fields).sort(([, a], [, b]) => a.offset - b.offset);
	let end = 0;
	for (const [field, { offset, byteLength: length }] of ordered) {
		assert(offset >= end, `${name}.${field} overlaps the field before it`);
		end = offset + length;
	}
	assert(end <= byteLength, `${name} is longer than ${byteLength} bytes`);
	const names = ordered.map(([field]) => field);
	const types = ordered.map(([, type]) => type);
	const encodeInto = (values: ValuesOf<Table>, view: DataView, at: number): void => {
		// no iterator: tables have hundreds of thousands of fields
		for (let i = 0; i < types.length; i++) {
			const type = types[i];
			type?.encode(values[names[i] ?? ""], view, at + type.offset);
		}
	};
	return {
		name,
		byteLength,
		fields,
		encode(values) {
			// From node's pool: a buffer of its own would cost more than the fields.
			const bytes = Buffer.allocUnsafe(byteLength).fill(0);
			encodeInto(values, new DataView(bytes.buffer, bytes.byteOffset, byteLength), 0);
			return bytes;
		},
		encodeInto,
		decode(bytes, offset = 0) {
			if (bytes.byteLength - offset < byteLength) throw new RangeError(`${name} needs ${byteLength} bytes`);
			const view = new DataView(bytes.buffer, bytes.byteOffset + offset, byteLength);
			const values: Record<string, unknown> = {};
			for (let i = 0; i < types.length; i++) {
				const type = types[i];
				values[names[i] ?? ""] = type?.decode(view, type.offset);
			}
			return values as ValuesOf<Table>;
		},
	};
}

/** Field constructors for tables whose specification counts bytes from 0 (squashfs, GPT, FAT, El Torito). */
export const from0 = fieldsFrom(0);
/** Field constructors for tables whose specification counts bytes from 1 (ECMA-119 "BP", SUSP, RRIP). */
export const from1 = fieldsFrom(1);

function fieldsFrom(base: number) {
	const place = (position: number): number => position - base;
	const integer =
		(byteLength: 1 | 2 | 4, littleEndian: boolean) =>
		(position: number): Field<number> => ({
			offset: place(position),
			byteLength,
			encode: (value, view, at) => setUint(view, at, byteLength, value, littleEndian),
			decode: (view, at) => getUint(view, at, byteLength, littleEndian),
		});
	const both =
		(byteLength: 2 | 4) =>
		(position: number): Field<number> => ({
			offset: place(position),
			byteLength: byteLength * 2,
			encode: (value, view, at) => {
				setUint(view, at, byteLength, value, true);
				setUint(view, at + byteLength, byteLength, value, false);
			},
			decode: (view, at) => getUint(view, at, byteLength, true),
		});
	const bytes = (position: number, byteLength: number): Field<Uint8Array> => ({
		offset: place(position),
		byteLength,
		encode: (value, view, at) => {
			assert(value.byteLength <= byteLength, `${value.byteLength} bytes do not fit a field of ${byteLength}`);
			new Uint8Array(view.buffer, view.byteOffset + at, byteLength).set(value);
		},
		decode: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, byteLength).slice(),
	});
	return {
		u8: integer(1, true),
		u16le: integer(2, true),
		u16be: integer(2, false),
		u32le: integer(4, true),
		u32be: integer(4, false),
		/** ECMA-119 7.2.3: little-endian, then the same value big-endian. */
		u16both: both(2),
		/** ECMA-119 7.3.3 */
		u32both: both(4),
		u64le: (position: number): Field<bigint> => ({
			offset: place(position),
			byteLength: 8,
			encode: (value, view, at) => view.setBigUint64(at, value, true),
			decode: (view, at) => view.getBigUint64(at, true),
		}),
		/** A 64-bit field whose value is at most 2^53 - 1; larger values on disk decode to Infinity. */
		safe64le: (position: number): Field<number> => ({
			offset: place(position),
			byteLength: 8,
			encode: (value, view, at) => view.setBigUint64(at, BigInt(value), true),
			decode: (view, at) => {
				const value = view.getBigUint64(at, true);
				return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.POSITIVE_INFINITY : Number(value);
			},
		}),
		bytes,
		/** Latin-1 text padded with `pad` (default space) to the field's length. Decoding strips the padding at the end. */
		text: (position: number, byteLength: number, pad = " "): Field<string> => ({
			offset: place(position),
			byteLength,
			encode: (value, view, at) => {
				assert(value.length <= byteLength, `"${value}" does not fit a field of ${byteLength} bytes`);
				const target = Buffer.from(view.buffer, view.byteOffset + at, byteLength);
				target.fill(pad, "latin1");
				target.write(value, "latin1");
			},
			decode: (view, at) => {
				const text = Buffer.from(view.buffer, view.byteOffset + at, byteLength).toString("latin1");
				let end = text.length;
				while (end > 0 && text[end - 1] === pad) end--;
				return text.slice(0, end);
			},
		}),
	};
}

function setUint(view: DataView, at: number, byteLength: 1 | 2 | 4, value: number, littleEndian: boolean): void {
	// The message is made only where it is needed: tables have hundreds of thousands of fields.
	const limit = byteLength === 4 ? 0x1_0000_0000 : byteLength === 2 ? 0x1_0000 : 0x100;
	if (!(Number.isInteger(value) && value >= 0 && value < limit))
		assert(false, `${value} does not fit ${byteLength} bytes`);
	if (byteLength === 1) view.setUint8(at, value);
	else if (byteLength === 2) view.setUint16(at, value, littleEndian);
	else view.setUint32(at, value, littleEndian);
}

function getUint(view: DataView, at: number, byteLength: 1 | 2 | 4, littleEndian: boolean): number {
	if (byteLength === 1) return view.getUint8(at);
	return byteLength === 2 ? view.getUint16(at, littleEndian) : view.getUint32(at, littleEndian);
}

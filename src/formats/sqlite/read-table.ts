/** What is wrong with a database. */
export class SqliteFault extends Error {}

export type SqliteValue = null | number | bigint | string | Buffer;

interface Row {
	readonly id: number;
	readonly values: readonly SqliteValue[];
}

const MAGIC = "SQLite format 3\0";
const HEADER_BYTES = 100;
const MIN_PAGE_BYTES = 512;
const INTERIOR_TABLE = 0x05;
const LEAF_TABLE = 0x0d;
const INTERIOR_HEADER_BYTES = 12;
const LEAF_HEADER_BYTES = 8;
const MAX_VARINT_BYTES = 9;
/** Columns of what is read here; SQLite's own limit is 32767. */
const MAX_COLUMNS = 100;

/**
 * Rows of one table of an SQLite database, in the order of their ids ("Database File Format", sections 1 and 2). What a write-ahead log holds is not in it.
 * Every page is taken at most once, so that a damaged database ends. A value is valid until the next row. Throws `SqliteFault`.
 */
export function* readTable(file: Uint8Array, name: string): Generator<readonly SqliteValue[], void, undefined> {
	const database = new Database(file);
	for (const { values } of database.rows(1)) {
		const [type, table, , root] = values;
		if (type !== "table" || table !== name) continue;
		if (typeof root !== "number") throw new SqliteFault(`the table ${name} is nowhere`);
		for (const row of database.rows(root)) yield row.values;
		return;
	}
	throw new SqliteFault(`there is no table ${name}`);
}

class Database {
	readonly #bytes: Buffer;
	readonly #pageBytes: number;
	/** Of a page, without what is reserved for extensions. */
	readonly #usableBytes: number;
	readonly #pages: number;
	readonly #taken: Uint8Array;

	constructor(file: Uint8Array) {
		this.#bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
		if (file.byteLength < HEADER_BYTES || this.#bytes.toString("latin1", 0, MAGIC.length) !== MAGIC)
			throw new SqliteFault("it does not begin as an SQLite database");
		const asWritten = this.#bytes.readUInt16BE(16);
		this.#pageBytes = asWritten === 1 ? 65_536 : asWritten;
		this.#usableBytes = this.#pageBytes - this.#bytes.readUInt8(20);
		const isPowerOfTwo = (this.#pageBytes & (this.#pageBytes - 1)) === 0;
		if (this.#pageBytes < MIN_PAGE_BYTES || !isPowerOfTwo || this.#usableBytes < 480)
			throw new SqliteFault(`its pages have ${this.#pageBytes} bytes`);
		if (this.#bytes.readUInt32BE(56) !== 1) throw new SqliteFault("its texts are not UTF-8");
		this.#pages = Math.floor(file.byteLength / this.#pageBytes);
		this.#taken = new Uint8Array(this.#pages + 1);
	}

	/** Of the table whose tree begins at a page. */
	*rows(root: number): Generator<Row, void, undefined> {
		// the last one is next
		const pending = [root];
		for (let number = pending.pop(); number !== undefined; number = pending.pop()) {
			const start = this.#take(number);
			const head = start + (number === 1 ? HEADER_BYTES : 0);
			const kind = this.#bytes.readUInt8(head);
			const cells = this.#bytes.readUInt16BE(head + 3);
			const array = head + (kind === INTERIOR_TABLE ? INTERIOR_HEADER_BYTES : LEAF_HEADER_BYTES);
			if (array + cells * 2 > start + this.#pageBytes) throw new SqliteFault(`page ${number} has ${cells} cells`);
			if (kind === INTERIOR_TABLE) {
				const children: number[] = [];
				for (let i = 0; i < cells; i++) children.push(this.#uint32(start, this.#cellAt(start, array, i)));
				children.push(this.#bytes.readUInt32BE(head + 8));
				if (pending.length + children.length > this.#pages) throw new SqliteFault("its pages form no tree");
				pending.push(...children.reverse());
			} else if (kind === LEAF_TABLE) {
				for (let i = 0; i < cells; i++) yield this.#row(start, this.#cellAt(start, array, i));
			} else throw new SqliteFault(`page ${number} is none of a table`);
		}
	}

	/** Where a page begins in the file. */
	#take(number: number): number {
		if (number < 1 || number > this.#pages) throw new SqliteFault(`page ${number} is not there`);
		if (this.#taken[number] === 1) throw new SqliteFault(`page ${number} is used twice`);
		this.#taken[number] = 1;
		return (number - 1) * this.#pageBytes;
	}

	#cellAt(start: number, array: number, index: number): number {
		const offset = this.#bytes.readUInt16BE(array + index * 2);
		if (offset >= this.#usableBytes) throw new SqliteFault("a cell is beyond its page");
		return start + offset;
	}

	#row(start: number, at: number): Row {
		const end = start + this.#usableBytes;
		const cell = new Cursor(this.#bytes, at, end);
		const length = cell.varint();
		const id = cell.varint();
		const maxLocal = this.#usableBytes - 35;
		if (length > this.#bytes.byteLength) throw new SqliteFault(`a row of ${length} bytes is longer than the database`);
		if (length <= maxLocal) return { id, values: valuesOf(cell.take(length)) };
		const minLocal = Math.floor(((this.#usableBytes - 12) * 32) / 255) - 23;
		const split = minLocal + ((length - minLocal) % (this.#usableBytes - 4));
		const local = cell.take(split <= maxLocal ? split : minLocal);
		return { id, values: valuesOf(this.#overflowing(local, length, this.#uint32(start, cell.at))) };
	}

	#overflowing(local: Buffer, length: number, first: number): Buffer {
		const whole = Buffer.allocUnsafe(length);
		let done = local.copy(whole);
		for (let page = first; done < length; ) {
			const start = this.#take(page);
			page = this.#bytes.readUInt32BE(start);
			done += this.#bytes.copy(whole, done, start + 4, start + this.#usableBytes);
		}
		return whole;
	}

	#uint32(start: number, at: number): number {
		if (at + 4 > start + this.#pageBytes) throw new SqliteFault("a number is beyond its page");
		return this.#bytes.readUInt32BE(at);
	}
}

class Cursor {
	readonly #bytes: Buffer;
	readonly #end: number;
	at: number;

	constructor(bytes: Buffer, at: number, end: number) {
		this.#bytes = bytes;
		this.at = at;
		this.#end = end;
	}

	/** Beyond 2^53 not exact, which is more than any length. */
	varint(): number {
		let value = 0;
		for (let i = 1; i <= MAX_VARINT_BYTES; i++) {
			if (this.at >= this.#end) throw new SqliteFault("a number is beyond its page");
			const byte = this.#bytes.readUInt8(this.at++);
			if (i === MAX_VARINT_BYTES) return value * 256 + byte;
			value = value * 128 + (byte & 0x7f);
			if (byte < 0x80) break;
		}
		return value;
	}

	take(byteLength: number): Buffer {
		if (this.at + byteLength > this.#end) throw new SqliteFault("a row is beyond its page");
		this.at += byteLength;
		return this.#bytes.subarray(this.at - byteLength, this.at);
	}
}

/** Of a record: a header of types, then what they say. */
function valuesOf(record: Buffer): SqliteValue[] {
	const header = new Cursor(record, 0, record.byteLength);
	const headerBytes = header.varint();
	if (headerBytes > record.byteLength) throw new SqliteFault("a row's header is longer than the row");
	const body = new Cursor(record, headerBytes, record.byteLength);
	const values: SqliteValue[] = [];
	while (header.at < headerBytes) {
		if (values.length >= MAX_COLUMNS) throw new SqliteFault(`a row has more than ${MAX_COLUMNS} columns`);
		values.push(columnOf(header.varint(), body));
	}
	return values;
}

const INTEGER_BYTES = [0, 1, 2, 3, 4, 6, 8];

function columnOf(type: number, body: Cursor): SqliteValue {
	if (type === 0) return null;
	if (type === 8 || type === 9) return type - 8;
	if (type === 7) return body.take(8).readDoubleBE(0);
	if (type === 6) return body.take(8).readBigInt64BE(0);
	if (type < 6) {
		const byteLength = INTEGER_BYTES[type] ?? 0;
		return body.take(byteLength).readIntBE(0, byteLength);
	}
	if (type < 12) throw new SqliteFault(`a value is of type ${type}`);
	const bytes = body.take(Math.floor((type - 12) / 2));
	return type % 2 === 0 ? bytes : bytes.toString("utf8");
}

const SCHEMA = "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)";

/** An SQLite database with one table of blobs, as rpm has them; a leaf has up to three rows, and an interior page all leaves. */
export function sqliteDatabase(blobs: readonly Uint8Array[], pageBytes = 512): Buffer {
	const pages: Buffer[] = [Buffer.alloc(pageBytes), Buffer.alloc(pageBytes)];
	const add = (): { readonly number: number; readonly page: Buffer } => {
		const page = Buffer.alloc(pageBytes);
		return { number: pages.push(page), page };
	};
	const overflow = (rest: Buffer): number => {
		if (rest.byteLength === 0) return 0;
		const { number, page } = add();
		page.writeUInt32BE(overflow(rest.subarray(pageBytes - 4)));
		rest.copy(page, 4, 0, pageBytes - 4);
		return number;
	};
	const cell = (id: number, values: readonly (Uint8Array | string | number | null)[]): Buffer => {
		const payload = sqliteRecord(values);
		const [max, min] = [pageBytes - 35, Math.floor(((pageBytes - 12) * 32) / 255) - 23];
		const split = min + ((payload.byteLength - min) % (pageBytes - 4));
		const local = payload.byteLength <= max ? payload.byteLength : split <= max ? split : min;
		const first = overflow(payload.subarray(local));
		const next = Buffer.alloc(local < payload.byteLength ? 4 : 0);
		if (next.byteLength > 0) next.writeUInt32BE(first);
		return Buffer.concat([varint(payload.byteLength), varint(id), payload.subarray(0, local), next]);
	};
	const leaf = (page: Buffer, head: number, cells: readonly Buffer[]): void => {
		page.writeUInt8(0x0d, head);
		page.writeUInt16BE(cells.length, head + 3);
		let end = pageBytes;
		for (const [i, each] of cells.entries()) {
			end -= each.byteLength;
			each.copy(page, end);
			page.writeUInt16BE(end, head + 8 + 2 * i);
		}
	};
	const leaves: number[] = [];
	let cells: Buffer[] = [];
	const endLeaf = (): void => {
		const { number, page } = add();
		leaf(page, 0, cells);
		leaves.push(number);
		cells = [];
	};
	for (const [i, blob] of blobs.entries()) {
		const next = cell(i + 1, [null, blob]);
		const bytes = [...cells, next].reduce((sum, each) => sum + each.byteLength + 2, 8);
		if (cells.length === 3 || bytes > pageBytes) endLeaf();
		cells.push(next);
	}
	if (cells.length > 0) endLeaf();
	const [schema, root] = [pages[0] ?? Buffer.alloc(0), pages[1] ?? Buffer.alloc(0)];
	if (leaves.length === 0) leaf(root, 0, []);
	else {
		root.writeUInt8(0x05);
		root.writeUInt16BE(leaves.length - 1, 3);
		root.writeUInt32BE(leaves.at(-1) ?? 0, 8);
		for (const [i, number] of leaves.slice(0, -1).entries()) {
			const at = pageBytes - 6 * (i + 1);
			root.writeUInt16BE(at, 12 + 2 * i);
			root.writeUInt32BE(number, at);
			varint(i + 1).copy(root, at + 4);
		}
	}
	leaf(schema, 100, [cell(1, ["table", "Packages", "Packages", 2, SCHEMA])]);
	schema.write("SQLite format 3\0", "latin1");
	schema.writeUInt16BE(pageBytes === 65_536 ? 1 : pageBytes, 16);
	schema.writeUInt32BE(1, 56);
	return Buffer.concat(pages);
}

function sqliteRecord(values: readonly (Uint8Array | string | number | null)[]): Buffer {
	const bodies = values.map((value) => {
		if (value === null) return Buffer.alloc(0);
		return typeof value === "number" ? Buffer.from([value]) : Buffer.from(value as string);
	});
	const types = values.map((value, i) => {
		if (value === null) return varint(0);
		if (typeof value === "number") return varint(1);
		return varint((bodies[i]?.byteLength ?? 0) * 2 + (typeof value === "string" ? 13 : 12));
	});
	const header = Buffer.concat(types);
	return Buffer.concat([varint(header.byteLength + 1), header, ...bodies]);
}

function varint(value: number): Buffer {
	const bytes = [value % 128];
	for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift((rest % 128) | 0x80);
	return Buffer.from(bytes);
}

/** A header of rpm's: texts and numbers by tag, in the order of the tags. */
export function rpmHeader(fields: Readonly<Record<number, string | number>>): Buffer {
	const entries: Buffer[] = [];
	let data = Buffer.alloc(0);
	for (const [tag, value] of Object.entries(fields)) {
		const isNumber = typeof value === "number";
		if (isNumber) data = Buffer.concat([data, Buffer.alloc((4 - (data.byteLength % 4)) % 4)]);
		const entry = Buffer.alloc(16);
		entry.writeUInt32BE(Number(tag));
		entry.writeUInt32BE(isNumber ? 4 : 6, 4);
		entry.writeUInt32BE(data.byteLength, 8);
		entry.writeUInt32BE(1, 12);
		entries.push(entry);
		const bytes = Buffer.from(isNumber ? "\0\0\0\0" : `${value}\0`);
		if (isNumber) bytes.writeUInt32BE(value);
		data = Buffer.concat([data, bytes]);
	}
	const preamble = Buffer.alloc(8);
	preamble.writeUInt32BE(entries.length);
	preamble.writeUInt32BE(data.byteLength, 4);
	return Buffer.concat([preamble, ...entries, data]);
}

/** rpm's own database with these headers. */
export function ndbDatabase(blobs: readonly Uint8Array[]): Buffer {
	const slots = Buffer.alloc(4096);
	slots.write("RpmP", "latin1");
	slots.writeUInt32LE(1, 12);
	for (let at = 32; at < slots.byteLength; at += 16) slots.write("Slot", at, "latin1");
	const parts: Buffer[] = [slots];
	let end = slots.byteLength;
	for (const [i, blob] of blobs.entries()) {
		const part = Buffer.alloc(16 + Math.ceil((blob.byteLength + 12) / 16) * 16);
		part.write("BlbS", "latin1");
		part.writeUInt32LE(i + 1, 4);
		part.writeUInt32LE(blob.byteLength, 12);
		part.set(blob, 16);
		slots.writeUInt32LE(i + 1, 32 + 16 * i + 4);
		slots.writeUInt32LE(end / 16, 32 + 16 * i + 8);
		slots.writeUInt32LE(part.byteLength / 16, 32 + 16 * i + 12);
		parts.push(part);
		end += part.byteLength;
	}
	return Buffer.concat(parts);
}

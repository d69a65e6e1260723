import type { Fields, RecordType, ValuesOf } from "../../binary/record.ts";

/** True where the named fields of `bytes` are as `values` encodes them; a both-endian field decodes only one of its halves. */
export function sameBytes<Table extends Fields>(
	table: RecordType<Table>,
	values: ValuesOf<Table>,
	bytes: Uint8Array,
	names: readonly (keyof Table & string)[],
): boolean {
	const view = new DataView(new ArrayBuffer(table.byteLength));
	return names.every((name) => {
		const field = table.fields[name];
		if (field === undefined) return false;
		field.encode(values[name], view, field.offset);
		const end = field.offset + field.byteLength;
		return (
			Buffer.compare(Buffer.from(view.buffer, field.offset, field.byteLength), bytes.subarray(field.offset, end)) === 0
		);
	});
}

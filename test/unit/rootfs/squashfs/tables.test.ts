import { describe, expect, it } from "vitest";
import * as records from "../../../../src/rootfs/squashfs/records.ts";
import { SUPERBLOCK } from "../../../../src/rootfs/squashfs/superblock.ts";

describe("records", () => {
	it.each(Object.values({ ...records, SUPERBLOCK }).map((type) => [type.name, type] as const))(
		"%s decodes what it encodes",
		(_, type) => {
			const bytes = Buffer.from(Array.from({ length: type.byteLength }, (_, i) => i + 1));
			for (const field of Object.values(type.fields)) if (field.byteLength === 8) bytes[field.offset + 7] = 0;
			for (const field of Object.values(type.fields)) if (field.byteLength === 8) bytes[field.offset + 6] = 0;
			// biome-ignore lint/suspicious/noExplicitAny: one test for records of different types
			expect(type.encode(type.decode(bytes) as any)).toEqual(clearGaps(bytes, type.fields));
		},
	);

	it("know a superblock that mksquashfs wrote", () => {
		const bytes = Buffer.from(
			"68737173020000009ae4006b000002000100000006001100c0000100040000002000000000000000ec00000000000000" +
				"e400000000000000ffffffffffffffff63000000000000009300000000000000bc00000000000000d600000000000000",
			"hex",
		);
		const superblock = SUPERBLOCK.decode(bytes);
		expect(superblock).toMatchObject({ inodeCount: 2, compressor: 6, blockLog2: 17, idCount: 1, rootInode: 0x20n });
		expect(superblock).toMatchObject({ bytesUsed: 236, inodeTable: 0x63n, xattrTable: 0xffff_ffff_ffff_ffffn });
		expect(SUPERBLOCK.encode(superblock)).toEqual(bytes);
	});
});

function clearGaps(bytes: Buffer, fields: Readonly<Record<string, { offset: number; byteLength: number }>>): Buffer {
	const out = Buffer.alloc(bytes.byteLength);
	for (const { offset, byteLength } of Object.values(fields)) bytes.copy(out, offset, offset, offset + byteLength);
	return out;
}

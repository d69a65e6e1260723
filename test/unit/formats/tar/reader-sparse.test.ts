import { describe, expect, it } from "vitest";
import { gnuHeader, sparseEntry, sparseExtension } from "../../../../src/formats/tar/header.ts";
import { codeOf as errorCodeOf } from "../../../support/error-code.ts";
import { padded, paxHeader, paxRecord, readTar, tarHeader, withChecksum } from "../../../support/tar-fixtures.ts";

const END = Buffer.alloc(1024);
const bytes = (text: string): Buffer => Buffer.from(text, "latin1");
const GNU = "ustar  \0";

/** The only member of an archive of these parts. */
function only(...parts: Buffer[]) {
	const members = readTar(Buffer.concat([...parts, END]));
	expect(members.length).toBe(1);
	return members[0] ?? expect.fail("no member");
}

function codeOf(archive: Buffer, options: { maxHeaderBytes?: number } = {}): string {
	return errorCodeOf(() => readTar(archive, [archive.byteLength], options));
}

describe("TarReader: sparse files", () => {
	const stretches: readonly (readonly [number, string])[] = [
		[1000, "one"],
		[5000, "two!"],
	];
	const realsize = 8000;
	const data = stretches.map(([, text]) => text).join("");
	const expected = Buffer.alloc(realsize);
	for (const [offset, text] of stretches) expected.write(text, offset);

	function expectSparse(...parts: Buffer[]): void {
		const member = only(...parts);
		expect(member).toMatchObject({ type: "file", path: "sparse", byteLength: realsize });
		expect(member.content.equals(expected)).toBe(true);
		expect(member.holeBytes).toBe(realsize - data.length);
	}

	const oldTable = (list: readonly (readonly [number, string])[]): Buffer =>
		Buffer.concat(list.map(([offset, text]) => sparseEntry.encode({ offset, numbytes: text.length })));
	const oldHeader = (table: Buffer, isExtended: boolean, size = data.length, real = realsize): Buffer =>
		tarHeader({ name: "sparse", typeflag: "S", magic: GNU, size }, (block) => {
			table.copy(block, gnuHeader.fields.sparse.offset);
			block[gnuHeader.fields.isextended.offset] = isExtended ? 1 : 0;
			block.write(real.toString(8).padStart(11, "0"), gnuHeader.fields.realsize.offset, "latin1");
		});

	it("reads GNU's old format", () => {
		expectSparse(oldHeader(oldTable(stretches), false), padded(bytes(data)));
	});

	it("reads GNU's old format with extension blocks", () => {
		const many = Array.from({ length: 50 }, (_, i) => [i * 1024, `stretch ${i}`] as const);
		const extension = (from: number, to: number, isLast: boolean): Buffer =>
			sparseExtension.encode({ sparse: oldTable(many.slice(from, to)), isextended: isLast ? 0 : 1 });
		const content = many.map(([, text]) => text).join("");
		const parts = [
			oldHeader(oldTable(many.slice(0, 4)), true, content.length, 60_000),
			extension(4, 25, false),
			extension(25, 46, false),
			extension(46, 50, true),
		];
		const member = only(...parts, padded(bytes(content)));
		for (const [offset, text] of many)
			expect(member.content.toString("latin1", offset, offset + text.length)).toBe(text);
		expect(member.holeBytes).toBe(60_000 - content.length);
	});

	const pairs = stretches.map(([offset, text]) => [String(offset), String(text.length)] as const);
	const paxMember = (records: Buffer[], body: Buffer, size = body.byteLength): Buffer[] => [
		paxHeader(records),
		tarHeader({ name: "GNUSparseFile.0/sparse", size }),
		padded(body),
	];

	it("reads PAX format 0.0", () => {
		const map = pairs.flatMap(([offset, length]) => [
			paxRecord("GNU.sparse.offset", offset),
			paxRecord("GNU.sparse.numbytes", length),
		]);
		const records = [
			paxRecord("GNU.sparse.size", "8000"),
			paxRecord("GNU.sparse.numblocks", "2"),
			...map,
			paxRecord("path", "sparse"),
		];
		expectSparse(...paxMember(records, bytes(data)));
	});

	it("reads PAX format 0.1", () => {
		const map = pairs.flat().join(",");
		const records = [
			paxRecord("GNU.sparse.size", "8000"),
			paxRecord("GNU.sparse.numblocks", "2"),
			paxRecord("GNU.sparse.map", map),
			paxRecord("GNU.sparse.name", "sparse"),
		];
		expectSparse(...paxMember(records, bytes(data)));
	});

	const version1 = [
		paxRecord("GNU.sparse.major", "1"),
		paxRecord("GNU.sparse.minor", "0"),
		paxRecord("GNU.sparse.name", "sparse"),
		paxRecord("GNU.sparse.realsize", "8000"),
	];

	it("reads PAX format 1.0", () => {
		const map = padded(bytes(["2", ...pairs.flat(), ""].join("\n")));
		expectSparse(...paxMember(version1, Buffer.concat([map, bytes(data)])));
	});

	it("reads a map of format 1.0 that is longer than a block", () => {
		const list = Array.from({ length: 300 }, (_, i) => `${i * 20}\n1\n`).join("");
		const body = Buffer.concat([padded(bytes(`300\n${list}`)), Buffer.alloc(300, "x")]);
		const member = only(...paxMember(version1, body));
		expect(member.holeBytes).toBe(7700);
		expect(member.content[299 * 20]).toBe("x".charCodeAt(0));
	});

	it("reads a file that is one hole", () => {
		const records = [
			paxRecord("GNU.sparse.size", "8000"),
			paxRecord("GNU.sparse.numblocks", "1"),
			paxRecord("GNU.sparse.map", "8000,0"),
		];
		expect(only(...paxMember(records, Buffer.alloc(0)))).toMatchObject({ byteLength: 8000, holeBytes: 8000 });
	});

	const bad = (map: string, more: Buffer[] = []): string =>
		codeOf(
			Buffer.concat([
				...paxMember([paxRecord("GNU.sparse.size", "8000"), paxRecord("GNU.sparse.map", map), ...more], bytes(data)),
				END,
			]),
		);
	it.each([
		["stretches out of order", "5000,4,1000,3"],
		["overlapping stretches", "1000,4,1003,3"],
		["a stretch beyond the end", "1000,3,7997,4"],
		["less data than recorded", "1000,3,5000,3"],
		["more data than recorded", "1000,3,5000,5"],
		["a negative offset", "-1,3,5000,4"],
		["half a pair", "1000,3,5000"],
		["nothing for 7 bytes", ""],
	])("refuses a map with %s", (_, map) => expect(bad(map)).toBe("corrupt TAR_BAD_SPARSE_MAP"));

	it("refuses other faults of maps", () => {
		expect(bad("1000,x")).toBe("corrupt TAR_BAD_PAX_RECORD");
		expect(bad("1000,3,5000,4")).toBe("no error");
		expect(bad("1000,3,5000,4", [paxRecord("GNU.sparse.numblocks", "3")])).toBe("corrupt TAR_BAD_SPARSE_MAP");
		expect(bad("1000,3,5000,4", [paxRecord("GNU.sparse.major", "2")])).toBe("corrupt TAR_UNSUPPORTED_SPARSE");
		expect(bad("1000,3,5000,4", [paxRecord("GNU.sparse.size", "-1")])).toBe("corrupt TAR_BAD_SPARSE_MAP");
		expect(bad("", [paxRecord("GNU.sparse.numbytes", "3")])).toBe("corrupt TAR_BAD_SPARSE_MAP");
		const version1Of = (text: string): string =>
			codeOf(Buffer.concat([...paxMember(version1, Buffer.concat([padded(bytes(text)), bytes(data)])), END]));
		for (const text of ["2\n1000\n3\nx", "\n", "99999999999999999\n", "3\n1\n1\n", "junk", "2\n1000\n3\n5000\n9\n"])
			expect(version1Of(text)).toBe("corrupt TAR_BAD_SPARSE_MAP");
		const broken = oldHeader(oldTable([[7999, "xx"]]), false, 2);
		expect(codeOf(Buffer.concat([broken, padded(bytes("xx")), END]))).toBe("corrupt TAR_BAD_SPARSE_MAP");
		const noSize = withChecksum(Buffer.from(oldHeader(oldTable(stretches), false)).fill("x", 483, 495));
		expect(codeOf(Buffer.concat([noSize, padded(bytes(data)), END]))).toBe("corrupt TAR_BAD_SPARSE_MAP");
	});

	it("bounds maps", () => {
		const endless = sparseExtension.encode({ sparse: oldTable([]), isextended: 1 });
		const archive = Buffer.concat([oldHeader(oldTable(stretches), true), ...Array.from({ length: 10 }, () => endless)]);
		expect(codeOf(archive, { maxHeaderBytes: 4096 })).toBe("corrupt TAR_HEADER_TOO_LARGE");
		const long = Buffer.concat([bytes("2000\n"), bytes("1\n1\n".repeat(2000))]);
		expect(codeOf(Buffer.concat(paxMember(version1, padded(long))), { maxHeaderBytes: 4096 })).toBe(
			"corrupt TAR_HEADER_TOO_LARGE",
		);
	});
});

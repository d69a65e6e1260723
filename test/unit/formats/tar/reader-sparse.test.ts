import { describe, expect, it } from "vitest";
import { gnuHeader, sparseEntry, sparseExtension } from "../../../../src/formats/tar/header.ts";
import { codeOf as errorCodeOf } from "../../../support/error-code.ts";
import {
	padded,
	paxHeader,
	paxRecord,
	readTar,
	tarHeader,
	tarMember,
	withChecksum,
} from "../../../support/tar-fixtures.ts";

const END = Buffer.alloc(1024);
const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

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
	const forms = ["gnu", "pax-0.0", "pax-0.1", "pax-1.0"] as const;
	const stretched = (byteLength: number, count: number, every: number): Buffer => {
		const content = Buffer.alloc(byteLength);
		for (let i = 0; i < count; i++) content.write(`stretch ${i}`, i * every);
		return content;
	};

	it.each(forms)("reads the form %s, with maps of any length", (sparse) => {
		for (const content of [stretched(8000, 2, 4096), stretched(60_000, 50, 1024), Buffer.alloc(8192)]) {
			const member = only(tarMember({ path: "sparse", content, sparse }));
			expect(member).toMatchObject({ type: "file", path: "sparse", byteLength: content.byteLength });
			expect(member.content.equals(content)).toBe(true);
			expect(member.holeBytes).toBeGreaterThan(content.byteLength / 2 - 1024);
		}
	});

	const data = "onetwo!";
	const oldHeader = (offset: number, numbytes: number, isExtended: boolean): Buffer =>
		tarHeader({ name: "sparse", typeflag: "S", magic: "ustar  \0", size: numbytes }, (block) => {
			sparseEntry.encode({ offset, numbytes }).copy(block, gnuHeader.fields.sparse.offset);
			block[gnuHeader.fields.isextended.offset] = isExtended ? 1 : 0;
			block.write("00000017500", gnuHeader.fields.realsize.offset, "latin1");
		});
	const paxMember = (records: Buffer[], body: Buffer): Buffer[] => [
		paxHeader(records),
		tarHeader({ name: "GNUSparseFile.0/sparse", size: body.byteLength }),
		padded(body),
	];
	const version1 = [
		paxRecord("GNU.sparse.major", "1"),
		paxRecord("GNU.sparse.minor", "0"),
		paxRecord("GNU.sparse.realsize", "8000"),
	];

	it("puts bytes at any offset", () => {
		const records = [paxRecord("GNU.sparse.size", "8000"), paxRecord("GNU.sparse.map", "1000,3,5000,4")];
		const { content } = only(...paxMember(records, bytes(data)));
		expect([content.indexOf("one"), content.indexOf("two!"), content.byteLength]).toEqual([1000, 5000, 8000]);
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
		const broken = oldHeader(7999, 2, false);
		expect(codeOf(Buffer.concat([broken, padded(bytes("xx")), END]))).toBe("corrupt TAR_BAD_SPARSE_MAP");
		const noSize = withChecksum(oldHeader(1000, 7, false).fill("x", 483, 495));
		expect(codeOf(Buffer.concat([noSize, padded(bytes(data)), END]))).toBe("corrupt TAR_BAD_SPARSE_MAP");
	});

	it("bounds maps", () => {
		const endless = sparseExtension.encode({ sparse: Buffer.alloc(0), isextended: 1 });
		const archive = Buffer.concat([oldHeader(1000, 7, true), ...Array.from({ length: 10 }, () => endless)]);
		expect(codeOf(archive, { maxHeaderBytes: 4096 })).toBe("corrupt TAR_HEADER_TOO_LARGE");
		const long = Buffer.concat([bytes("2000\n"), bytes("1\n1\n".repeat(2000))]);
		expect(codeOf(Buffer.concat(paxMember(version1, padded(long))), { maxHeaderBytes: 4096 })).toBe(
			"corrupt TAR_HEADER_TOO_LARGE",
		);
	});
});

import { describe, expect, it } from "vitest";
import { decodeRpmHeader, RpmHeaderFault } from "../../../../src/formats/rpm/header.ts";
import { NdbFault, readNdb } from "../../../../src/formats/rpm/ndb.ts";
import { ndbDatabase, rpmHeader } from "../../../support/package-databases.ts";

const FIELDS = {
	1000: "bash",
	1001: "5.2",
	1002: "3.fc42",
	1003: 7,
	1014: "GPL-3.0-or-later",
	1022: "x86_64",
	1044: "bash-5.2-3.fc42.src.rpm",
};

function faultOf(work: () => unknown): string {
	try {
		work();
	} catch (error) {
		if (error instanceof RpmHeaderFault || error instanceof NdbFault) return error.message;
		throw error;
	}
	return "none";
}

describe("a header of rpm's", () => {
	it("has what was written", () => {
		expect(decodeRpmHeader(rpmHeader(FIELDS))).toEqual({
			name: "bash",
			version: "5.2",
			release: "3.fc42",
			epoch: 7,
			license: "GPL-3.0-or-later",
			architecture: "x86_64",
			sourceRpm: "bash-5.2-3.fc42.src.rpm",
		});
		expect(decodeRpmHeader(rpmHeader({ 1000: "", 1001: "1", 5000: "other" }))).toEqual({ version: "1" });
	});

	it("is damaged where it ends anywhere before its end", () => {
		const header = rpmHeader(FIELDS);
		for (let length = 0; length < header.byteLength; length++)
			expect(faultOf(() => decodeRpmHeader(header.subarray(0, length)))).not.toBe("none");
	});

	it.each([
		[0, [255, 255, 255, 255], /4294967295 entries/],
		[4, [255, 255, 255, 255], /bytes of data/],
		[8 + 4, [0, 0, 0, 4], /name is no text/],
		[8 + 8, [255, 255, 255, 255], /name is no text/],
		[8 + 48 + 4, [0, 0, 0, 6], /epoch is no number/],
		[8 + 48 + 8, [0, 0, 255, 255], /epoch is no number/],
	])("is damaged with byte %i as %j", (at, bytes, fault) => {
		const header = rpmHeader(FIELDS);
		header.set(bytes, at);
		expect(faultOf(() => decodeRpmHeader(header))).toMatch(fault);
	});

	it("with a million entries is read at once", () => {
		const header = Buffer.alloc(8 + 16_000_000);
		header.writeUInt32BE(1_000_000);
		expect(decodeRpmHeader(header)).toEqual({});
	});
});

describe("rpm's own database", () => {
	const headers = [rpmHeader(FIELDS), rpmHeader({ 1000: "a" }), Buffer.alloc(100_000, 1)];

	it("has the headers that were written", () => {
		expect([...readNdb(ndbDatabase(headers))].map((each) => Buffer.from(each))).toEqual(headers);
		expect([...readNdb(ndbDatabase([]))]).toEqual([]);
	});

	it("is damaged where it ends anywhere before its end, and where slots lead nowhere, elsewhere or to one place", () => {
		const file = ndbDatabase(headers);
		// the last header is followed by its tail and padding
		for (let length = 0; length < file.byteLength - 32; length += 1009)
			expect(faultOf(() => [...readNdb(file.subarray(0, length))])).not.toBe("none");
		const changed = (at: number, value: number) => {
			const copy = Buffer.from(file);
			copy.writeUInt32LE(value, at);
			return faultOf(() => [...readNdb(copy)]);
		};
		expect(changed(12, 0xffff_ffff)).toMatch(/ends before/);
		expect(changed(36, 9)).toMatch(/no header of package 9/);
		expect(changed(40, 0xffff_ffff)).toMatch(/no header/);
		expect(changed(4096 + 12, 0xffff_fff0)).toMatch(/longer/);
		expect(changed(48, 1)).toMatch(/no slot/);
		const same = Buffer.from(file);
		for (let at = 32; at < 4096; at += 16) file.copy(same, at, 64, 80);
		expect(faultOf(() => [...readNdb(same)])).toMatch(/longer/);
	});
});

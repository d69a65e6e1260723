import { describe, expect, it } from "vitest";
import { readTable, SqliteFault } from "../../../../src/formats/sqlite/read-table.ts";
import { noise } from "../../../support/noise.ts";
import { sqliteDatabase } from "../../../support/package-databases.ts";

const blobs = [0, 1, 100, 440, 477, 478, 1000, 5000, 40, 41].map((length) => noise(length, `${length}`));
const rowsOf = (file: Uint8Array) => [...readTable(file, "Packages")].map(([id, blob]) => [id, blob]);

function faultOf(file: Uint8Array): string {
	try {
		rowsOf(file);
	} catch (error) {
		if (error instanceof SqliteFault) return error.message;
		throw error;
	}
	return "none";
}

function changed(at: number, bytes: readonly number[]): Buffer {
	const file = sqliteDatabase(blobs);
	file.set(bytes, at);
	return file;
}

describe("a table of an SQLite database", () => {
	it.each([512, 1024, 4096, 65_536])("has the rows that were written, in pages of %i bytes", (pageBytes) => {
		expect(rowsOf(sqliteDatabase(blobs, pageBytes))).toEqual(blobs.map((blob) => [null, Buffer.from(blob)]));
		expect(rowsOf(sqliteDatabase([], pageBytes))).toEqual([]);
	});

	it("is damaged where it ends anywhere before its end", () => {
		const file = sqliteDatabase(blobs);
		for (let length = 0; length < file.byteLength; length += 64)
			expect([length, faultOf(file.subarray(0, length))]).not.toEqual([length, "none"]);
	});

	it.each([
		["another beginning", changed(0, [0]), /does not begin/],
		["pages of 3 bytes", changed(16, [0, 3]), /pages have 3/],
		["pages of 600 bytes", changed(16, [2, 88]), /pages have 600/],
		["hardly a byte of a page used", changed(20, [255]), /pages have/],
		["UTF-16", changed(56, [0, 0, 0, 2]), /UTF-8/],
		["a root that is its own child", changed(512 + 8, [0, 0, 0, 2]), /used twice/],
		["a child that is not there", changed(512 + 8, [255, 255, 255, 255]), /not there/],
		["a child that is no page of a table", changed(512, [10]), /none of a table/],
		["more cells than a page holds", changed(512 + 3, [255, 255]), /cells/],
		["a cell beyond its page", changed(512 + 12, [255, 255]), /beyond its page/],
		[
			"no such table",
			(() => {
				const file = sqliteDatabase([]);
				file.write("packages", file.indexOf("Packages"));
				return file;
			})(),
			/no table/,
		],
	])("is damaged with %s", (_, file, fault) => expect(faultOf(file)).toMatch(fault));

	it("is read in time that goes with its length, however its pages lead to each other", () => {
		const started = performance.now();
		for (let seed = 0; seed < 2000; seed++) {
			const file = sqliteDatabase(blobs);
			for (let i = 0; i < 8; i++)
				file[((seed * 7919 + i * 104_729) % (file.byteLength - 512)) + 512] = (seed * 31 + i) % 256;
			faultOf(file);
		}
		expect(performance.now() - started).toBeLessThan(60_000);
	});
});

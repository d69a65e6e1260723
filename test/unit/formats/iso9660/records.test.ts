import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { record } from "../../../../src/binary/record.ts";
import {
	decodeRecordingDate,
	digitDate,
	EARLIEST_RECORDING_SECONDS,
	encodeRecordingDate,
	LATEST_RECORDING_SECONDS,
} from "../../../../src/formats/iso9660/dates.ts";
import { encodeDirectoryRecord } from "../../../../src/formats/iso9660/directory-record.ts";
import { decodePathTable, encodePathTable } from "../../../../src/formats/iso9660/path-table.ts";
import {
	encodeExtensionReference,
	encodePosixAttributes,
	encodeTimeStamps,
} from "../../../../src/formats/iso9660/susp.ts";
import {
	encodeTerminator,
	primaryDescriptor,
	type VolumeDescriptor,
} from "../../../../src/formats/iso9660/volume-descriptor.ts";

const seconds = fc.integer({ min: EARLIEST_RECORDING_SECONDS, max: LATEST_RECORDING_SECONDS });

describe("dates", () => {
	it("decode to what was encoded, in both forms", () => {
		const table = record("date", 17, { date: digitDate(1) });
		fc.assert(
			fc.property(seconds, (value) => {
				expect(decodeRecordingDate(encodeRecordingDate(value))).toBe(value);
				expect(table.decode(table.encode({ date: value })).date).toBe(value);
			}),
			{ seed: 1 },
		);
		expect(table.decode(table.encode({ date: undefined })).date).toBeUndefined();
	});

	it("have xorriso's bytes", () => {
		const table = record("date", 17, { date: digitDate(1) });
		expect(table.encode({ date: 1_700_000_000 }).toString("latin1")).toBe("2023111422132000\0");
		expect(encodeRecordingDate(Date.UTC(2026, 10, 21, 0, 24, 21) / 1000).toString("hex")).toBe("7e0b1500181500");
	});

	it("honour an offset from UTC, in quarters of an hour", () => {
		expect(decodeRecordingDate(Buffer.from([70, 1, 1, 1, 0, 0, 4]))).toBe(0);
		expect(decodeRecordingDate(Buffer.from([69, 12, 31, 19, 0, 0, 256 - 20]))).toBe(0);
	});
});

describe("volume descriptors", () => {
	it("lie where ECMA-119 puts them", () => {
		const at = (name: keyof VolumeDescriptor) => primaryDescriptor.fields[name].offset + 1;
		expect([at("volumeIdentifier"), at("volumeSpaceBlocks"), at("rootDirectoryRecord")]).toEqual([41, 81, 157]);
		expect([at("bibliographicFileIdentifier"), at("createdAtSeconds"), at("applicationUse")]).toEqual([777, 814, 884]);
	});

	it("end with a terminator", () => {
		const bytes = encodeTerminator();
		expect(bytes.subarray(0, 7).toString("latin1")).toBe("\u00ffCD001\u0001");
		expect(bytes.subarray(7).every((byte) => byte === 0)).toBe(true);
	});
});

describe("directory records", () => {
	it("have xorriso's bytes", () => {
		const mtime = Date.UTC(2026, 10, 21, 0, 24, 21) / 1000;
		const record = encodeDirectoryRecord({
			identifier: Buffer.from([0]),
			extentBlock: 35,
			dataByteLength: 2048,
			recordedAtSeconds: mtime,
			fileFlags: 2,
			systemUse: Buffer.alloc(0),
		});
		expect(record.toString("hex")).toBe("2200230000000000002300080000000008007e0b1500181500020000010000010100");
		expect(encodePosixAttributes({ fileMode: 0o40755, links: 1, uid: 0, gid: 0 }).subarray(4).toString("hex")).toBe(
			"ed410000000041ed010000000000000100000000000000000000000000000000",
		);
		expect(encodeTimeStamps(mtime).subarray(4).toString("hex")).toBe("0e7e0b15001815007e0b15001815007e0b1500181500");
		expect(encodeExtensionReference().byteLength).toBe(237);
	});
});

describe("path tables", () => {
	const entry = fc.record({
		identifier: fc.uint8Array({ minLength: 1, maxLength: 128 }),
		extentBlock: fc.nat(0xffffffff),
		parentNumber: fc.integer({ min: 1, max: 65535 }),
	});

	it("decode to what was encoded, in both byte orders", () => {
		fc.assert(
			fc.property(
				fc.array(entry),
				fc.constantFrom("little-endian" as const, "big-endian" as const),
				(records, order) => {
					expect(decodePathTable(encodePathTable(records, order), order)).toEqual(records);
				},
			),
			{ seed: 1 },
		);
	});

	it("are refused where a record leaves the table", () => {
		const bytes = encodePathTable(
			[{ identifier: Buffer.from("AB"), extentBlock: 1, parentNumber: 1 }],
			"little-endian",
		);
		expect(decodePathTable(bytes.subarray(0, 9), "little-endian")).toBeUndefined();
		expect(decodePathTable(Buffer.alloc(10), "little-endian")).toBeUndefined();
		fc.assert(
			fc.property(fc.uint8Array(), (noise) => {
				expect(() => decodePathTable(noise, "big-endian")).not.toThrow();
			}),
			{ seed: 1 },
		);
	});
});

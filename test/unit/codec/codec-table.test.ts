import { describe, expect, it } from "vitest";
import { checkedLevel } from "../../../src/codec/codec-table.ts";

describe("codec table", () => {
	it("takes squashfs-tools' default levels", () => {
		expect((["zstd", "gzip", "xz", "lz4", "none"] as const).map((codec) => checkedLevel(codec, undefined))).toEqual([
			15, 9, 6, 0, 0,
		]);
	});

	it.each([
		["zstd", 0, "1 to 22"],
		["zstd", 23, "1 to 22"],
		["gzip", 0, "1 to 12"],
		["gzip", 6.5, "1 to 12"],
		["xz", 10, "0 to 9"],
		["lz4", -1, "0 to 12"],
		["zstd", Number.NaN, "1 to 22"],
		["none", 1, "no level: it does not compress"],
	] as const)("names the range for %s %d", (codec, level, expected) => {
		expect(() => checkedLevel(codec, level)).toThrow(
			expect.objectContaining({ code: "LEVEL_OUT_OF_RANGE", kind: "usage", expected }),
		);
	});
});

import { describe, expect, it } from "vitest";
import { parseElf } from "../../../src/buildroot/elf.ts";
import { makeElf } from "./make-elf.ts";

const whole = { needed: ["libone.so.1", "libtwo.so.2"], interpreter: "/lib/ld.so" };

describe.each([32, 64] as const)("a %i-bit ELF file", (bits) => {
	it("names its loader, its libraries and where to look for them", () => {
		expect(parseElf(makeElf(bits, { ...whole, rpath: "/a:$ORIGIN/b" }), "x")).toEqual({
			bits,
			machine: 62,
			interpreter: "/lib/ld.so",
			needed: ["libone.so.1", "libtwo.so.2"],
			rpath: ["/a", "$ORIGIN/b"],
			runpath: undefined,
		});
	});

	it("has no DT_RPATH where it has DT_RUNPATH", () => {
		const { rpath, runpath } = parseElf(makeElf(bits, { ...whole, rpath: "/a", runpath: "/r:/s" }), "x");
		expect({ rpath, runpath }).toEqual({ rpath: [], runpath: ["/r", "/s"] });
	});
});

it.each([
	["not an ELF file", Buffer.from("#!/bin/sh\necho this is a script\n"), "TOOL_MALFORMED"],
	["an empty file", Buffer.alloc(0), "TOOL_MALFORMED"],
	["a relative interpreter", makeElf(64, { interpreter: "lib/ld.so" }), "TOOL_MALFORMED"],
	["an object file", withByte(makeElf(64), 16, 1), "TOOL_MALFORMED"],
	["a big-endian file", withByte(makeElf(64), 5, 2), "TOOL_FOREIGN_ARCHITECTURE"],
])("%s is refused", (_, bytes, code) => {
	expect(() => parseElf(bytes, "bin/x")).toThrow(expect.objectContaining({ code, kind: "tool", where: "bin/x" }));
});

function withByte(bytes: Buffer, at: number, value: number): Buffer {
	bytes[at] = value;
	return bytes;
}

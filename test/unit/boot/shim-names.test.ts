import { describe, expect, it } from "vitest";
import { shimNamesIn } from "../../../src/boot/shim-names.ts";

async function* chunks(bytes: Buffer, length: number): AsyncGenerator<Uint8Array> {
	for (let at = 0; at < bytes.byteLength; at += length) yield bytes.subarray(at, at + length);
}

const text = (names: readonly string[]): Buffer =>
	Buffer.concat(names.map((name) => Buffer.concat([Buffer.alloc(37, 1), Buffer.from(`${name}\0`, "utf16le")])));

describe("what a shim starts", () => {
	it.each([
		["the standard names", ["\\\\grubx64.efi", "\\mmx64.efi"], {}],
		["SUSE's names", ["\\\\grub.efi", "\\MokManager.efi"], { grub: "grub.efi", mokManager: "MokManager.efi" }],
		["one of them", ["\\mmx64.efi", "\\grub.efi"], { grub: "grub.efi" }],
		["names in other names", ["/xgrub.efi", "\\grub.efi.bak", "\\EFI\\MokManager.efis"], {}],
		["nothing", [], {}],
	])("is read from its constants: %s", async (_, names, expected) => {
		for (const length of [1, 7, 64, 4096]) expect(await shimNamesIn(chunks(text(names), length))).toEqual(expected);
	});
});

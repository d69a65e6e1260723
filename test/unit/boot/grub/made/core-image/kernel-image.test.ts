import { describe, expect, test } from "vitest";
import { kernelMemory } from "../../../../../../src/boot/grub/made/core-image/kernel-image.ts";
import {
	CODE,
	CODE_FLAGS,
	DATA,
	DATA_FLAGS,
	KERNEL,
	kernelElf,
	NOBITS,
	PROGBITS,
	type Section,
} from "./grub-directory.ts";

const code: Section = { type: PROGBITS, flags: CODE_FLAGS, address: 0x9000, content: CODE };
const data = (address: number): Section => ({ type: PROGBITS, flags: DATA_FLAGS, address, content: DATA });
const zeroed = (address: number, byteLength: number): Section => ({
	type: NOBITS,
	flags: DATA_FLAGS,
	address,
	byteLength,
});
const bad = (what: string) => expect.objectContaining({ code: "GRUB_KERNEL_FORMAT", kind: "contract", what });
const tooBig = expect.objectContaining({ code: "GRUB_CORE_TOO_BIG", kind: "tool" });

function changed(change: (file: Buffer) => void): Buffer {
	const file = Buffer.from(KERNEL);
	change(file);
	return file;
}

describe("kernelMemory", () => {
	test("is code and data at their addresses, zeros between, nothing after", () => {
		expect(Buffer.from(kernelMemory(KERNEL)).toString("latin1")).toBe(`${CODE}${"\0".repeat(16)}${DATA}`);
		expect(kernelMemory(kernelElf([code]))).toHaveLength(CODE.byteLength);
	});

	test("refuses what is no kernel of GRUB's for BIOS", () => {
		const notElf = bad("it is no ELF file for the 80386");
		expect(() => kernelMemory(Buffer.alloc(51))).toThrow(notElf);
		for (const offset of [0, 3, 4, 5, 6, 18, 19, 20]) {
			expect(() => kernelMemory(changed((file) => file.writeUInt8(0x55, offset)))).toThrow(notElf);
		}
		expect(() => kernelMemory(kernelElf([data(0x9000)]))).toThrow(bad("it has no code"));
		expect(() => kernelMemory(kernelElf([{ ...code, address: 0x100000 }]))).toThrow(
			bad("its code is linked elsewhere"),
		);
	});

	test("refuses sections that are not in the file or not in order", () => {
		const beyond = changed((file) => file.writeUInt32LE(file.byteLength - 4, file.readUInt32LE(32) + 40 + 16));
		expect(() => kernelMemory(beyond)).toThrow(
			expect.objectContaining({ what: expect.stringMatching(/^a section ends/) }),
		);
		expect(() => kernelMemory(changed((file) => file.writeUInt16LE(6, 48)))).toThrow(
			bad("its section headers are not in it"),
		);
		expect(() => kernelMemory(changed((file) => file.writeUInt16LE(39, 46)))).toThrow(
			bad("its section headers are not in it"),
		);
		for (const address of [0, 0x8fff, 0x9008])
			expect(() => kernelMemory(kernelElf([code, data(address)]))).toThrow(
				bad(`its sections overlap at address ${address}`),
			);
		expect(() => kernelMemory(kernelElf([code, data(0x9040), data(0x9020)]))).toThrow(
			bad("its sections overlap at address 36896"),
		);
	});

	test("refuses a kernel that reaches into the real-mode code's memory", () => {
		expect(kernelMemory(kernelElf([code, zeroed(0x9100, 0x68000 - 0x9100)]))).toHaveLength(CODE.byteLength);
		expect(() => kernelMemory(kernelElf([code, zeroed(0x9100, 0x68001 - 0x9100)]))).toThrow(tooBig);
		expect(() => kernelMemory(kernelElf([code, data(0x68000)]))).toThrow(tooBig);
		expect(() => kernelMemory(kernelElf([code, data(0xffffffff)]))).toThrow(tooBig);
	});
});

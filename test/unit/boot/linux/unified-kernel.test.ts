import { describe, expect, it } from "vitest";
import { memorySource } from "../../../../src/binary/byte-source.ts";
import { readUnifiedKernel } from "../../../../src/boot/linux/unified-kernel.ts";
import { makeProgram } from "../../../support/verify-programs.ts";

const read = (program: Buffer) => readUnifiedKernel(memorySource(program));
const text = (content: string) => Buffer.from(content);

describe("a unified kernel image", () => {
	it("is read by its sections", async () => {
		const kernel = Buffer.alloc(700, "kernel");
		const program = makeProgram({
			".text": text("stub"),
			".uname": text("6.1.0-1 "),
			".cmdline": text(" quiet\n root=live:CDLABEL=A\n\0"),
			".linux": kernel,
			".osrel": text("ID=a\n"),
		});
		const read_ = await read(program);
		expect(read_).toMatchObject({
			machine: 0x8664,
			commandLine: "quiet  root=live:CDLABEL=A",
			release: "6.1.0-1",
			osRelease: "ID=a\n",
			initrd: undefined,
		});
		const { offset, byteLength } = typeof read_ === "object" ? read_.linux : { offset: 0, byteLength: 0 };
		expect(program.subarray(offset, offset + byteLength)).toEqual(kernel);
	});

	it("has the texts of the first of its profiles", async () => {
		const names = [".linux", ".cmdline", ".osrel", ".profile", ".cmdline", ".profile", ".cmdline"];
		const program = makeProgram(
			Object.fromEntries(names.map((name, i) => [`${i}`, text(name === ".cmdline" ? `c${i}` : "x")])),
		);
		for (const [i, name] of names.entries()) program.write(name.padEnd(8, "\0"), 0x80 + 24 + 152 + 40 * i, "latin1");
		expect(await read(program)).toMatchObject({ commandLine: "c4", osRelease: "x" });
	});

	it.each<[string, Buffer, unknown]>([
		["no program", Buffer.alloc(100), "it does not start with MZ"],
		["another program", makeProgram({ ".text": text("a"), ".cmdline": text("a") }), undefined],
		["cut off", makeProgram({ ".linux": Buffer.alloc(9000) }).subarray(0, 2048), "a section goes beyond its end"],
		["a long text", makeProgram({ ".linux": text("a"), ".cmdline": Buffer.alloc(70_000, "a") }), { commandLine: "" }],
	])("is not taken for one: %s", async (_, program, expected) => {
		const found = await read(program);
		if (typeof expected === "object") expect(found).toMatchObject(expected ?? {});
		else expect(found).toBe(expected);
	});
});

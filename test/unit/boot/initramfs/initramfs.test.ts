import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { ByteQueue } from "../../../../src/binary/byte-queue.ts";
import { decompress, expandFile } from "../../../../src/boot/initramfs/decompress.ts";
import { type Initramfs, readInitramfs } from "../../../../src/boot/initramfs/initramfs.ts";
import { memoryFile } from "../../../../src/boot/initramfs/streamed-file.ts";
import { newcArchive } from "../../../support/inspect-cpio.ts";
import { zstdStored } from "../../../support/zstd-stored.ts";

/** "initramfs " forty times and every byte value once, as the `xz` and `lz4 -l` tools compress it. */
const CONTENT = Buffer.concat([
	Buffer.from("initramfs ".repeat(40)),
	Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
]);
const XZ_CRC32 = Buffer.from(
	"/Td6WFoAAAFpIt42AgAhARYAAAB0L+Wj4AKPAPddADSbiWJE3z+Q7BKAqy0GMENsJk5wn84Y718xNtSoYDKaO6yOBA0p1uSyZG47KEbuKKxdpLKhI8tU8iFbF8j6KbmodKM0RYjq8bvf8rDJQjNbxfw5dZI/LKTQlw3PsljXPnwp7dQMhf3/taBU8KCe/aNjD2KMxh1gyMiFkjM+EMYguGb5Qn5cPglZODl77Fc7HjbD71Nr6njryox7HhXaEcR5+zbs5LklI0kZllZ+1Wc4EBWmBnOqescw4Bqt/12q8CVwJzHdS46d57on66zim5qLiZsjNq7WxdrjxIaaFrT3eaAWlV/0bL4qYlsFCD/9u+VHSqAK2NwAAHYCSr8AAY8CkAUAAP8C+O0+MA2LAgAAAAABWVo=",
	"base64",
);
const XZ_CRC64 = Buffer.from(
	"/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4AKPAPddADSbiWJE3z+Q7BKAqy0GMENsJk5wn84Y718xNtSoYDKaO6yOBA0p1uSyZG47KEbuKKxdpLKhI8tU8iFbF8j6KbmodKM0RYjq8bvf8rDJQjNbxfw5dZI/LKTQlw3PsljXPnwp7dQMhf3/taBU8KCe/aNjD2KMxh1gyMiFkjM+EMYguGb5Qn5cPglZODl77Fc7HjbD71Nr6njryox7HhXaEcR5+zbs5LklI0kZllZ+1Wc4EBWmBnOqescw4Bqt/12q8CVwJzHdS46d57on66zim5qLiZsjNq7WxdrjxIaaFrT3eaAWlV/0bL4qYlsFCD/9u+VHSqAK2NwAAClF2EN3gW4YAAGTApAFAAAfwOyZscRn+wIAAAAABFla",
	"base64",
);
const LZ4_LEGACY = Buffer.from(
	"AiFMGBEBAACvaW5pdHJhbWZzIAoA/3Tw8QABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj9AQUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpbXF1eX2BhYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ent8fX5/gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp+goaKjpKWmp6ipqqusra6vsLGys7S1tre4ubq7vL2+v8DBwsPExcbHyMnKy8zNzs/Q0dLT1NXW19jZ2tvc3d7f4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8=",
	"base64",
);

const read = (bytes: Uint8Array): Promise<Initramfs> => readInitramfs(memoryFile(bytes));
const INIT = { path: "init", mode: 0o100755, content: Buffer.from("#!/bin/sh\n") };

describe("decompressing a part", () => {
	it.each([
		["gzip", gzipSync(CONTENT), undefined],
		["zstd", zstdStored(CONTENT), undefined],
		["xz", XZ_CRC32, undefined],
		["xz", XZ_CRC64, expect.stringContaining("CRC32")],
	] as const)("%s ends where it ends, and says what kernels refuse", async (compression, bytes, refusedByKernel) => {
		const input = new ByteQueue(memoryFile(Buffer.concat([Buffer.from("ab"), bytes, Buffer.from("behind")])));
		await input.skip(2);
		const pieces: Buffer[] = [];
		const result = await decompress(compression, input, (piece) => pieces.push(Buffer.from(piece)));
		expect(result).toEqual(refusedByKernel === undefined ? {} : { refusedByKernel });
		expect(input.offset).toBe(2 + bytes.byteLength);
		expect(Buffer.concat(pieces)).toEqual(CONTENT);
	});

	it("reads lz4's legacy frames, which end with the data", async () => {
		const pieces: Buffer[] = [];
		const input = new ByteQueue(memoryFile(LZ4_LEGACY));
		expect(await decompress("lz4", input, (piece) => pieces.push(Buffer.from(piece)))).toEqual({});
		expect(input.offset).toBe(LZ4_LEGACY.byteLength);
		expect(Buffer.concat(pieces)).toEqual(CONTENT);
	});

	it("expands kernel modules by what their name says", async () => {
		expect(await expandFile("squashfs.ko.xz", XZ_CRC32, 4096)).toEqual(CONTENT);
		expect(await expandFile("squashfs.ko", CONTENT, 4096)).toEqual(CONTENT);
		expect(await expandFile("squashfs.ko.zst", CONTENT, 4096)).toBeUndefined();
		expect(await expandFile("squashfs.ko.gz", gzipSync(CONTENT), 100)).toBeUndefined();
	});
});

describe("an initramfs", () => {
	const microcode = newcArchive([{ path: "kernel/x86/microcode/AuthenticAMD.bin", content: Buffer.alloc(9) }]);

	it("is unpacked as a kernel does it: parts in order, later ones over earlier ones", async () => {
		const first = newcArchive([
			{ path: "usr", mode: 0o40755 },
			{ path: "usr/lib", mode: 0o40755 },
			{ path: "lib", mode: 0o120777, content: Buffer.from("usr/lib") },
			{ path: "lib/modules/1/modules.dep", content: Buffer.from("old") },
			INIT,
		]);
		const second = newcArchive([{ path: "usr/lib/modules/1/modules.dep", content: Buffer.from("new") }]);
		const bytes = Buffer.concat([microcode, gzipSync(first), zstdStored(second)]);
		const initramfs = await read(bytes);
		expect(initramfs.fault).toBeUndefined();
		expect(initramfs.segments.map(({ compression, isMicrocode }) => [compression, isMicrocode])).toEqual([
			["none", true],
			["gzip", false],
			["zstd", false],
		]);
		expect(initramfs.content("/lib/modules/1/modules.dep")?.toString()).toBe("new");
		expect(initramfs.lookup("/init")?.inode).toMatchObject({ type: "file", mode: 0o755 });
	});

	it("gives hard links of one file the same content", async () => {
		const link = [1, 0, 0, 0, 2];
		const initramfs = await read(
			newcArchive([
				{ path: "lib/modules/1/modules.dep", content: Buffer.from("both"), fields: link },
				{ path: "lib/modules/2/modules.dep", fields: link },
			]),
		);
		expect(initramfs.content("/lib/modules/2/modules.dep")?.toString()).toBe("both");
	});

	it("takes links in a circle for nothing", async () => {
		const loop = (path: string, to: string) => ({ path, mode: 0o120777, content: Buffer.from(to) });
		const initramfs = await read(newcArchive([loop("lib", "usr"), loop("usr", "lib"), { path: "lib/a/b" }]));
		expect(initramfs.lookup("/lib/a")).toBeUndefined();
		expect(initramfs.content("/lib/modules/1/modules.dep")).toBeUndefined();
	});

	it.each([
		["nothing", Buffer.alloc(0), "empty"],
		["text", Buffer.from("hello"), "neither an archive nor compressed"],
		["something behind the archive", Buffer.concat([newcArchive([INIT]), Buffer.from("junk")]), "neither"],
		["a compressed text", gzipSync("hello"), "no archive"],
		["a compression that is not looked into", Buffer.from("BZh91AY&SY"), "not looked into"],
		["half a part", gzipSync(newcArchive([INIT])).subarray(0, 30), "byte 0"],
	])("says what is wrong with %s", async (_, bytes, words) => {
		expect((await read(bytes)).fault).toContain(words);
	});

	it("reports a part that kernels refuse", async () => {
		expect((await read(XZ_CRC64)).fault).toContain("no archive");
		expect((await read(Buffer.concat([newcArchive([INIT]), LZ4_LEGACY]))).fault).toContain("no archive");
	});
});

describe("an initramfs of bad intent", () => {
	const deep = (index: number, middle: string): string => `${index}/${middle}f`;

	it("with directories that only names make is cut off at the number that entries have", async () => {
		const members = Array.from({ length: 300 }, (_, i) => ({ path: deep(i, "d/".repeat(2040)), mode: 0o100644 }));
		expect(await read(newcArchive([INIT, ...members]))).toMatchObject({
			fault: expect.stringContaining("500000 entries"),
		});
	});

	it("with the same deep names over and over is cut off by their components", async () => {
		const path = deep(0, "d/".repeat(2040));
		const archive = newcArchive(Array.from({ length: 30_000 }, () => ({ path, mode: 0o100644 })));
		expect(await read(archive)).toMatchObject({ fault: expect.stringContaining("components") });
	});

	it("with names through links that lead back is read", async () => {
		const link = { path: "l", mode: 0o120777, content: Buffer.from(".") };
		const members = Array.from({ length: 2000 }, (_, i) => ({ path: `${"l/".repeat(30)}${i}`, mode: 0o100644 }));
		const circles = Array.from({ length: 2000 }, (_, i) => ({ path: `${"l/".repeat(2000)}${i}`, mode: 0o100644 }));
		const { fault, root } = await read(newcArchive([INIT, link, ...members, ...circles]));
		expect([fault, root.entries.size]).toEqual([undefined, 2002]);
	});
});

import { spawnSync } from "node:child_process";
import {
	closeSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	truncateSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { memorySource } from "../../src/binary/byte-source.ts";
import { MiB } from "../../src/binary/units.ts";
import { fat16BootSector, fat32BootSector } from "../../src/formats/fat/boot-sector.ts";
import { buildFat, type FatDirectory, fatDirectoryOf } from "../../src/formats/fat/build-fat.ts";
import { type FatReadDirectory, readFat } from "../../src/formats/fat/read-fat.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const directory = temporaryDirectory("fat");

const MTIME = { seconds: 1_700_000_000, nanoseconds: 0 };
const SMALL = {
	"EFI/BOOT/BOOTX64.EFI": 950_000,
	"EFI/BOOT/mmx64.efi": 840_000,
	"EFI/BOOT/grubx64.efi": 2_300_000,
	"EFI/BOOT/grub.cfg": 900,
	"EFI/BOOT/fonts/unicode.pf2": 2_392_000,
	"EFI/empty": 0,
	"EFI/Mixed Case and quite long.configuration": 4096,
	"EFI/Mixed Case and quite other.configuration": 4097,
	"EFI/Thirteen.char": 1,
	"EFI/Grub.cfg": 2048,
};
const MANY = Object.fromEntries(Array.from({ length: 700 }, (_, i) => [`A longer name, number ${i}.txt`, i % 5]));

function treeOf(files: Readonly<Record<string, number>>): FatDirectory {
	return fatDirectoryOf(
		Object.entries(files).map(([path, byteLength], i) => ({
			path,
			content: Buffer.alloc(byteLength, `${i}:${path}\n`),
			mtime: MTIME,
		})),
	);
}

function write(name: string, root: FatDirectory, minimumBytes?: number): string {
	const path = join(directory, name);
	const file = openSync(path, "w");
	let position = 0;
	for (const chunk of buildFat(root, { volumeId: 0x1234abcd, minimumBytes, timestamp: MTIME }).chunks())
		position += writeSync(file, chunk, 0, chunk.byteLength, position);
	closeSync(file);
	return path;
}

const CASES = [
	["the usual 20 MiB", SMALL, undefined, "FAT16"],
	["more than 32 MiB", { "big.bin": 40 * MiB }, undefined, "FAT16"],
	["256 MiB", SMALL, 256 * MiB, "FAT16"],
	["clusters of 16 sectors", SMALL, 300 * MiB, "FAT16"],
	["512 MiB", SMALL, 512 * MiB, "FAT32"],
	["a full root directory", MANY, undefined, "FAT32"],
] as const;

describe.skipIf(requires("fsck.fat"))("fsck.fat", () => {
	test.each(CASES)("finds nothing to mend in an image of %s", async (_, files, minimumBytes, type) => {
		const path = write("checked.img", treeOf(files), minimumBytes);
		const report = await run("fsck.fat", ["-vn", path]);
		expect(report).toContain(type === "FAT32" ? "32 bit" : "16 bit");
		expect(report).toMatch(/: \d+ files, \d+\/\d+ clusters/);
	});
});

describe.skipIf(requires("mkfs.fat"))("mkfs.fat", () => {
	test.each([20, 21, 32, 33, 64, 127, 128, 129, 255, 256, 257, 300, 504, 505, 511, 512, 513, 1008, 1009, 2048])(
		"makes the same parameter block and tables for %i MiB",
		async (size) => {
			const path = join(directory, "made.img");
			writeFileSync(path, "");
			truncateSync(path, size * MiB);
			await run("mkfs.fat", ["-I", "-i", "1234ABCD", path]);
			const image = buildFat(treeOf({}), { volumeId: 0x1234abcd, minimumBytes: size * MiB, timestamp: MTIME });
			const isFat32 = image.geometry.type === "FAT32";
			const reserved = readStart(path, image.geometry.reservedSectors * 512);
			const [ours = Buffer.alloc(0)] = image.chunks();
			const record = isFat32 ? fat32BootSector : fat16BootSector;
			const withoutCode = (bytes: Uint8Array) => ({ ...record.decode(bytes), bootCode: undefined });
			expect(withoutCode(ours)).toEqual(withoutCode(reserved));
			// The rest of the reserved area: FSInfo and the copies.
			if (isFat32) expect(Buffer.from(ours).subarray(512, 1024).equals(reserved.subarray(512, 1024))).toBe(true);
		},
	);
});

describe.skipIf(requires("mdir", "mcopy", "minfo"))("mtools", () => {
	test.each(CASES)("reads back an image of %s", async (_, files, minimumBytes, type) => {
		const path = write("read.img", treeOf(files), minimumBytes);
		const out = join(directory, "out");
		mkdirSync(out);
		await run("mcopy", ["-s", "-m", "-n", "-i", path, "::*", out]);
		const read = Object.fromEntries(
			readdirSync(out, { recursive: true, encoding: "utf8" })
				.filter((name) => statSync(join(out, name)).isFile())
				.map((name) => [name, readFileSync(join(out, name))]),
		);
		// mcopy writes short names without long ones as it likes: compare without regard to case.
		const folded = (names: string[]) => names.map((name) => name.toLowerCase()).sort();
		expect(folded(Object.keys(read))).toEqual(folded(Object.keys(files)));
		const byFolded = new Map(Object.entries(read).map(([name, bytes]) => [name.toLowerCase(), bytes]));
		for (const [i, [name, byteLength]] of Object.entries(files).entries()) {
			const expected = Buffer.alloc(byteLength, `${i}:${name}\n`);
			expect(byFolded.get(name.toLowerCase())?.equals(expected)).toBe(true);
		}
		rmSync(out, { recursive: true });
		expect(await run("minfo", ["-i", path, "::"])).toContain(`disk type="${type} `);
	});

	test("shows the names in the case they have", async () => {
		const listing = await run("mdir", ["-b", "-/", "-i", write("names.img", treeOf(SMALL)), "::"]);
		for (const name of Object.keys(SMALL)) expect(listing).toContain(`::/${name}\n`);
	});
});

describe.skipIf(requires("mkfs.fat", "mcopy"))("our reader", () => {
	test.each([20, 300, 600])("reads what mkfs.fat and mtools made, of %i MiB", async (size) => {
		const path = join(directory, "theirs.img");
		const source = join(directory, "source");
		for (const [name, byteLength] of Object.entries(SMALL)) {
			mkdirSync(dirname(join(source, name)), { recursive: true });
			writeFileSync(join(source, name), Buffer.alloc(byteLength, name));
		}
		writeFileSync(path, "");
		truncateSync(path, size * MiB);
		await run("mkfs.fat", ["-I", path]);
		await run("mcopy", ["-s", "-i", path, join(source, "EFI"), "::"]);
		const bytes = readFileSync(path);
		const { root } = await readFat(memorySource(bytes));
		const read = await filesIn(root);
		expect([...read.keys()].sort()).toEqual(Object.keys(SMALL).sort());
		for (const [name, content] of read) {
			const byteLength = SMALL[name as keyof typeof SMALL];
			expect(Buffer.alloc(byteLength, name).equals(content)).toBe(true);
		}
		rmSync(path);
	});
});

async function filesIn(root: FatReadDirectory, prefix = ""): Promise<Map<string, Uint8Array>> {
	const files = new Map<string, Uint8Array>();
	for (const [name, node] of root.entries) {
		if (node.kind === "file") files.set(prefix + name, await node.read());
		else for (const [path, content] of await filesIn(node, `${prefix}${name}/`)) files.set(path, content);
	}
	return files;
}

function readStart(path: string, byteLength: number): Buffer {
	const { stdout } = spawnSync("head", ["-c", String(byteLength), path], { maxBuffer: 2 * MiB });
	return stdout;
}

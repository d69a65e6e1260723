import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memorySource } from "../../../../src/binary/byte-source.ts";
import { byteStringFromText } from "../../../../src/binary/byte-string.ts";
import { MiB } from "../../../../src/binary/units.ts";
import { fsInfo } from "../../../../src/formats/fat/boot-sector.ts";
import {
	buildFat,
	type FatDirectory,
	type FatNode,
	type FatOptions,
	fatDirectoryOf,
} from "../../../../src/formats/fat/build-fat.ts";
import { dosTime, secondsOfDosTime } from "../../../../src/formats/fat/dos-time.ts";
import { clusterBytes, geometryOf } from "../../../../src/formats/fat/geometry.ts";
import { type FatReadDirectory, readFat } from "../../../../src/formats/fat/read-fat.ts";

const OPTIONS: FatOptions = { volumeId: 0xdeadbeef, timestamp: { seconds: 1_700_000_000, nanoseconds: 0 } };

const ESP = fatDirectoryOf([
	{
		path: "EFI/BOOT/BOOTX64.EFI",
		content: Buffer.alloc(900_000, 1),
		mtime: { seconds: 1_600_000_002, nanoseconds: 0 },
	},
	{ path: "EFI/BOOT/grubx64.efi", content: Buffer.alloc(2048, 2) },
	{ path: "EFI/BOOT/mmx64.efi", content: Buffer.alloc(2049, 3) },
	{ path: "EFI/BOOT/grub.cfg", content: Buffer.from("set timeout=1\n") },
	{ path: "EFI/BOOT/fonts/unicode.pf2", content: Buffer.alloc(5000, 4) },
	{ path: "EFI/BOOT/empty", content: new Uint8Array() },
	{ path: "EFI/BOOT/A name that is Long.config", content: Buffer.from("long") },
]);

function bytesOf(root: FatDirectory, options: Partial<FatOptions> = {}): Buffer {
	return Buffer.concat([...buildFat(root, { ...OPTIONS, ...options }).chunks()]);
}

/** Paths with content as text and time. */
async function flatten(directory: FatReadDirectory, prefix = ""): Promise<[string, string, number | undefined][]> {
	const result: [string, string, number | undefined][] = [];
	for (const [name, node] of directory.entries) {
		if (node.kind === "directory") {
			result.push([`${prefix}${name}/`, "", node.mtimeSeconds], ...(await flatten(node, `${prefix}${name}/`)));
		} else result.push([prefix + name, Buffer.from(await node.read()).toString("latin1"), node.mtimeSeconds]);
	}
	return result;
}

describe("the layout of an image", () => {
	// Measured: what mkfs.fat 4.2 -I makes of a file of so many MiB.
	test.each([
		[20, "FAT16", 40960, 4, 4, 40, 10211, 32, 4],
		[33, "FAT16", 67584, 4, 4, 68, 16853, 32, 8],
		[64, "FAT16", 131072, 4, 4, 128, 32695, 32, 8],
		[128, "FAT16", 262144, 4, 4, 256, 65399, 32, 8],
		[255, "FAT16", 522240, 8, 8, 256, 65211, 32, 16],
		[300, "FAT16", 614376, 16, 16, 160, 38375, 63, 16],
		[511, "FAT16", 1046493, 16, 16, 256, 65370, 63, 32],
		[512, "FAT32", 1048572, 8, 32, 1024, 130811, 63, 32],
		[600, "FAT32", 1228752, 8, 32, 1200, 153290, 63, 32],
	])(
		"of %i MiB is mkfs.fat's",
		(size, type, totalSectors, sectorsPerCluster, reservedSectors, fatSectors, clusterCount, sectorsPerTrack, heads) => {
			expect(geometryOf(size * MiB)).toMatchObject({
				type,
				totalSectors,
				sectorsPerCluster,
				reservedSectors,
				fatSectors,
				clusterCount,
				sectorsPerTrack,
				heads,
			});
		},
	);

	test("exists only where the type has enough clusters", () => {
		expect(geometryOf(4 * MiB)).toBeUndefined();
		expect(geometryOf(20 * MiB, "FAT32")).toBeUndefined();
		expect(geometryOf(64 * MiB, "FAT32")).toMatchObject({
			sectorsPerCluster: 1,
			fatSectors: 1009,
			clusterCount: 129022,
		});
	});
});

describe("a built image", () => {
	test("has 20 MiB and reads back with names, contents and times", async () => {
		const image = bytesOf(ESP);
		expect(image.byteLength).toBe(20 * MiB);
		const volume = await readFat(memorySource(image));
		expect(volume).toMatchObject({ volumeId: 0xdeadbeef, oemName: "mkfs.fat", geometry: { type: "FAT16" } });
		const files = await flatten(volume.root);
		expect(files.map(([path]) => path)).toEqual([
			"EFI/",
			"EFI/BOOT/",
			"EFI/BOOT/A name that is Long.config",
			"EFI/BOOT/BOOTX64.EFI",
			"EFI/BOOT/empty",
			"EFI/BOOT/fonts/",
			"EFI/BOOT/fonts/unicode.pf2",
			"EFI/BOOT/grub.cfg",
			"EFI/BOOT/grubx64.efi",
			"EFI/BOOT/mmx64.efi",
		]);
		const shim = files.find(([path]) => path.endsWith("BOOTX64.EFI"));
		expect(shim?.[1]).toBe(Buffer.alloc(900_000, 1).toString("latin1"));
		expect(shim?.[2]).toBe(1_600_000_002);
		expect(files[0]?.[2]).toBe(1_700_000_000);
	});

	test("does not depend on the order in which the files are given", () => {
		const files = ["b", "a", "c/x", "c/a"].map((path) => ({ path, content: Buffer.from(path) }));
		expect(bytesOf(fatDirectoryOf(files)).equals(bytesOf(fatDirectoryOf(files.reverse())))).toBe(true);
	});

	test("is exactly as large as the last cluster needs", () => {
		const geometry = geometryOf(20 * MiB);
		if (geometry === undefined) throw new Error("20 MiB has a layout");
		const full = geometry.clusterCount * clusterBytes(geometry);
		const sizeWith = (byteLength: number) =>
			buildFat(fatDirectoryOf([{ path: "f", content: Buffer.alloc(byteLength) }]), OPTIONS).byteLength;
		expect(sizeWith(full)).toBe(20 * MiB);
		expect(sizeWith(full + 1)).toBe(21 * MiB);
	});

	test("may be asked to be larger, and the minimum is rounded up to MiB", () => {
		expect(buildFat(ESP, { ...OPTIONS, minimumBytes: 24 * MiB + 1 }).byteLength).toBe(25 * MiB);
		expect(buildFat(ESP, { ...OPTIONS, minimumBytes: 1 }).geometry.type).toBe("FAT16");
	});

	test("is FAT32 where the root directory is too full for FAT16", async () => {
		const files = Array.from({ length: 513 }, (_, i) => ({ path: `F${i}`, content: Buffer.from(`${i}`) }));
		const image = bytesOf(fatDirectoryOf(files));
		const volume = await readFat(memorySource(image));
		expect(volume.geometry.type).toBe("FAT32");
		expect(volume.root.entries.size).toBe(513);
		const info = fsInfo.decode(image, 512);
		expect(info.freeClusters).toBe(volume.freeClusters);
		expect(image.subarray(0, 1024).equals(image.subarray(6 * 512, 8 * 512))).toBe(true);
		expect(buildFat(fatDirectoryOf(files.slice(0, 512)), OPTIONS).geometry.type).toBe("FAT16");
	});

	test("refuses what it cannot hold", () => {
		const many = Array.from({ length: 65_536 }, (_, i) => ({ path: `d/F${i}`, content: new Uint8Array() }));
		expect(() => buildFat(fatDirectoryOf(many), OPTIONS)).toThrow("FAT_TOO_LARGE");
	});
});

describe("times", () => {
	test.each([
		[1_700_000_001, 1_700_000_000],
		[0, 315_532_800],
		[-5, 315_532_800],
		[1e12, 4_354_819_198],
	])("of %i seconds are stored as %i", (seconds, stored) => {
		const { date, time } = dosTime({ seconds, nanoseconds: 0 });
		expect(secondsOfDosTime(date, time)).toBe(stored);
	});

	test("keep hundredths of a second of the creation", () => {
		expect(dosTime({ seconds: 1_700_000_001, nanoseconds: 999_999_999 }).hundredths).toBe(199);
	});
});

describe("any tree of names", () => {
	const part = fc.stringMatching(/^[A-Za-z0-9 ._+=,;[\]~é-]{1,30}$/).filter((name) => !/[. ]$/.test(name));
	const { tree } = fc.letrec<{ tree: FatDirectory; node: FatNode }>((tie) => ({
		node: fc.oneof(
			{ maxDepth: 3 },
			fc.uint8Array({ maxLength: 6000 }).map((content): FatNode => ({ kind: "file", content })),
			tie("tree"),
		),
		tree: fc
			.uniqueArray(fc.tuple(part, tie("node")), { maxLength: 8, selector: ([name]) => name.toUpperCase() })
			.map((entries) => ({
				kind: "directory",
				entries: new Map(entries.map(([name, node]) => [byteStringFromText(name), node])),
			})),
	}));

	test("reads back as it is", async () => {
		const expected = (directory: FatDirectory, prefix = ""): string[] =>
			[...directory.entries].flatMap(([name, node]) =>
				node.kind === "directory"
					? [`${prefix}${name}/`, ...expected(node, `${prefix}${name}/`)]
					: [`${prefix}${name}=${Buffer.from(node.content).toString("latin1")}`],
			);
		await fc.assert(
			fc.asyncProperty(tree, async (root) => {
				const volume = await readFat(memorySource(bytesOf(root, { minimumBytes: 9 * MiB })));
				const read = (await flatten(volume.root)).map(([path, content]) =>
					path.endsWith("/") ? path : `${path}=${content}`,
				);
				expect(read.sort()).toEqual(expected(root).sort());
			}),
			{ seed: 20_261_121, numRuns: 60 },
		);
	});
});

describe("a damaged volume", () => {
	const image = bytesOf(ESP, { minimumBytes: 9 * MiB });

	test.each([
		["the boot signature", 510, 0, "FAT_BOOT_SECTOR"],
		["the sector size", 12, 4, "FAT_BOOT_SECTOR"],
		["the cluster size", 13, 3, "FAT_BOOT_SECTOR"],
		["the number of tables", 16, 1, "FAT_BOOT_SECTOR"],
		["the sector count", 20, 0xff, "FAT_BOOT_SECTOR"],
		["the table size", 22, 1, "FAT_BOOT_SECTOR"],
		["one table", 4 * 512 + 6, 9, "FAT_TABLES"],
	])("in %s is refused", async (_, at, value, code) => {
		const damaged = Buffer.from(image);
		damaged[at] = value;
		await expect(readFat(memorySource(damaged))).rejects.toMatchObject({ code });
	});

	test("in a chain is refused", async () => {
		const { geometry } = await readFat(memorySource(image));
		const withEntry = (cluster: number, value: number): Buffer => {
			const damaged = Buffer.from(image);
			for (const copy of [0, 1])
				damaged.writeUInt16LE(value, (geometry.reservedSectors + copy * geometry.fatSectors) * 512 + cluster * 2);
			return damaged;
		};
		for (const [cluster, value, what] of [
			[10, 10, "used twice"],
			[10, 5, "used twice"],
			[10, 0xffff, "the chain has"],
			[10, 0, "does not exist"],
			[10, 0xfff7, "does not exist"],
			[2, 3, "beyond the end"],
			[geometry.clusterCount + 1, 0xffff, "in no file"],
		] as const)
			await expect(readFat(memorySource(withEntry(cluster, value)))).rejects.toThrow(what);
	});
});

import { describe, expect, it } from "vitest";
import { deriveIdentifiers } from "../../../src/exporters/iso/identifiers.ts";
import { buildFat } from "../../../src/formats/fat/build-fat.ts";
import type { FurtherImage } from "../../../src/medium/further-image.ts";
import { describeLayout, layOutIso, ROOT_FS_BLOCK } from "../../../src/medium/iso-layout.ts";

const epoch = { seconds: 0, nanoseconds: 0 };
const esp = buildFat({ kind: "directory", entries: new Map() }, { volumeId: 1, timestamp: epoch });
const inode = {
	type: "file",
	mode: 0o600,
	uid: 1,
	gid: 2,
	mtime: { seconds: 3, nanoseconds: 0 },
	xattrs: new Map(),
	byteLength: 5000,
	layer: 0,
	entry: 9,
} as const;

function layout(rootFsBytes: number, furtherImages: readonly FurtherImage[] = []) {
	return layOutIso({
		label: "Test",
		epochSeconds: 7,
		rootFsBytes,
		furtherImages,
		elToritoBytes: 30_172,
		esp,
		hasEfiImage: true,
		bootFiles: [
			{ iso: "images/pxeboot/vmlinuz", esp: undefined, content: { kind: "image", file: { path: "/v", inode } } },
			{ iso: "EFI/BOOT/grub.cfg", esp: "EFI/BOOT/grub.cfg", content: { kind: "generated", bytes: Buffer.from("x") } },
			{ iso: undefined, esp: "only-on-the-esp", content: { kind: "generated", bytes: Buffer.from("y") } },
		],
		guids: deriveIdentifiers(1).guids,
		preparer: "TEST",
	});
}

describe("the layout of the medium", () => {
	it("starts with the squashfs and leaves no two things on one block", () => {
		for (const rootFsBytes of [4096, 5 * 1024 ** 3]) {
			const { volume, disk } = layout(rootFsBytes);
			const placed = [
				{ block: 0, end: 16 },
				{ block: 16, end: 20 },
				{ block: 32, end: 35 },
				...volume.tables.map(({ block, bytes }) => ({ block, end: block + Math.ceil(bytes.byteLength / 2048) })),
				...volume.files.map(({ block, byteLength }) => ({ block, end: block + Math.ceil(byteLength / 2048) })),
				{ block: disk.efiSystemBlock, end: disk.efiSystemBlock + disk.efiSystemBlocks },
				{ block: disk.backupGptBlock, end: disk.imageBlocks },
			].sort((a, b) => a.block - b.block);
			for (const [index, { end }] of placed.entries()) {
				const next = placed[index + 1];
				if (next !== undefined) expect(next.block).toBeGreaterThanOrEqual(end);
			}
			expect(volume.files.find(({ contentKey }) => contentKey === "rootfs")).toMatchObject({
				block: ROOT_FS_BLOCK,
				fixed: true,
			});
		}
	});

	it("keeps the image's attributes on its files and gives the epoch to generated ones", () => {
		const { volume, sources } = layout(4096);
		expect(volume.files.flatMap(({ paths }) => paths).sort()).toEqual([
			"/EFI/BOOT/grub.cfg",
			"/LiveOS/squashfs.img",
			"/images/efiboot.img",
			"/images/eltorito.img",
			"/images/pxeboot/vmlinuz",
		]);
		expect(sources.get("image 0 9")).toEqual({ kind: "image", inode });
	});

	it("has a name for each file system that has contents in common with the first, and no block twice", () => {
		const furtherImages = [1, 2].map((k) => ({
			path: `LiveOS/${k}.img`,
			start: 4096 * k,
			byteLength: 20_480 + 4096 * k,
		}));
		const { volume } = layout(20_480, furtherImages);
		const places = volume.files.filter(({ fixed }) => fixed).map(({ block, byteLength }) => [block, byteLength]);
		expect(places.sort()).toEqual([
			[ROOT_FS_BLOCK, 20_480],
			[ROOT_FS_BLOCK + 2, 24_576],
			[ROOT_FS_BLOCK + 4, 28_672],
		]);
		const lines = describeLayout(layout(20_480, furtherImages)).trimEnd().split("\n").slice(1);
		const regions = lines.map((line) => line.trim().split(/ +/).map(Number));
		for (const [index, [block = 0, blocks = 0]] of regions.entries())
			expect(regions[index + 1]?.[0] ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(block + blocks);
		expect(lines).toContainEqual(expect.stringMatching(/^ +74 +4 {2}\/LiveOS\/1\.img$/));
	});

	it("can be printed, a line for each thing", () => {
		const lines = describeLayout(layout(4096)).trimEnd().split("\n");
		expect(lines[0]).toMatch(/block +blocks +content/);
		expect(lines).toContainEqual(expect.stringMatching(/^ +64 +2 {2}\/LiveOS\/squashfs\.img$/));
		expect(lines.at(-1)).toMatch(/^ +\d+ +16 {2}backup GPT$/);
	});
});

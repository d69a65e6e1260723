import { type ByteSource, memorySource } from "../../../src/binary/byte-source.ts";
import { Findings } from "../../../src/findings/findings.ts";
import { decodeBootCatalog, encodeBootCatalog } from "../../../src/formats/eltorito/boot-catalog.ts";
import { decodeBootRecord, encodeBootRecord } from "../../../src/formats/eltorito/boot-record.ts";
import { buildFat, fatDirectoryOf } from "../../../src/formats/fat/build-fat.ts";
import { type FatReadDirectory, readFat } from "../../../src/formats/fat/read-fat.ts";
import { decodeGptEntries, decodeGptHeader } from "../../../src/formats/gpt/gpt.ts";
import { decodeMbr } from "../../../src/formats/gpt/mbr.ts";
import { readVolume } from "../../../src/formats/iso9660/read-volume.ts";
import { decodeApplicationUse, encodeApplicationUse } from "../../../src/formats/isomd5/application-use.ts";
import { EROFS } from "../../../src/rootfs/erofs/erofs.ts";
import type { RootFile } from "../../../src/rootfs/root-inode.ts";
import { openSquashfs } from "../../../src/rootfs/squashfs/squashfs-reader.ts";
import { checkContents } from "../../../src/verify/contents-check.ts";
import { verifyIso } from "../../../src/verify/verify-iso.ts";
import { treeFacts } from "../../support/trees.ts";
import { smallIso } from "../../support/verify-iso-fixture.ts";
import { assortedTree, makeImage as makeErofs } from "../../unit/rootfs/erofs/harness.ts";
import { assortedImages } from "../../unit/rootfs/squashfs/harness.ts";
import { type FuzzTarget, once } from "../engine/target.ts";

const isoOnce = once(() => smallIso({ stored: true }));

/** Bytes that are changed one by one in a large medium: a position of 24 bits and a value, four bytes each. */
const PATCH_BYTES = 4;
const MAX_PATCHES = 64;

interface Stretch {
	readonly start: number;
	readonly byteLength: number;
}

/** Runs `use` over `base` with the input's patches inside `stretches`, and takes them back. */
async function withPatches(
	base: Buffer,
	stretches: readonly Stretch[],
	input: Buffer,
	use: (source: ByteSource) => Promise<unknown>,
): Promise<void> {
	const total = stretches.reduce((sum, { byteLength }) => sum + byteLength, 0);
	const undo: [number, number][] = [];
	for (let i = 0; i + PATCH_BYTES <= Math.min(input.byteLength, MAX_PATCHES * PATCH_BYTES); i += PATCH_BYTES) {
		let at = input.readUIntLE(i, 3) % total;
		const stretch = stretches.find(({ byteLength }) => {
			if (at < byteLength) return true;
			at -= byteLength;
			return false;
		});
		if (stretch === undefined) continue;
		undo.push([stretch.start + at, base.readUInt8(stretch.start + at)]);
		base.writeUInt8(input.readUInt8(i + 3), stretch.start + at);
	}
	try {
		await use(memorySource(base));
	} finally {
		for (const [at, value] of undo.reverse()) base.writeUInt8(value, at);
	}
}

const PATCH_SEEDS = (): Buffer[] => [
	Buffer.alloc(0),
	Buffer.from([10, 0, 0, 255]),
	Buffer.from(Array.from({ length: 40 }, (_, i) => (i * 61) % 256)),
];

/** Blocks of an ISO before its squashfs: system area, descriptors; and after it: directories, path tables, boot files' beginnings. */
async function isoStretches(): Promise<{ bytes: Buffer; head: Stretch; tail: Stretch; squashfs: Stretch }> {
	const { bytes, squashfsBytes } = await isoOnce();
	const start = 64 * 2048;
	const end = start + Math.ceil(squashfsBytes / 2048) * 2048;
	return {
		bytes,
		head: { start: 0, byteLength: 64 * 2048 },
		squashfs: { start, byteLength: squashfsBytes },
		tail: { start: end, byteLength: 256 * 1024 },
	};
}

const espOnce = once(() => {
	const files = ["EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/a rather long name of a file.efi", "EFI/BOOT/grub.cfg"];
	const contents = files.map((path, i) => ({ path, content: Buffer.alloc(5000 * i, "x") }));
	const options = { volumeId: 1, minimumBytes: 9 * 2 ** 20, timestamp: { seconds: 0, nanoseconds: 0 } };
	return Buffer.concat([...buildFat(fatDirectoryOf(contents), options).chunks()]);
});
const ESP_TABLE_BYTES = 64 * 1024;

async function readAllFat(directory: FatReadDirectory): Promise<void> {
	for (const entry of directory.entries.values()) {
		if (entry.kind === "file") await entry.read();
		else await readAllFat(entry);
	}
}

export const volumeTargets: readonly FuzzTarget[] = [
	{
		name: "iso9660",
		maxBytes: MAX_PATCHES * PATCH_BYTES,
		seeds: PATCH_SEEDS,
		async run(input) {
			const { bytes, head, tail } = await isoStretches();
			const descriptors = { start: 16 * 2048, byteLength: 8 * 2048 };
			await withPatches(bytes, input.byteLength % 3 === 0 ? [head, tail] : [descriptors, tail], input, readVolume);
		},
	},
	{
		name: "verify-iso",
		maxBytes: MAX_PATCHES * PATCH_BYTES,
		seeds: PATCH_SEEDS,
		async run(input) {
			const { bytes, head, tail, squashfs } = await isoStretches();
			await withPatches(bytes, [head, squashfs, tail], input, (source) => verifyIso(source, { mediaChecksum: false }));
		},
	},
	{
		name: "fat",
		maxBytes: MAX_PATCHES * PATCH_BYTES,
		seeds: PATCH_SEEDS,
		async run(input) {
			const start = { start: 0, byteLength: input.byteLength % 2 === 0 ? 512 : ESP_TABLE_BYTES };
			await withPatches(espOnce(), [start, { start: 0, byteLength: ESP_TABLE_BYTES }], input, async (source) =>
				readAllFat((await readFat(source)).root),
			);
		},
	},
	{
		name: "squashfs",
		maxBytes: 32_768,
		seeds: async () => {
			const { stored, compressed } = await assortedImages(30);
			return [stored, compressed];
		},
		async run(input) {
			const reader = await openSquashfs(memorySource(input));
			await treeFacts<RootFile>(await reader.readTree(), async function* (file) {
				if (file.byteLength > 2 ** 22) return;
				yield* reader.contents.read(file.layout);
			});
		},
	},
	{
		name: "erofs",
		maxBytes: 65_536,
		seeds: async () => {
			const { tree, root } = assortedTree(30);
			const [zstd, lz4] = await Promise.all([
				makeErofs(tree, root, { codec: "zstd", blockBytes: 4096 }),
				makeErofs(tree, root, { codec: "lz4", blockBytes: 16_384, fragmentRule: "all-tails" }),
			]);
			return [zstd, lz4];
		},
		async run(input) {
			const root = await EROFS.check(memorySource(input), new Findings(), undefined);
			if (root.files.some(({ byteLength }) => byteLength > 2 ** 22)) return;
			await checkContents(
				[{ start: 0, image: root }],
				() => true,
				new Findings(),
				() => new Findings(),
			);
		},
	},
	{
		name: "partition-tables",
		maxBytes: 40_000,
		async seeds() {
			const { bytes } = await isoOnce();
			return [bytes.subarray(0, 34 * 512)];
		},
		run(input) {
			if (input.byteLength < 1024) return;
			decodeMbr(input.subarray(0, 512));
			const header = decodeGptHeader(input.subarray(512, 1024), 1);
			decodeGptEntries(input.subarray(1024), header);
		},
	},
	{
		name: "el-torito",
		maxBytes: 4096,
		seeds: () => [
			encodeBootCatalog([
				{ platform: "bios", block: 100, sectorCount: 4 },
				{ platform: "uefi", block: 200, sectorCount: 0 },
			]),
			encodeBootRecord(70),
		],
		run(input) {
			const sector = Buffer.concat([input], 2048);
			decodeBootRecord(sector);
			decodeBootCatalog(sector);
		},
	},
	{
		name: "isomd5",
		maxBytes: 600,
		dictionary: "ISO MD5SUM = ~;SKIPSECTORS = ~;FRAGMENT SUMS = ~;FRAGMENT COUNT = ~RHLISOSTATUS=",
		seeds: () => [
			Buffer.from(
				encodeApplicationUse({
					md5: "0".repeat(32),
					skipSectors: 15,
					supported: false,
					fragmentSums: "abc".repeat(20),
					fragmentCount: 20,
				}),
			),
		],
		run: (input) => decodeApplicationUse(input),
	},
];

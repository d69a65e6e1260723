import { execFileSync } from "node:child_process";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { region } from "../../src/binary/byte-source.ts";
import { DISK_BLOCK_BYTES, ISO_BLOCK_BYTES } from "../../src/binary/units.ts";
import { decodeBootCatalog } from "../../src/formats/eltorito/boot-catalog.ts";
import { bootImageChecksum, bootInfoTable, hasGrub2BootInfo } from "../../src/formats/eltorito/boot-info.ts";
import { decodeBootRecord } from "../../src/formats/eltorito/boot-record.ts";
import { decodeGptEntries, decodeGptHeader } from "../../src/formats/gpt/gpt.ts";
import { decodeMbr, grubKernelBlock } from "../../src/formats/gpt/mbr.ts";
import { readVolume } from "../../src/formats/iso9660/read-volume.ts";
import { findNode } from "../../src/formats/iso9660/volume.ts";
import { requires } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
	fileSource,
	grubPcDirectory,
	SYNTHETIC_BOOT_HYBRID,
	treeFromDirectory,
	writeBootParts,
	writeIso,
	xorrisofsArguments,
} from "./iso9660-fixture.ts";

const grub = grubPcDirectory();
if (grub === undefined)
	process.stderr.write("SKIPPED: the boot reports with GRUB's own boot_hybrid.img; it is not installed\n");

const CASES: [name: string, bootHybrid: Uint8Array, efiByteLength: number][] = [
	["synthetic boot code, 1 MiB", SYNTHETIC_BOOT_HYBRID, 2 ** 20],
	["synthetic boot code, 20 MiB", SYNTHETIC_BOOT_HYBRID, 20 * 2 ** 20],
	["synthetic boot code, 40 MiB", SYNTHETIC_BOOT_HYBRID, 40 * 2 ** 20],
	["synthetic boot code, half a block", SYNTHETIC_BOOT_HYBRID, 2 ** 20 + 512],
];
if (grub !== undefined)
	CASES.push(["GRUB's boot_hybrid.img, 20 MiB", readFileSync(join(grub, "boot_hybrid.img")), 20 * 2 ** 20]);

describe.skipIf(requires("xorriso", "xorrisofs")).each(CASES)(
	"the boot structures: %s of EFI system partition",
	(_, bootHybrid, efiByteLength) => {
		const scratch = temporaryDirectory("boot");
		const tree = join(scratch, "tree");
		const ours = join(scratch, "ours.iso");
		const theirs = join(scratch, "theirs.iso");
		const mbr = join(scratch, "boot_hybrid.img");
		beforeAll(() => {
			writeBootParts(tree);
			truncateSync(join(tree, "images/efiboot.img"), efiByteLength);
			writeFileSync(mbr, bootHybrid);
			writeIso(ours, treeFromDirectory(tree), tree, { volumeIdentifier: "Kinoite-Live", bootHybrid });
			run("xorrisofs", ...xorrisofsArguments(theirs, tree, "Kinoite-Live", mbr));
		});

		it("have the report of xorriso's own ISO, field by field, block addresses and GUIDs aside", () => {
			const theirReport = report(theirs);
			expect(theirReport.length).toBeGreaterThan(30);
			expect(report(ours)).toEqual(theirReport);
		});

		it("lie in the same order and have the same sizes", () => {
			const sizes = (image: string) => {
				const table = rawReport(image).filter((line) => line.startsWith("GPT start and size"));
				return table
					.map((line) => line.split(/ +/).slice(-2).map(Number))
					.slice(1)
					.map(([, size]) => size);
			};
			expect(sizes(ours)).toEqual(sizes(theirs));
		});

		it.each([
			["ours", ours],
			["xorriso's", theirs],
		])("are understood by our own decoders: %s", async (_name, image) => {
			const source = fileSource(image);
			const sector = (block: number, count: number) => source.read(block * DISK_BLOCK_BYTES, count * DISK_BLOCK_BYTES);
			const volume = await readVolume(source);
			const catalogBlock = decodeBootRecord(volume.bootRecords[0] ?? new Uint8Array()) ?? -1;
			const images = decodeBootCatalog(await source.read(catalogBlock * ISO_BLOCK_BYTES, ISO_BLOCK_BYTES));
			const [bios, uefi] = images;
			expect(images.map(({ platform }) => platform)).toEqual(["bios", "uefi"]);
			const file = findNode(volume.root, "/images/eltorito.img");
			if (file?.type !== "file") throw new Error("no /images/eltorito.img");
			expect(file.extents).toMatchObject([{ block: bios?.block }]);
			const image141 = await source.read((bios?.block ?? 0) * ISO_BLOCK_BYTES, file.byteLength);
			expect(hasGrub2BootInfo(image141, bios?.block ?? 0)).toBe(true);
			expect(bootInfoTable.decode(image141)).toEqual({
				pvdBlock: 16,
				imageBlock: bios?.block,
				imageByteLength: file.byteLength,
				checksum: bootImageChecksum(image141),
			});

			const disk = source.byteLength / DISK_BLOCK_BYTES;
			const { partitions, kernelBlock } = decodeMbr(await sector(0, 1));
			expect(kernelBlock).toBe(grubKernelBlock(bios?.block ?? 0));
			expect(partitions).toMatchObject([{ type: 0xee, firstBlock: 1, blockCount: disk - 1 }]);
			const first = decodeGptHeader(await sector(1, 1), 1);
			const last = decodeGptHeader(await sector(disk - 1, 1), disk - 1);
			const entries = decodeGptEntries(await sector(first.entriesBlock, 62), first);
			expect(decodeGptEntries(await sector(last.entriesBlock, 62), last)).toEqual(entries);
			expect(entries.map(({ name }) => name)).toEqual(["ISO9660", "Appended2", "Gap1"]);
			expect(entries[1]?.firstBlock).toBe((uefi?.block ?? 0) * 4);
			expect(entries[0]?.lastBlock).toBe((uefi?.block ?? 0) * 4 - 1);
			const start = (entries[0]?.firstBlock ?? 0) * DISK_BLOCK_BYTES;
			const second = await readVolume(region(source, start, source.byteLength - start));
			expect([...second.root.entries.keys()]).toEqual([...volume.root.entries.keys()]);
			source.close();
		});

		it.skipIf(requires("sgdisk"))("have a GPT that sgdisk finds no fault with", () => {
			expect(run("sgdisk", "-v", ours)).toMatch("No problems found.");
			expect(run("sgdisk", "-p", ours)).toMatch(/EF00 {2}Appended2/);
		});

		it("carry the EFI system partition's bytes", () => {
			const image = readFileSync(ours);
			const at = Number(
				rawReport(ours)
					.find((line) => /^GPT start and size : +2 /.test(line))
					?.split(/ +/)
					.at(-2),
			);
			const efi = readFileSync(join(tree, "images/efiboot.img"));
			expect(image.subarray(at * 512, at * 512 + efi.byteLength).equals(efi)).toBe(true);
		});
	},
);

function rawReport(image: string): string[] {
	const options = ["-indev", image, "-report_el_torito", "plain", "-report_system_area", "plain"];
	return run("xorriso", ...options).split("\n");
}

/** The report without block addresses, sizes of the volume, and GUIDs, which are each image's own. */
function report(image: string): string[] {
	return rawReport(image)
		.filter((line) => !/^GPT (disk|partition) GUID/.test(line))
		.map((line) => {
			if (/^(El Torito catalog|GPT lba range|ISO image size)/.test(line)) return line.replace(/\d+/g, "#");
			if (/^El Torito boot img/.test(line)) return line.replace(/\d+$/, "#").replace(/ +#/, " #");
			if (/^MBR partition +: +1/.test(line)) return line.replace(/ +\d+$/, " #");
			if (/^GPT start and size : +1 /.test(line)) return line.replace(/ +\d+$/, " #");
			if (/^GPT start and size : +[23] /.test(line)) return line.replace(/ +\d+( +\d+)$/, " #$1");
			return line;
		});
}

function run(command: string, ...options: string[]): string {
	return execFileSync(command, options, {
		encoding: "latin1",
		stdio: ["ignore", "pipe", "pipe"],
		env: { ...process.env, LC_ALL: "C.UTF-8", TZ: "UTC", SOURCE_DATE_EPOCH: "1700000000" },
	});
}

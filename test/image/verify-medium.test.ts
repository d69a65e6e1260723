import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { memorySource } from "../../src/binary/byte-source.ts";
import { readVolume } from "../../src/formats/iso9660/read-volume.ts";
import { buildIso } from "../../src/index.ts";
import { compileExcludes, DEFAULT_EXCLUDES } from "../../src/layers/excludes.ts";
import { openImage } from "../../src/oci/open-image.ts";
import { fileAt } from "../../src/verify/medium-files.ts";
import { type ExpectedTree, readImageTree } from "../../src/verify/read-image.ts";
import { verifyIso } from "../../src/verify/verify-iso.ts";
import { FIXTURE_NEEDS } from "../support/fixture.ts";
import { requires } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { thinImage } from "../support/thin-image.ts";

/** Puts `to`, of the same length, for every `from`. */
function replaceAll(iso: Buffer, from: Buffer, to: Buffer): number {
	let count = 0;
	for (let at = iso.indexOf(from); at >= 0; at = iso.indexOf(from, at + to.byteLength), count++) to.copy(iso, at);
	return count;
}

const utf16 = (text: string): Buffer => Buffer.from(text, "utf16le").swap16();

describe.skipIf(requires(...FIXTURE_NEEDS))("what the image and the rules do not account for", () => {
	const work = temporaryDirectory("medium");
	let image = "";
	let pristine = Buffer.alloc(0);
	let expected: ExpectedTree;
	const places = new Map<string, { readonly start: number; readonly byteLength: number }>();

	beforeAll(async () => {
		image = `oci:${await thinImage()}:latest`;
		const output = join(work, "debian.iso");
		await buildIso({ image, output, level: 1 });
		pristine = await readFile(output);
		const opened = await openImage(image);
		expected = await readImageTree(opened, { isExcluded: compileExcludes(DEFAULT_EXCLUDES) });
		await opened.close();
		const { root } = await readVolume(memorySource(pristine));
		for (const path of [
			"boot/grub2/grub.cfg",
			"EFI/BOOT/grub.cfg",
			"boot/grub2/i386-pc/normal.mod",
			"boot/grub2/i386-pc/linux.mod",
			"images/pxeboot/initrd.img",
			"images/pxeboot/vmlinuz",
			"images/efiboot.img",
			"images/eltorito.img",
			"LiveOS/squashfs.img",
			".discinfo",
		]) {
			const file = fileAt(root, path);
			const [extent] = file?.extents ?? [];
			if (file === undefined || extent === undefined) throw new Error(`${path} is not there`);
			places.set(path, { start: extent.block * 2048, byteLength: file.byteLength });
		}
	});

	function place(path: string) {
		const found = places.get(path);
		if (found === undefined) throw new Error(`the place of ${path} was not looked up`);
		return found;
	}
	/** The verdict, then what was found by the check of the medium, then by the others. */
	async function faults(iso: Buffer): Promise<string> {
		const { verdict, checks } = await verifyIso(memorySource(iso), { expected, mediaChecksum: false });
		const lines = [...checks]
			.sort((a, b) => Number(b.name === "medium") - Number(a.name === "medium"))
			.flatMap(({ findings }) => findings.map(({ severity, what, where }) => `${severity} ${where}: ${what}`));
		return [verdict, ...lines].join("\n");
	}

	it("is nothing on a medium as it was made", async () => expect(await faults(pristine)).toMatch(/^pass/));

	it("is nothing but a wrong mark on one whose squashfs is not compressed and does not say so", async () => {
		const output = join(work, "stored.iso");
		await buildIso({ image, output, comp: "none" });
		const iso = await readFile(output);
		flip(iso, place("LiveOS/squashfs.img").start + 24, 2);
		expect(await faults(iso)).toMatch(/^fail\n.*flags about the making is \d+(\nnote .*)*$/);
	});

	it("are different contents, all that there are at once", async () => {
		const iso = Buffer.from(pristine);
		const changes: readonly [string, (iso: Buffer) => unknown, RegExp][] = [
			["a module of zeros", (iso) => fill(iso, "boot/grub2/i386-pc/normal.mod", 0), /normal\.mod: the content differs/],
			["another module of zeros", (iso) => fill(iso, "boot/grub2/i386-pc/linux.mod", 0), /linux\.mod: the content/],
			["half an initramfs", (iso) => fill(iso, "images/pxeboot/initrd.img", 0.5), /initrd\.img: the content differs/],
			[
				"one bit of the kernel",
				(iso) => flip(iso, place("images/pxeboot/vmlinuz").start + 5_000_000),
				/vmlinuz: the content/,
			],
			[
				"a menu for BIOS that halts",
				(iso) => put(iso, "boot/grub2/grub.cfg", "set gfxpayload=keep", "halt               "),
				/boot\/grub2\/grub\.cfg: the content differs/,
			],
			["another disc information", (iso) => flip(iso, place(".discinfo").start), /\.discinfo: the content differs/],
			[
				"another font, everywhere",
				(iso) => expect(replaceAll(iso, Buffer.from("PFF2"), Buffer.from("PFF3"))).toBeGreaterThan(2),
				/unicode\.pf2: the content differs/,
			],
			["something in the padding", (iso) => flip(iso, iso.byteLength - 40_000), /padding: bytes that nothing accounts/],
		];
		for (const [, change] of changes) change(iso);
		const text = await faults(iso);
		for (const [name, , message] of changes)
			expect(text, name).toMatch(new RegExp(`^fault .*(?:${message.source})`, "m"));
	});

	it.each<[string, (iso: Buffer) => unknown, RegExp]>([
		[
			"something in free clusters of both EFI images",
			(iso) => {
				const { start, byteLength } = place("images/efiboot.img");
				flip(iso, start + byteLength - 70_000);
				const partition = iso.indexOf(iso.subarray(start, start + 512), start + byteLength);
				flip(iso, partition + byteLength - 70_000);
			},
			/EFI system partition: it differs/,
		],
		[
			"something behind a file in its last block",
			(iso) => flip(iso, place(".discinfo").start + place(".discinfo").byteLength + 9),
			/\.discinfo: bytes that nothing accounts for are set/,
		],
		[
			"all menus with other kernel arguments",
			(iso) => {
				const { start, byteLength } = place("EFI/BOOT/grub.cfg");
				const menu = Buffer.from(iso.subarray(start, start + byteLength));
				const changed = Buffer.from(menu.toString("latin1").replace("rd.live.image", "init=/bin/foo"), "latin1");
				expect(replaceAll(iso, menu, changed)).toBeGreaterThan(2);
			},
			/EFI\/BOOT\/grub\.cfg: the content differs/,
		],
		["something in the system area", (iso) => flip(iso, 30_000), /GPT|system area/],
		["something behind the backup GPT's entries", (iso) => flip(iso, iso.byteLength - 24_000), /are set|differs|GPT/],
		[
			"other names in all trees",
			(iso) => {
				replaceAll(iso, Buffer.from("part_gpt.mod"), Buffer.from("part_gpx.mod"));
				replaceAll(iso, utf16("part_gpt.mod"), utf16("part_gpx.mod"));
			},
			/part_gpt\.mod: it is missing/,
		],
		[
			"a distributor's mark, which no checksum covers",
			(iso) => replaceAll(iso, Buffer.from("RHLISOSTATUS=0"), Buffer.from("RHLISOSTATUS=1")),
			/application-use area: it says that a distributor supports/,
		],
		["another time in the squashfs", (iso) => flip(iso, place("LiveOS/squashfs.img").start + 8), /time of making/],
		[
			"a squashfs that says that its data are stored",
			(iso) =>
				iso.writeUInt8(
					iso.readUInt8(place("LiveOS/squashfs.img").start + 24) | 2,
					place("LiveOS/squashfs.img").start + 24,
				),
			/flags about the making/,
		],
		[
			"a squashfs that says that every tail is in a fragment",
			(iso) => flip(iso, place("LiveOS/squashfs.img").start + 24, 0x20),
			/tails are not where the flags say/,
		],
		["a publisher", (iso) => replaceAll(iso, Buffer.from("LINUX  "), Buffer.from("LINUX X")), /volume descriptors/],
		[
			"a catalog with a name",
			(iso) => {
				const at = iso.indexOf(Buffer.from("01000000", "hex"), iso.readUInt32LE(17 * 2048 + 71) * 2048);
				iso.writeUInt16LE(0x1234, at + 4);
				iso.writeUInt16LE((iso.readUInt16LE(at + 28) - 0x1234) & 0xffff, at + 28);
			},
			/boot-catalog: it differs/,
		],
	])("%s", async (_, change, message) => {
		const iso = Buffer.from(pristine);
		change(iso);
		const text = await faults(iso);
		expect(text).toMatch(message);
		expect(text).toMatch(/^fail/);
	});

	it("half an initramfs, which no image is needed for", async () => {
		const iso = Buffer.from(pristine);
		fill(iso, "images/pxeboot/initrd.img", 0.5);
		const { checks } = await verifyIso(memorySource(iso), { mediaChecksum: false });
		expect(JSON.stringify(checks)).toMatch(/initrd\.img is damaged: the part at byte \d+ \(zstd\)/);
	});

	it("data behind the end", async () =>
		expect(await faults(Buffer.concat([pristine, Buffer.alloc(2048)]))).toContain("fail"));

	it("are files that are not the image's, whoever says to have made the medium", async () => {
		const iso = Buffer.from(pristine);
		for (const encoded of [(text: string) => Buffer.from(text), utf16])
			replaceAll(iso, encoded("OCI2ISO-"), encoded("SOMEISO-"));
		expect(await faults(iso)).toMatch(/^pass\n(.*\n)*note .*: made by SOMEISO-/);
		const core = Buffer.from(iso);
		const { start, byteLength } = place("images/eltorito.img");
		flip(core, start + Math.floor(byteLength / 2));
		expect(await faults(core)).toMatch(/^fail\n(.*\n)*.*eltorito\.img: it is not what GRUB's files/);
		put(iso, "boot/grub2/grub.cfg", "set gfxpayload=keep", "halt               ");
		expect(await faults(iso)).toMatch(/^fail\n(.*\n)*.*grub\.cfg: the content differs/);
	});

	function fill(iso: Buffer, path: string, from: number): void {
		const { start, byteLength } = place(path);
		iso.fill(0, start + Math.floor(from * byteLength), start + byteLength);
	}

	function put(iso: Buffer, path: string, from: string, to: string): void {
		const { start, byteLength } = place(path);
		const at = iso.subarray(start, start + byteLength).indexOf(from);
		expect(at).toBeGreaterThanOrEqual(0);
		iso.write(to, start + at, "latin1");
	}

	function flip(iso: Buffer, at: number, bits = 0x5a): void {
		iso.writeUInt8(iso.readUInt8(at) ^ bits, at);
	}
});

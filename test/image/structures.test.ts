import { createHash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type BuildReport, buildIso } from "../../src/index.ts";
import { debianFixture, FIXTURE_NEEDS } from "../support/fixture.ts";
import { sha256Of } from "../support/host-tree.ts";
import { mediumFiles } from "../support/medium-files.ts";
import { buildReferenceIso, REFERENCE_PIPELINE_NEEDS } from "../support/reference-pipeline.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { thinImage } from "../support/thin-image.ts";

const NEEDS = ["unsquashfs", "xorriso", "sgdisk", "fsck.fat", "checkisomd5", "isoinfo", ...FIXTURE_NEEDS];
const SQUASHFS_BLOCK = 64;

describe.skipIf(requires(...NEEDS))("the Debian image's ISO", () => {
	const work = temporaryDirectory("structures");
	let iso = "";
	let layout = "";
	let report: BuildReport;

	beforeAll(async () => {
		layout = await thinImage();
		iso = join(work, "debian.iso");
		report = await buildIso({ image: `oci:${layout}:latest`, output: iso, level: 1, jobs: 2 });
	});

	it("has the same bytes from one thread and from many", async () => {
		for (const jobs of [1, 7]) {
			const again = join(work, `${jobs}.iso`);
			await buildIso({ image: `oci:${layout}:latest`, output: again, level: 1, jobs });
			expect(await sha256Of(again)).toBe(await sha256Of(iso));
			await rm(again);
		}
	});

	it.skipIf(requires("skopeo"))("has the same root file system from every transport", async () => {
		// skopeo compresses layers as it copies, which changes the manifest and so the derived ids, but not the tree.
		const copies = [
			"oci:copy:live",
			"oci-archive:copy.tar",
			"dir:copied",
			"docker-archive:docker.tar:localhost/debian:live",
		];
		const expected = (await mediumFiles(iso)).get("LiveOS/squashfs.img");
		// Docker's manifests know no zstd.
		const gzip = ["--dest-compress-format", "gzip", "--dest-compress-level", "1"];
		await run("skopeo", ["copy", "--quiet", ...gzip, `oci:${layout}:latest`, `oci:${join(work, "gzip")}:latest`]);
		for (const copy of copies) {
			const [transport = "", path = "", ...tag] = copy.split(":");
			const reference = [transport, join(work, path), ...tag].join(":");
			await run("skopeo", ["copy", "--quiet", `oci:${join(work, "gzip")}:latest`, reference]);
			const again = join(work, "again.iso");
			const other = await buildIso({ image: reference, output: again, level: 1 });
			expect(other.squashfs).toEqual(report.squashfs);
			expect((await mediumFiles(again)).get("LiveOS/squashfs.img")).toEqual(expected);
			await rm(again);
		}
	});

	it("is made without running anything of the image", () => {
		expect(report.tools).toEqual([
			{ task: "el-torito-core", used: "builtin" },
			{ task: "media-checksum", used: "builtin" },
		]);
	});

	it.each(["buildroot", "host"] as const)("is the same, byte for byte, with tools: %s", async (tools) => {
		const again = join(work, `${tools}.iso`);
		const other = await buildIso({ image: `oci:${layout}:latest`, output: again, level: 1, tools });
		expect(other.tools.map(({ used }) => used)).toEqual([tools, tools]);
		expect(other.tools[0]?.sameAsBuiltin).toBe(true);
		await run("cmp", [iso, again]);
		await rm(again);
	});

	it("passes its media check", async () => {
		expect(await run("sh", ["-c", 'checkisomd5 "$1" 2>&1', "sh", iso])).toContain("PASS");
	});

	it("has a squashfs that unsquashfs lists", async () => {
		const listing = await run("unsquashfs", ["-o", String(SQUASHFS_BLOCK * 2048), "-lls", iso]);
		expect(listing.split("\n").length).toBeGreaterThan(report.squashfs.inodes);
		const superblock = await run("unsquashfs", ["-o", String(SQUASHFS_BLOCK * 2048), "-s", iso]);
		expect(superblock).toContain("Compression zstd");
		expect(superblock).toContain(`Number of inodes ${report.squashfs.inodes}`);
	});

	it("has partitions that sgdisk finds no fault with", async () => {
		expect(await run("sgdisk", ["-v", iso])).toContain("No problems found");
	});

	it("has an EFI system partition that fsck.fat finds no fault with, and is images/efiboot.img", async () => {
		const table = await run("sgdisk", ["-i", "2", iso]);
		const first = Number(/First sector: (\d+)/.exec(table)?.[1]);
		const size = Number(/Partition size: (\d+) sectors/.exec(table)?.[1]);
		const esp = join(work, "esp.img");
		await run("dd", [`if=${iso}`, `of=${esp}`, "bs=512", `skip=${first}`, `count=${size}`, "status=none"]);
		await run("fsck.fat", ["-n", esp]);
		const files = await mediumFiles(iso);
		expect(files.get("images/efiboot.img")?.sha256).toBe(await sha256Of(esp));
		for (const name of ["BOOTX64.EFI", "grubx64.efi", "mmx64.efi", "grub.cfg", "fonts/unicode.pf2"]) {
			const copied = join(work, "from-esp");
			await run("mcopy", ["-n", "-i", esp, `::/EFI/BOOT/${name}`, copied]);
			expect(await sha256Of(copied)).toBe(files.get(`EFI/BOOT/${name}`)?.sha256);
			await rm(copied);
		}
		await run("mcopy", ["-n", "-i", esp, "::/boot/grub/grub.cfg", join(work, "menu")]);
		expect(await sha256Of(join(work, "menu"))).toBe(files.get("EFI/BOOT/grub.cfg")?.sha256);
	});

	it("shows the same names through Rock Ridge and Joliet", async () => {
		const names = async (flag: string): Promise<string[]> =>
			(await run("isoinfo", ["-i", iso, flag, "-f"])).trimEnd().split("\n").sort();
		const rockRidge = await names("-R");
		expect(rockRidge).toEqual(await names("-J"));
		expect(rockRidge).toEqual(
			expect.arrayContaining([
				"/.discinfo",
				"/EFI/BOOT/BOOTX64.EFI",
				"/LiveOS/squashfs.img",
				"/boot/grub2/i386-pc/normal.mod",
			]),
		);
	});

	it("holds what it is said to hold", async () => {
		const files = await mediumFiles(iso);
		const squashfs = files.get("LiveOS/squashfs.img");
		expect(squashfs?.sizeBytes).toBe(report.squashfs.byteLength);
		const bytes = await readFile(iso);
		const start = SQUASHFS_BLOCK * 2048;
		const body = bytes.subarray(start, start + report.squashfs.byteLength);
		expect(createHash("sha256").update(body).digest("hex")).toBe(squashfs?.sha256);
		expect(bytes.byteLength).toBe(report.iso?.byteLength);
	});
});

/** What xorriso says of a medium, without the numbers that depend on where things lie and on random ids. */
function shape(text: string): string[] {
	return text
		.split("\n")
		.filter((line) => /^(El Torito|System area|Partition|MBR|GPT|Boot record|Volume id)/.test(line))
		.map((line) =>
			line
				.replace(/^(GPT (disk|partition) GUID.*?)[0-9a-f]{32}$/, "$1<guid>")
				.replace(/^(El Torito catalog {2}: +)\d+/, "$1<block>")
				.replace(/^(El Torito boot img :.*\S) +\d+$/, "$1 <block>")
				.replace(
					/^(GPT start and size : +)(\d+) +(\d+) +(\d+)$/,
					(_, head: string, n: string, start: string, size: string) =>
						n === "1" ? `${head}${n} ${start} <size>` : `${head}${n} <start> ${size}`,
				)
				.replace(/^(MBR partition +: +1 +\S+ +\S+ +1 +)\d+$/, "$1<size>")
				.replace(/^(GPT lba range.*?64 ).*$/, "$1<end>")
				.trimEnd(),
		);
}

describe.skipIf(requires(...REFERENCE_PIPELINE_NEEDS, "xorriso", ...FIXTURE_NEEDS))(
	"beside the reference's ISO of the same image",
	() => {
		const work = temporaryDirectory("reference");
		const report = (iso: string): Promise<string> =>
			run("sh", ["-c", 'xorriso -indev "$1" -report_el_torito plain -report_system_area plain 2>/dev/null', "sh", iso]);

		beforeAll(async () => {
			const layout = await debianFixture();
			await buildReferenceIso(layout, join(work, "reference.iso"), { compression: "lz4" });
			await buildIso({ image: `oci:${layout}:latest`, output: join(work, "ours.iso"), comp: "lz4" });
			await writeFile(join(work, "ours.txt"), await report(join(work, "ours.iso")));
			await writeFile(join(work, "reference.txt"), await report(join(work, "reference.iso")));
		});

		it("has the same El Torito catalog, MBR and GPT, field by field", async () => {
			const ours = shape(await readFile(join(work, "ours.txt"), "utf8"));
			const reference = shape(await readFile(join(work, "reference.txt"), "utf8"));
			expect(reference.length).toBeGreaterThan(25);
			// The active entry that is no partition, which the reference does not ask xorriso for.
			const active = /^MBR partition +: +2 +0x80 +0x00 +0 +1$/;
			expect(ours.filter((line) => active.test(line))).toHaveLength(1);
			expect(ours.filter((line) => !active.test(line))).toEqual(reference);
		});

		it("has the same files with the same contents, but for what has a time, a place or an id in it", async () => {
			const ours = await mediumFiles(join(work, "ours.iso"));
			const reference = await mediumFiles(join(work, "reference.iso"));
			const menu = "boot/grub/grub.cfg";
			const loopback = "boot/grub/loopback.cfg";
			expect([...ours.keys()].sort()).toEqual([...reference.keys(), menu, loopback].sort());
			expect(ours.get(menu)).toEqual(ours.get("EFI/BOOT/grub.cfg"));
			ours.delete(menu);
			ours.delete(loopback);
			const different = [...ours].filter(([path, file]) => file.sha256 !== reference.get(path)?.sha256);
			expect(different.map(([path]) => path).sort()).toEqual([
				".discinfo",
				"LiveOS/squashfs.img",
				"images/efiboot.img",
				"images/eltorito.img",
			]);
		});
	},
);

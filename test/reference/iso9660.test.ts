import { execFileSync } from "node:child_process";
import {
	chmodSync,
	chownSync,
	closeSync,
	ftruncateSync,
	linkSync,
	mkdirSync,
	openSync,
	readFileSync,
	rmSync,
	symlinkSync,
	utimesSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { region } from "../../src/binary/byte-source.ts";
import { bytesOf } from "../../src/binary/byte-string.ts";
import { GiB, ISO_BLOCK_BYTES } from "../../src/binary/units.ts";
import type { VolumePlan } from "../../src/formats/iso9660/plan-volume.ts";
import { readVolume } from "../../src/formats/iso9660/read-volume.ts";
import { findNode, type VolumeNode } from "../../src/formats/iso9660/volume.ts";
import { requires } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
	fileSource,
	SYNTHETIC_BOOT_HYBRID,
	treeFromDirectory,
	writeBootParts,
	writeIso,
	xorrisofsArguments,
} from "./iso9660-fixture.ts";

const LABEL = "Fedora-bootc-Installer";

describe.skipIf(requires("xorriso", "xorrisofs", "isoinfo"))("the ISO 9660 volume beside xorriso's", () => {
	const scratch = temporaryDirectory("iso9660");
	const tree = join(scratch, "tree");
	const ours = join(scratch, "ours.iso");
	const partition = join(scratch, "ours-partition.iso");
	const theirs = join(scratch, "theirs.iso");

	beforeAll(() => {
		makeTree(tree);
		writeIso(ours, treeFromDirectory(tree), tree, { volumeIdentifier: LABEL, bootHybrid: SYNTHETIC_BOOT_HYBRID });
		writeFileSync(partition, readFileSync(ours).subarray(16 * ISO_BLOCK_BYTES));
		const mbr = join(scratch, "boot_hybrid.img");
		writeFileSync(mbr, SYNTHETIC_BOOT_HYBRID);
		run("xorrisofs", ...xorrisofsArguments(theirs, tree, LABEL, mbr));
	});

	it.each([
		["ISO 9660", []],
		["Rock Ridge", ["-R"]],
		["Joliet", ["-J"]],
	])("is listed alike by isoinfo: %s names, sizes, modes, owners, dates", (_, options) => {
		const listing = (image: string) => withoutBlocks(run("isoinfo", "-l", ...options, "-i", image));
		const expected = listing(theirs);
		expect(expected.length).toBeGreaterThan(400);
		expect(listing(ours)).toEqual(expected);
		expect(listing(partition)).toEqual(expected);
	});

	it("is listed alike by xorriso", () => {
		const list = (image: string) => run("xorriso", "-indev", image, "-find", "/", "-exec", "lsdl");
		expect(list(ours)).toBe(list(theirs));
	});

	it("has the same descriptors, apart from places, sizes and who prepared it", () => {
		const describe = (image: string) =>
			run("isoinfo", "-d", "-i", image)
				.split("\n")
				.filter((line) => !/^(Data preparer|Volume size|El Torito VD|\s+Bootoff)/.test(line));
		expect(describe(ours)).toEqual(describe(theirs));
		expect(run("xorriso", "-indev", ours, "-pvd_info")).toMatch(`Volume Id    : ${LABEL}\n`);
	});

	it("gives xorriso every file's bytes", () => {
		const extracted = join(scratch, "extracted");
		run("xorriso", "-osirrox", "on", "-indev", ours, "-extract", "/", extracted);
		// The image holds the BIOS boot image with its place patched in.
		const patched = "images/eltorito.img";
		expect(readFileSync(join(extracted, patched)).equals(readFileSync(join(tree, patched)))).toBe(false);
		rmSync(join(extracted, patched));
		const differences = run("sh", "-c", 'diff -r --no-dereference "$1" "$2" || true', "sh", extracted, tree);
		expect(differences).toBe(`Only in ${join(tree, "images")}: eltorito.img\n`);
		run("chmod", "-R", "u+w", extracted);
		rmSync(extracted, { recursive: true, force: true });
	});

	it("is read alike by our own reader, at both starts", async () => {
		const offset = 16 * ISO_BLOCK_BYTES;
		const views = async (image: string) => {
			const source = fileSource(image);
			try {
				const whole = await readVolume(source);
				const second = await readVolume(region(source, offset, source.byteLength - offset));
				const { volumeSpaceBlocks } = whole.primary;
				expect(volumeSpaceBlocks * ISO_BLOCK_BYTES).toBe(source.byteLength);
				expect(second.primary.volumeSpaceBlocks).toBe((whole.joliet?.volumeSpaceBlocks ?? 0) - 16);
				return {
					rockRidge: [whole.rockRidge, second.rockRidge],
					trees: [whole.root, second.root, whole.jolietRoot, second.jolietRoot].map((root) => root && flat(root)),
				};
			} finally {
				source.close();
			}
		};
		const mine = await views(ours);
		expect(mine).toEqual(await views(theirs));
		expect(mine.trees[0]?.length).toBeGreaterThan(400);
	});

	it.skipIf(requires("grub-fstest"))("is read by GRUB's own driver, byte for byte", () => {
		// GRUB parses these paths as its shell does, so names with special characters are left to the other readers.
		const paths = run("sh", "-c", 'cd "$1" && find . -type f', "sh", tree)
			.split("\n")
			.map((path) => path.slice(1))
			.filter((path) => /^\/[A-Za-z0-9_./-]+$/.test(path) && !path.startsWith("/images/eltorito"))
			.filter((path) => !path.startsWith("/thousand"));
		expect(paths.length).toBeGreaterThan(350);
		for (const image of [ours, partition])
			for (const path of paths.filter((_, i) => i % 7 === 0 || i > 320))
				run("grub-fstest", image, "cmp", path, join(tree, path));
	});

	it.skipIf(requires("blkid"))("has the label that udev will find", () => {
		for (const image of [ours, partition]) {
			const found = run("blkid", "-p", "-o", "export", "--usages", "filesystem", image);
			expect(found).toMatch(`\nLABEL=${LABEL}\n`);
			expect(found).toMatch("\nTYPE=iso9660\n");
			expect(found).toMatch("UUID=2023-11-14-22-13-20-00\n");
		}
	});

	it.skipIf(requires("implantisomd5", "checkisomd5"))("takes a media checksum that passes", () => {
		const copy = join(scratch, "checked.iso");
		writeFileSync(copy, readFileSync(ours));
		run("implantisomd5", copy);
		expect(run("sh", "-c", 'checkisomd5 "$1" 2>&1', "sh", copy)).toMatch("PASS");
	});
});

describe.skipIf(requires("xorriso", "isoinfo"))("a file of more than 4 GiB", () => {
	const scratch = temporaryDirectory("iso9660-big");
	const tree = join(scratch, "tree");
	const image = join(scratch, "big.iso");
	const byteLength = 4 * GiB + 5000;
	/** Where its bytes are not zeros: at both ends, in front of the end of its first extent, and on it. */
	const marked = [0, 4 * GiB - 2048 - 3, 4 * GiB - 3, byteLength - 6];
	let plan: VolumePlan;

	beforeAll(() => {
		writeBootParts(tree);
		const big = openSync(join(tree, "squashfs.img"), "w");
		ftruncateSync(big, byteLength);
		closeSync(big);
		const root = treeFromDirectory(tree);
		const entries = new Map(root.entries);
		const file = entries.get("squashfs.img");
		if (file?.type === "file") entries.set("squashfs.img", { ...file, fixedBlock: 64 });
		plan = writeIso(image, { ...root, entries }, tree, {
			volumeIdentifier: "BIG",
			bootHybrid: SYNTHETIC_BOOT_HYBRID,
			firstFreeBlock: 64 + Math.ceil(byteLength / ISO_BLOCK_BYTES),
		});
		const iso = openSync(image, "r+");
		for (const at of marked) writeSync(iso, "marker", 64 * ISO_BLOCK_BYTES + at);
		closeSync(iso);
	});

	it("is one file for xorriso and isoinfo, with its bytes", () => {
		expect(plan.endBlock).toBeGreaterThan(2 ** 21);
		// xorriso reads all that is in front of a part.
		for (const from of [0, 4 * GiB - 2048 - 100]) {
			const part = join(scratch, `part-${from}`);
			const expected = Buffer.alloc(Math.min(8000, byteLength - from));
			for (const at of marked) if (at >= from && at < from + 8000) expected.write("marker", at - from);
			const cut = ["-extract_cut", "/squashfs.img", `${from}`, `${expected.byteLength}`, part];
			run("xorriso", "-osirrox", "on", "-indev", image, ...cut);
			expect(readFileSync(part).equals(expected)).toBe(true);
		}
		expect(run("xorriso", "-indev", image, "-lsl", "/squashfs.img")).toContain(` ${byteLength} `);
		expect(run("isoinfo", "-R", "-f", "-i", image).split("\n")).toContain("/squashfs.img");
	});

	it.skipIf(requires("grub-fstest"))("is one file for GRUB, with its bytes", () => {
		const read = (at: number, byteLength: number): string =>
			run("grub-fstest", "-s", `${at}`, "-n", `${byteLength}`, image, "cat", "/squashfs.img");
		for (const at of marked) expect(read(at, 6)).toBe("marker");
		expect(read(byteLength - 6, 100)).toBe("marker");
	});

	it("is two extents for our reader", async () => {
		const source = fileSource(image);
		const { root, problems } = await readVolume(source);
		source.close();
		expect(problems).toEqual([]);
		expect(findNode(root, "/squashfs.img")).toMatchObject({ byteLength, extents: [{ block: 64 }, {}] });
	});
});

function makeTree(root: string): void {
	writeBootParts(root);
	const put = (path: string, content: string | Buffer = path) => {
		const name = Buffer.from(`${root}/${path}`, "latin1");
		mkdirSync(dirname(`${root}/${path}`), { recursive: true });
		writeFileSync(name, content);
	};
	put(".discinfo");
	for (const path of ["BOOTX64.EFI", "mmx64.efi", "grubx64.efi", "grub.cfg", "fonts/unicode.pf2"])
		put(`EFI/BOOT/${path}`);
	put("LiveOS/squashfs.img", Buffer.alloc(300_001, 7));
	put("images/pxeboot/vmlinuz", "kernel");
	chmodSync(join(root, "images/pxeboot/vmlinuz"), 0o600);
	put("images/pxeboot/initrd.img", Buffer.alloc(5000, 3));
	for (let i = 0; i < 303; i++)
		put(
			`boot/grub2/i386-pc/${["gcry_", "part_", "cs5536-", "915", ""][i % 5]}mod${i}.${["mod", "lst", "img", "o"][i % 4]}`,
		);
	put("empty", "");

	const names = [
		"readme",
		"README",
		"Readme",
		"README.txt",
		"readme.TXT",
		"a b",
		"a-b",
		"a_b",
		"a+b",
		".x",
		"x.",
		"x.y.z",
	];
	for (const name of [
		...names,
		"..two",
		".hidden.txt",
		"foo~1.txt",
		"x*y",
		"x:y",
		"x;1",
		"col~",
		"\u00c3\u00a9",
		"\u00c3\u00bc.txt",
	])
		put(`names/${name}`);
	for (const name of ["\u00ff\u00fe", "bad\u00ff\u00c3\u00a9.txt", "\u00ce\u00a9.txt", "\u00f0\u009f\u0098\u0080.txt"])
		put(`names/${name}`);
	for (let i = 0; i < 12; i++) put(`dozen/col ${String.fromCharCode(33 + i)}`);
	for (let i = 0; i < 10; i++) put(`ten/col ${String.fromCharCode(33 + i)}`);
	for (let i = 0; i < 9; i++) put(`nine/col ${String.fromCharCode(33 + i)}`);
	put("nine/COL__3");
	for (let i = 0; i < 1200; i++)
		put(
			`thousand/${[..."collision".padEnd(11, "c")].map((c, bit) => ((i >> bit) & 1 ? c.toUpperCase() : c)).join("")}.c`,
			"",
		);
	for (const n of [20, 29, 30, 31, 40]) {
		for (const name of [
			`.${"h".repeat(n)}`,
			`.q${"h".repeat(n)}.txt`,
			`g.${"D".repeat(n)}`,
			`${"s".repeat(n)}.jpeg`,
			"p".repeat(n),
		])
			put(`long/${name}`);
		for (const name of [
			`d${"D".repeat(n)}.abcd`,
			`.d${"D".repeat(n)}`,
			`e.${"D".repeat(n)}`,
			`f${"D".repeat(n)}.`,
			"o".repeat(n),
		])
			mkdirSync(join(root, "long", name));
	}
	for (const n of [60, 63, 64]) put(`joliet/${"j".repeat(n)}`);
	for (const n of [100, 110, 111, 112, 113, 150, 200, 255]) put(`rockridge/${n}${"r".repeat(n - 3)}`);
	put("deep/1/2/3/4/5/6/7/8/9/10/11/file");
	symlinkSync("README.txt", join(root, "names/link"));
	symlinkSync("/abs/../x/./y", join(root, "names/link2"));
	symlinkSync(".", join(root, "names/l3"));
	symlinkSync("/", join(root, "names/l4"));
	symlinkSync([240, 250, 180].map((n) => "x".repeat(n)).join("/"), join(root, "names/l5"));
	linkSync(join(root, "names/readme"), join(root, "names/hardlink"));
	chmodSync(join(root, "names/README"), 0o4755);
	if (process.getuid?.() === 0) chownSync(join(root, "names/README.txt"), 1000, 70000);
	utimesSync(join(root, "names/a b"), 1, 1);
	for (const name of ["names", "long", "deep"]) utimesSync(bytesOf(join(root, name)), 1e9, 1e9);
}

/** Every node as a line of what does not depend on where things lie. */
function flat(root: VolumeNode, path = ""): string[] {
	const { identifier, recordedAtSeconds, posix } = root;
	const size = root.type === "file" ? root.byteLength : root.type === "directory" ? root.extent.byteLength : "";
	const line = JSON.stringify([
		path,
		root.type,
		size,
		identifier,
		recordedAtSeconds,
		posix,
		"target" in root && root.target,
	]);
	if (root.type !== "directory") return [line];
	return [line, ...[...root.entries].flatMap(([name, node]) => flat(node, `${path}/${name}`))];
}

/** Without places, and without "..": xorriso dates it like the directory itself, and in Joliet lets it be the directory itself. */
function withoutBlocks(listing: string): string[] {
	return listing
		.split("\n")
		.filter((line) => !/\] {2}\.\. $/.test(line))
		.map((line) => line.replace(/\[ *\d+ (\d\d)\]/, "[$1]"));
}

function run(command: string, ...options: string[]): string {
	return execFileSync(command, options, {
		encoding: "latin1",
		stdio: ["ignore", "pipe", "pipe"],
		maxBuffer: 2 ** 28,
		env: { ...process.env, LC_ALL: "C.UTF-8", TZ: "UTC", SOURCE_DATE_EPOCH: "1700000000" },
	});
}

import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { contractLayers, HOST_GRUB } from "../support/contract-image.ts";
import { hostileRun } from "../support/hostile-cli.ts";
import { newcArchive } from "../support/inspect-cpio.ts";
import { writeOciLayout } from "../support/oci-layout.ts";
import { requires } from "../support/requires.ts";
import { type TarMember, tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { kernelProgram, shimProgram } from "../support/verify-programs.ts";
import { makeElf } from "../unit/buildroot/make-elf.ts";

const noGrub = requires(HOST_GRUB) !== undefined;
const work = temporaryDirectory("hostile");

/** The contract image with more files on top. */
function imageWith(...members: readonly TarMember[]): string {
	const layers = [...contractLayers(), tarArchive(members)];
	const directory = mkdtempSync(join(work, "image-"));
	return writeOciLayout(directory, { layers: layers.map((tar) => ({ tar, compression: "none" as const })) }).reference;
}

const file = (path: string, content: Buffer | string, mode = 0o755): TarMember => ({
	path,
	content: Buffer.from(content),
	mode,
});

const LOADER = "lib64/ld-linux-x86-64.so.2";
const INTERPRETER = `/${LOADER}`;
const elf = (needed: readonly string[], more: Parameters<typeof makeElf>[1] = {}): Buffer =>
	makeElf(64, { needed, ...more });
const tool = (needed: readonly string[], more: Parameters<typeof makeElf>[1] = {}): Buffer =>
	elf(needed, { interpreter: INTERPRETER, ...more });

describe.skipIf(noGrub)("tools crafted against whoever looks for their libraries", () => {
	const manyNames = Array.from({ length: 500 }, (_, i) => `lib${i}.so`);
	const chain = Array.from({ length: 200 }, (_, i) => file(`lib/l${i}.so`, elf([`l${i + 1}.so`])));
	const runpaths = Array.from({ length: 2000 }, (_, i) => `$ORIGIN/../$LIB/${i}/$PLATFORM`)
		.join(":")
		.slice(0, 4000);
	const cases: [string, readonly TarMember[], RegExp][] = [
		["a tool that needs itself", [file("usr/bin/grub-mkimage", tool(["grub-mkimage"]))], /TOOL_LIBRARY_MISSING/],
		[
			"libraries that need each other",
			[
				file("usr/bin/grub-mkimage", tool(["a.so"])),
				file("lib/a.so", elf(["b.so"])),
				file("lib/b.so", elf(["a.so", "c.so"])),
			],
			/TOOL_LIBRARY_MISSING/,
		],
		[
			"500 libraries",
			[file("usr/bin/grub-mkimage", tool(manyNames)), ...manyNames.map((name) => file(`lib/${name}`, elf([])))],
			/TOOL_LIBRARY_MISSING/,
		],
		["a chain of 200 libraries", [file("usr/bin/grub-mkimage", tool(["l0.so"])), ...chain], /TOOL_LIBRARY_MISSING/],
		[
			"a library named by a path",
			[file("usr/bin/grub-mkimage", tool(["../../../../etc/passwd"]))],
			/TOOL_LIBRARY_MISSING/,
		],
		[
			"thousands of places to search",
			[file("usr/bin/grub-mkimage", tool(["x.so"], { runpath: runpaths }))],
			/TOOL_LIBRARY_MISSING/,
		],
		[
			"a search path that leads out",
			[file("usr/bin/grub-mkimage", tool(["libc.so.6"], { runpath: "/../../../../lib/x86_64-linux-gnu" }))],
			/TOOL_LIBRARY_MISSING/,
		],
		[
			"an interpreter outside of the image",
			[file("usr/bin/grub-mkimage", elf([], { interpreter: "/../../../../bin/true" }))],
			/TOOL_LIBRARY_MISSING/,
		],
		[
			"an interpreter that is a loop",
			[
				{ path: "loop", type: "symlink", linkTarget: "loop" },
				file("usr/bin/grub-mkimage", elf([], { interpreter: "/loop" })),
			],
			/TOOL_LIBRARY_MISSING/,
		],
		[
			"an interpreter that is a directory",
			[file("usr/bin/grub-mkimage", elf([], { interpreter: "/usr" }))],
			/TOOL_LIBRARY_MISSING/,
		],
		["a script", [file("usr/bin/grub-mkimage", "#!/bin/sh\ntouch /tmp/owned\n")], /TOOL_IS_SCRIPT/],
		[
			"another machine's program",
			[file("usr/bin/grub-mkimage", elf([], { machine: 20 }))],
			/TOOL_FOREIGN_ARCHITECTURE/,
		],
		["a header that lies", [file("usr/bin/grub-mkimage", lyingElf())], /TOOL_MALFORMED/],
		[
			"a configuration that includes itself",
			[file("usr/bin/grub-mkimage", tool(["x.so"])), file("etc/ld.so.conf", "include /etc/ld.so.conf\n".repeat(2000))],
			/TOOL_LIBRARY_MISSING/,
		],
		["a link to nothing", [link("usr/bin/grub-mkimage", "/opt/grub")], /TOOL_UNUSABLE.*symbolic link to \/opt\/grub/],
		["a link to itself", [link("usr/bin/grub-mkimage", "grub-mkimage")], /TOOL_UNUSABLE/],
		["a link to a directory", [link("usr/bin/grub-mkimage", "/usr")], /TOOL_UNUSABLE.*a directory/],
		["an empty file", [file("usr/bin/grub-mkimage", "")], /TOOL_MALFORMED/],
		[
			"a link to where outputs are",
			[link("usr/bin/grub-mkimage", "/.oci2iso/core.img"), file(".oci2iso/core.img", elf([]))],
			/TOOL_PATH_UNSUPPORTED/,
		],
		[
			"a link to a path as long as paths may be",
			[link("usr/bin/grub-mkimage", `/${LONG_PATH}`), file(LONG_PATH, elf([]))],
			/TOOL_PATH_UNSUPPORTED/,
		],
		["a tool of 200 MiB, all hole", [file("usr/bin/grub-mkimage", Buffer.alloc(200 << 20))], /TOOL_TOO_LARGE/],
	];

	it.each(cases)("%s", { timeout: 120_000 }, async (_, members, expected) => {
		const image = imageWith(file(LOADER, elf([])), ...members);
		const out = mkdtempSync(join(work, "out-"));
		const args = ["build", image, "-o", join(out, "x.iso"), "--comp", "none", "--force"];
		const { status, stderr } = await hostileRun([...args, "--tools", "buildroot"], { untouched: out });
		expect(status).toBe(7);
		expect(stderr).toMatch(expected);
	});

	it("are not looked at by default", { timeout: 120_000 }, async () => {
		const image = imageWith(file("usr/bin/grub-mkimage", lyingElf()), link("usr/bin/implantisomd5", "/nowhere"));
		const out = mkdtempSync(join(work, "out-"));
		const args = ["build", image, "-o", join(out, "x.iso"), "--comp", "none", "--force"];
		expect((await hostileRun(args)).status).toBe(0);
	});
});

const LONG_PATH = Array.from({ length: 16 }, (_, i) => `${i}`.padEnd(254, "x")).join("/");

function link(path: string, linkTarget: string): TarMember {
	return { path, type: "symlink", linkTarget };
}

function lyingElf(): Buffer {
	const bytes = Buffer.from(elf(["x"]));
	bytes.writeUInt16LE(0xffff, 56);
	bytes.writeBigUInt64LE(2n ** 63n - 1n, 32);
	return bytes;
}

describe.skipIf(noGrub)("what inspect looks into", () => {
	const initramfs = (content: Buffer): TarMember => file("usr/lib/modules/1.0/initramfs.img", content);
	const huge = newcArchive([{ path: "usr/lib/modules/1.0/x.ko", content: Buffer.alloc(1) }]);
	huge.write("ffffffff", 6 + 8 * 6, "latin1");
	const longName = newcArchive([{ path: "x" }]);
	longName.write("7fffffff", 6 + 8 * 11, "latin1");
	const lz4 = Buffer.concat([Buffer.from("02214c18ffffff7f", "hex"), Buffer.alloc(1000)]);
	const xz = Buffer.from("fd377a585a000001 6922de36 0200 2101 28 000000 00000000".replaceAll(" ", ""), "hex");
	const cases: [string, readonly TarMember[]][] = [
		["a member that claims 4 GiB", [initramfs(huge)]],
		["a name that claims 2 GiB", [initramfs(longName)]],
		["an lz4 block that claims 2 GiB", [initramfs(lz4)]],
		["an xz dictionary of 4 GiB", [initramfs(xz)]],
		["a kernel whose headers lie", [file("usr/lib/modules/1.0/vmlinuz", lyingPe(kernelProgram()))]],
		["a shim whose headers lie", [file("boot/efi/EFI/test/shimx64.efi", lyingPe(shimProgram(Buffer.alloc(40, 0x30))))]],
		[
			"a signature that is all lengths",
			[
				file(
					"boot/efi/EFI/test/shimx64.efi",
					withSignature(shimProgram(Buffer.alloc(9)), Buffer.alloc(60_000, "\x30\x84\x7f\xff\xff\xff", "latin1")),
				),
			],
		],
		[
			"a signature nested ten thousand deep",
			[file("boot/efi/EFI/test/shimx64.efi", withSignature(shimProgram(Buffer.alloc(9)), nestedDer(10_000)))],
		],
	];

	it.each(cases)("%s", { timeout: 200_000 }, async (_, members) => {
		const image = imageWith(...members);
		const { status, stdout } = await hostileRun(["inspect", image, "--json"]);
		expect(status).toBe(3);
		expect((JSON.parse(stdout) as { findings: unknown[] }).findings.length).toBeGreaterThan(3);
	});
});

/** Counts, sizes and offsets at their largest. */
function lyingPe(program: Buffer): Buffer {
	const bytes = Buffer.from(program);
	const start = bytes.readUInt32LE(60);
	bytes.writeUInt16LE(0xffff, start + 6);
	bytes.writeUInt32LE(0xffffffff, start + 12);
	bytes.fill(0xff, start + 24 + 112, start + 24 + 152);
	return bytes;
}

/** A certificate table at the program's end (PE format, "The Attribute Certificate Table"). */
function withSignature(program: Buffer, der: Buffer): Buffer {
	const bytes = Buffer.from(program);
	const entry = Buffer.alloc(8);
	entry.writeUInt32LE(8 + der.byteLength, 0);
	entry.writeUInt16LE(0x0200, 4);
	entry.writeUInt16LE(2, 6);
	const directory = bytes.readUInt32LE(60) + 24 + 112 + 32;
	bytes.writeUInt32LE(bytes.byteLength, directory);
	bytes.writeUInt32LE(8 + der.byteLength, directory + 4);
	return Buffer.concat([bytes, entry, der, Buffer.alloc(8 - (der.byteLength % 8))]);
}

function nestedDer(depth: number): Buffer {
	const heads: Buffer[] = [];
	let length = 0;
	for (let i = 0; i < depth; i++) {
		const head = Buffer.from([0x30, 0x84, 0, 0, 0, 0]);
		head.writeUInt32BE(length, 2);
		heads.unshift(head);
		length += head.byteLength;
	}
	return Buffer.concat(heads);
}

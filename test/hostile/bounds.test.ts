import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { contractLayers, HOST_GRUB } from "../support/contract-image.ts";
import { hostileRun } from "../support/hostile-cli.ts";
import { gzipOfZeros, zstdOfZeros } from "../support/hostile-layers.ts";
import { newcArchive } from "../support/inspect-cpio.ts";
import { type LayoutLayer, writeOciLayout } from "../support/oci-layout.ts";
import { requires } from "../support/requires.ts";
import { paxHeader, paxRecord, type TarMember, tarArchive, tarHeader } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { zstdStored } from "../support/zstd-stored.ts";
import { makeElf } from "../unit/buildroot/make-elf.ts";

const noGrub = requires(HOST_GRUB) !== undefined;
const work = temporaryDirectory("hostile");

const GRUB = "usr/lib/grub/i386-pc";
const MODULES = "usr/lib/modules/1.0";
const file = (path: string, content: Uint8Array | string = "", mode = 0o644): TarMember => ({
	path,
	content: Buffer.from(content as string),
	mode,
});
const link = (path: string, linkTarget: string): TarMember => ({ path, type: "symlink", linkTarget });
const directory = (path: string): TarMember => ({ path: `${path}/`, type: "directory", mode: 0o755 });
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const initramfs = (content: Uint8Array): TarMember => file(`${MODULES}/initramfs.img`, content);
const packed = (members: Parameters<typeof newcArchive>[0]): TarMember =>
	initramfs(gzipSync(newcArchive(members), { level: 1 }));
const isoYaml = (text: string): TarMember => file("usr/lib/image-builder/bootc/iso.yaml", text);
const menuOf = (count: number, kernel: (i: number) => string): TarMember =>
	isoYaml(
		`label: X\ngrub2:\n  entries:\n${range(count)
			.map((i) => `    - {name: n${i}, linux: ${kernel(i)}, initrd: /images/pxeboot/initrd.img}\n`)
			.join("")}`,
	);
const KERNEL = "/images/pxeboot/vmlinuz";

/** Members without the end of an archive. */
const members = (...all: readonly TarMember[]): Buffer => tarArchive(all).subarray(0, -1024);
const archive = (...parts: readonly Buffer[]): Buffer => Buffer.concat([...parts, Buffer.alloc(1024)]);

/** A file of which only the first bytes are there: `byteLength` with its hole. */
function hole(path: string, byteLength: number): Buffer {
	const records = [paxRecord("GNU.sparse.map", "0,5"), paxRecord("GNU.sparse.size", String(byteLength))];
	const header = tarHeader({ name: path, size: 5 });
	return Buffer.concat([paxHeader(records), header, Buffer.from("start"), Buffer.alloc(507)]);
}

/** A member behind a PAX header of these records. */
function withPax(path: string, ...records: readonly Buffer[]): Buffer {
	return Buffer.concat([paxHeader(records), tarHeader({ name: path })]);
}

interface Row {
	/** What stands on top of the layers that fulfil the contract. */
	readonly top: () => Buffer | LayoutLayer;
	/** Exit status of `inspect`, and its error's code where it has one. */
	readonly inspect: string;
	/** Of `build`, where that reads more or otherwise. */
	readonly build?: string;
	readonly buildArgs?: readonly string[];
	/** Of `verify --image`, for an ISO that was built. */
	readonly verify?: string;
	/** Largest ISO. */
	readonly maxIsoMiB?: number;
}

const LOADER = "lib64/ld-linux-x86-64.so.2";
const BUILDROOT = ["--tools", "buildroot"];
/** A tool of the image that needs a library which the image does not have. */
const TOOL = [
	file(LOADER, makeElf(64, {}), 0o755),
	file("usr/bin/grub-mkimage", makeElf(64, { needed: ["x.so"], interpreter: `/${LOADER}` }), 0o755),
];

const KINDS: Readonly<Record<string, Readonly<Record<string, Row>>>> = {
	"walks along links": {
		"links to the directory that they are in": {
			top: () => tarArchive(range(12).map((i) => link(`${GRUB}/s${i}`, "."))),
			inspect: "3",
			build: "0",
		},
		"directories with links to each other": {
			top: () => tarArchive(range(12).flatMap((a) => range(12).map((b) => link(`${GRUB}/d${a}/l${b}`, `../d${b}`)))),
			inspect: "3",
			build: "3 CONTRACT_NOT_MET",
		},
		"two thousand links to one large file": {
			top: () =>
				tarArchive([
					file("opt/big", Buffer.alloc(16 << 20)),
					...range(2000).map((i) => link(`${GRUB}/s${i}`, "/opt/big")),
				]),
			inspect: "3",
			build: "0",
			maxIsoMiB: 120,
		},
		"links of EFI's, the kernels' and the boot directory to themselves": {
			top: () =>
				tarArchive(
					["boot/efi/EFI", "usr/lib/modules", "usr/lib/efi/shim", "usr/share/efi", "boot"].flatMap((path) =>
						range(30).map((i) => link(`${path}/s${i}`, ".")),
					),
				),
			inspect: "3",
			build: "0",
		},
		"chains of links wherever something is looked for": {
			top: () =>
				tarArchive([
					...range(45).map((i) => link(`l${i}`, `${"./".repeat(2000)}l${i + 1}`)),
					...["usr/lib/shim", "usr/share/grub", "etc/ld.so.conf", "usr/lib/bootc-image-builder"].map((path) =>
						link(path, "/l0"),
					),
					...range(3000).map((i) => link(`${GRUB}/s${i}`, "/l30/x")),
				]),
			inspect: "3",
			build: "3 CONTRACT_NOT_MET",
		},
	},
	"products of choices": {
		"EFI vendors and versions of shim": {
			top: () =>
				tarArchive([
					...range(2000).map((i) => directory(`boot/efi/EFI/v${i}`)),
					...range(2000).map((i) => directory(`usr/lib/efi/shim/${i}`)),
				]),
			inspect: "3",
			build: "0",
		},
		"a hundred loaders of 60 MiB, of which any may be asked for": {
			top: () => archive(...range(100).map((i) => hole(`boot/efi/EFI/v${i}/shimx64.efi`, 60 << 20))),
			inspect: "3",
			build: "0",
		},
		"thirty thousand kernel directories": {
			top: () => tarArchive(range(30_000).map((i) => directory(`usr/lib/modules/${i}`))),
			inspect: "3",
			build: "0",
		},
		"a menu that grows with the system's name": {
			top: () =>
				tarArchive([
					file("etc/os-release", `ID=x\nNAME=${"n".repeat(60_000)}\n`),
					isoYaml(`label: X\ngrub2:\n  entries:\n    - {name: "${"$product".repeat(2000)}", linux: l, initrd: i}\n`),
				]),
			inspect: "3",
			build: "3 CONTRACT_NOT_MET",
		},
		"megabytes of kernel arguments in the initramfs, for a thousand menu entries": {
			top: () =>
				tarArchive([
					packed([
						{ path: "init", mode: 0o100755 },
						{ path: "etc", mode: 0o40755 },
						{ path: "etc/cmdline.d", mode: 0o40755 },
						...range(3).map((i) => ({ path: `etc/cmdline.d/${i}.conf`, content: Buffer.alloc(4 << 20, "a ") })),
					]),
					menuOf(1000, () => KERNEL),
				]),
			inspect: "3",
			build: "0",
		},
		"thirty menu entries, each with another name of one kernel of 30 MiB": {
			top: () =>
				tarArchive([
					file("opt/big", Buffer.alloc(30 << 20)),
					...range(30).map((i) => link(`${GRUB}/k${i}`, "/opt/big")),
					menuOf(30, (i) => `/boot/grub2/i386-pc/k${i}`),
				]),
			inspect: "3",
			build: "0",
			verify: "8 VERIFICATION_FAILED",
			maxIsoMiB: 300,
		},
		"a library search by patterns that match in many ways": {
			top: () =>
				tarArchive([
					...TOOL,
					file("etc/ld.so.conf", `include /etc/ld.so.conf.d/${"*a".repeat(60)}b\n`.repeat(100)),
					...range(3000).map((i) => file(`etc/ld.so.conf.d/${"a".repeat(200)}${i}`)),
				]),
			inspect: "3",
			build: "7 TOOL_LIBRARY_MISSING",
			buildArgs: BUILDROOT,
		},
		"a library search in thousands of directories": {
			top: () =>
				tarArchive([
					...TOOL,
					file("etc/ld.so.conf", "include /etc/ld.so.conf.d/*\n".repeat(2000)),
					...range(3000).map((i) => file(`etc/ld.so.conf.d/${i}.conf`, `/opt/${i}\n`.repeat(20))),
				]),
			inspect: "3",
			build: "7 TOOL_LIBRARY_MISSING",
			buildArgs: BUILDROOT,
		},
	},
	"long text": {
		"os-release of quotes and number signs": {
			top: () => tarArchive([file("etc/os-release", `ID=x\nNAME=${"#".repeat(30_000)}'${"\\".repeat(30_000)}\n`)]),
			inspect: "3",
			build: "0",
		},
		"os-release of a megabyte": {
			top: () => tarArchive([file("etc/os-release", `NAME=${"#".repeat(1_000_000)}\n`)]),
			inspect: "3",
			build: "0",
		},
		"SELinux's configuration out of line ends and spaces": {
			top: () => tarArchive([file("etc/selinux/config", "\n ".repeat(2_000_000))]),
			inspect: "3",
			build: "0",
		},
		"PAX values out of signs that mean something": {
			top: () =>
				archive(
					...["=", "%", "%3D", "+/", "\n ", "1 "].map((sign, i) =>
						withPax(`x${i}`, paxRecord("LIBARCHIVE.xattr.user.x", `${sign.repeat(300_000 / sign.length)}A`)),
					),
					...["=", "%", "%3D", "."].map((sign, i) =>
						withPax(`y${i}`, paxRecord(`LIBARCHIVE.xattr.user.${sign.repeat(60_000 / sign.length)}`, "QQ")),
					),
				),
			inspect: "5 TAR_BAD_PAX_RECORD",
		},
		"PAX times and numbers of a hundred thousand digits": {
			top: () => archive(withPax("x", paxRecord("mtime", `1.${"0".repeat(900_000)}1`))),
			inspect: "3",
		},
		"a PAX header of a hundred thousand records": {
			top: () => archive(withPax("x", ...range(90_000).map((i) => paxRecord(`k${i}`, "")))),
			inspect: "3",
		},
		"a sparse map of a hundred thousand stretches": {
			top: () =>
				archive(
					withPax(
						"x",
						paxRecord("GNU.sparse.size", "1000000"),
						paxRecord(
							"GNU.sparse.map",
							range(100_000)
								.map((i) => `${i},0`)
								.join(","),
						),
					),
				),
			inspect: "3",
		},
		"names that patterns of paths could match in many ways": {
			top: () => tarArchive(range(300).map((i) => file(`lib/x/libc-${".1".repeat(8000)}x${i}`))),
			inspect: "5 NAME_TOO_LONG",
			build: "5 NAME_TOO_LONG",
		},
		"aliases of aliases in lists of ten thousand": {
			top: () => {
				const list = (name: string): string =>
					`[${range(10_000)
						.fill(0)
						.map(() => name)
						.join(", ")}]`;
				return tarArchive([isoYaml(`a: &a ${list("x")}\nb: &b ${list("*a")}\nkernel_args: ${list("*b")}\n`)]);
			},
			inspect: "3",
			build: "3 CONTRACT_NOT_MET",
		},
		"lists of GRUB's and the kernel's modules that need each other": {
			top: () =>
				tarArchive([
					file(`${MODULES}/modules.dep`, "kernel/a.ko: kernel/b.ko\nkernel/b.ko: kernel/a.ko\n".repeat(50_000)),
					file(`${MODULES}/modules.builtin`, "/".repeat(4_000_000)),
					file(
						`${GRUB}/moddep.lst`,
						`${range(20_000)
							.map((i) => `m${i}: m${i + 1} m${i + 2}\n`)
							.join("")}normal: m0\n`,
					),
				]),
			inspect: "3",
			build: "0",
		},
	},
	"an initramfs": {
		"of names with thousands of levels": {
			top: () => tarArchive([packed(range(2000).map((i) => ({ path: `${i}/${"d/".repeat(2040)}f` })))]),
			inspect: "3",
		},
		"with 100 000 entries": {
			top: () => tarArchive([packed(range(100_000).map((i) => ({ path: `f${i}` })))]),
			inspect: "3",
		},
		"of 8 GiB of zeros in gzip": { top: () => tarArchive([initramfs(gzipOfZeros(8192))]), inspect: "3" },
		"of 8 GiB of zeros in zstd": { top: () => tarArchive([initramfs(zstdOfZeros(8192))]), inspect: "3" },
		"with 512 MiB of zeros behind its archive, in gzip": {
			top: () => tarArchive([initramfs(Buffer.concat([gzipSync(newcArchive([{ path: "init" }])), gzipOfZeros(512)]))]),
			inspect: "3",
		},
		"with 512 MiB of zeros behind its archive, in zstd": {
			top: () =>
				tarArchive([initramfs(Buffer.concat([zstdStored(newcArchive([{ path: "init" }])), zstdOfZeros(512)]))]),
			inspect: "3",
		},
		"of a thousand archives one after another": {
			top: () => tarArchive([initramfs(Buffer.concat(range(1000).map(() => gzipSync(newcArchive([])))))]),
			inspect: "3",
		},
		"of 30 000 names below a link to a link": {
			top: () =>
				tarArchive([
					packed([
						...range(40).map((i) => ({ path: `l${i}`, mode: 0o120777, content: Buffer.from(`l${i + 1}`) })),
						...range(30_000).map((i) => ({ path: `l0/${i}` })),
					]),
				]),
			inspect: "3",
		},
		"that is a hole of 600 MiB and left out of the squashfs": {
			top: () =>
				archive(hole("boot/grub2/big", 600 << 20), members(link(`${MODULES}/initramfs.img`, "/boot/grub2/big"))),
			inspect: "5 FILE_TOO_LARGE",
			build: "5 FILE_TOO_LARGE",
		},
	},
	"contents kept aside": {
		"a file too large for GRUB's directory": {
			top: () => archive(hole("opt/big", 5_000_000_000), members(link(`${GRUB}/big.mod`, "/opt/big"))),
			inspect: "3",
			build: "3 CONTRACT_NOT_MET",
		},
		"a kernel out of a hole of 5 GB that the squashfs leaves out": {
			top: () => archive(hole("boot/grub2/big", 5_000_000_000), members(link(`${MODULES}/vmlinuz`, "/boot/grub2/big"))),
			inspect: "5 FILE_TOO_LARGE",
			build: "5 FILE_TOO_LARGE",
		},
		"many files that the squashfs leaves out": {
			top: () =>
				archive(
					...range(15).map((i) => hole(`boot/grub2/b${i}`, 60 << 20)),
					members(...range(15).map((i) => link(`${GRUB}/b${i}.mod`, `/boot/grub2/b${i}`))),
				),
			inspect: "3",
			build: "3 CONTRACT_NOT_MET",
		},
	},
	trees: {
		"two thousand levels, and files in each": {
			top: () =>
				archive(
					...range(100).flatMap((i) => [
						paxHeader([paxRecord("path", `${"d/".repeat(20 * i)}f${i}`)]),
						tarHeader({ name: "x" }),
					]),
				),
			inspect: "3",
			build: "0",
			verify: "8 VERIFICATION_FAILED",
		},
		"fifteen thousand names in one directory": {
			top: () => tarArchive(range(15_000).map((i) => file(`srv/${i}`))),
			inspect: "3",
			build: "0",
			verify: "8 VERIFICATION_FAILED",
		},
		"fifteen thousand hard links that stand for one another": {
			top: () =>
				tarArchive(
					range(15_000).map((i) =>
						i === 0 ? file("srv/0") : { path: `srv/${i}`, type: "hard-link", linkTarget: `srv/${i - 1}` },
					),
				),
			inspect: "3",
			build: "0",
		},
		"fifteen thousand extended attributes, each another": {
			top: () =>
				archive(...range(15_000).map((i) => withPax(`srv/${i}`, paxRecord(`SCHILY.xattr.user.a${i}`, `${i}`)))),
			inspect: "3",
			build: "0",
		},
		"thirty-three thousand owners and groups": {
			top: () => tarArchive(range(33_000).map((i) => ({ path: `srv/${i}`, uid: 100 + i, gid: 100_000 + i }))),
			inspect: "3",
			build: "3 TOO_MANY_IDS",
		},
		"directories made, removed and made again": {
			top: () =>
				tarArchive(range(8000).flatMap((i) => [file(`srv/d/e/${i}/f`), file("srv/d/.wh.e"), link("srv/d/e", "/etc")])),
			inspect: "3",
		},
	},
};

describe.skipIf(noGrub).each(Object.entries(KINDS))("%s", (_, rows) => {
	it.each(Object.entries(rows))("%s", async (_, { top, inspect, build, buildArgs = [], verify, maxIsoMiB }) => {
		const place = mkdtempSync(join(work, "image-"));
		const out = join(place, "out");
		mkdirSync(out);
		const made = top();
		const layers = contractLayers().map((tar): LayoutLayer => ({ tar, compression: "none" }));
		layers.push(Buffer.isBuffer(made) ? { tar: made, compression: "none" } : made);
		const { reference } = writeOciLayout(place, { layers });
		const run = async (...args: string[]): Promise<string> => {
			const { status, code } = await hostileRun(args);
			return code === undefined ? `${status}` : `${status} ${code}`;
		};
		expect(await run("inspect", reference)).toBe(inspect);
		const iso = join(out, "x.iso");
		if (build !== undefined)
			expect(
				await run(
					"build",
					reference,
					"-o",
					iso,
					"--comp",
					"none",
					"--force",
					"--no-cache",
					"--tools",
					"builtin",
					"--progress",
					"none",
					...buildArgs,
				),
			).toBe(build);
		if (existsSync(iso)) expect(statSync(iso).size / 2 ** 20).toBeLessThan(maxIsoMiB ?? 100);
		if (verify !== undefined) expect(await run("verify", iso, "--image", reference, "--no-secure-boot")).toBe(verify);
		rmSync(place, { recursive: true });
	});
});

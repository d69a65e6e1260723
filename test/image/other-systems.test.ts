import { rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { buildIso, verifyAgainstImage } from "../../src/index.ts";
import { askImage } from "../../src/layers/ask-image.ts";
import { openImage } from "../../src/oci/open-image.ts";
import { FIXTURE_NEEDS } from "../support/fixture.ts";
import { withExtraLayer } from "../support/large-layout.ts";
import { requires } from "../support/requires.ts";
import { type TarMember, tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { thinImage } from "../support/thin-image.ts";

/** What the real image has at the contract's places, and where those are. */
interface RealImage {
	readonly layout: string;
	readonly release: string;
	readonly shim: Buffer;
	/** Names in GRUB's directory for BIOS. */
	readonly grub: readonly string[];
}

/** The real image put where another system's packages have its files. */
interface OtherSystem {
	readonly name: string;
	readonly osRelease: string;
	/** The layer on top, before the whiteouts of what it replaces. */
	members(image: RealImage): readonly TarMember[];
	/** Paths of the real image that this system does not have. */
	gone(image: RealImage): readonly string[];
	readonly vendor: string;
	/** Choices about files, as `CODE where`; VERSION stands for the kernel's. */
	readonly choices: readonly string[];
	/** In the choices' texts. */
	readonly told?: readonly string[];
	readonly label?: string;
	/** The real shim was changed. */
	readonly isSignatureBroken?: boolean;
}

const EFI = "boot/efi/EFI/debian";
const I386 = "usr/lib/grub/i386-pc";
const link = (path: string, linkTarget: string): TarMember => ({ type: "hard-link", path, linkTarget });
const symlink = (path: string, linkTarget: string): TarMember => ({ type: "symlink", path, linkTarget });
const file = (path: string, content: string | Buffer): TarMember => ({ path, content: Buffer.from(content) });
const whiteout = (path: string): TarMember => file(path.replace(/([^/]+)$/, ".wh.$1"), "");
const modules = ({ release }: RealImage): string => `usr/lib/modules/${release}`;

const PLACES_OF_EFI = ["usr/lib/efi", "usr/lib/shim", "usr/lib/grub/x86_64-efi-signed", EFI];
const KERNELS = (image: RealImage): string[] => [
	...["vmlinuz", "initramfs.img"].map((name) => `${modules(image)}/${name}`),
	`boot/vmlinuz-${image.release}`,
];

/** SUSE's shim as far as what it starts goes: the same program with the other name in it. */
function suseShim(shim: Buffer): Buffer {
	const name = (text: string): Buffer => Buffer.from(text.padEnd("\\grubx64.efi".length, "\0"), "utf16le");
	const at = shim.indexOf(name("\\grubx64.efi"));
	expect(at).toBeGreaterThan(0);
	return Buffer.concat([shim.subarray(0, at), name("\\grub.efi"), shim.subarray(at + name("").byteLength)]);
}

const SYSTEMS: readonly OtherSystem[] = [
	{
		name: "openSUSE",
		osRelease: 'NAME="openSUSE Tumbleweed"\nID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\nVERSION_ID="20261125"\n',
		members: (image) => [
			link(`boot/initrd-${image.release}`, `${modules(image)}/initramfs.img`),
			symlink(`boot/vmlinuz-${image.release}`, `../${modules(image)}/vmlinuz`),
			file("usr/share/efi/x86_64/shim-opensuse.efi", suseShim(image.shim)),
			symlink("usr/share/efi/x86_64/shim.efi", "shim-opensuse.efi"),
			link("usr/share/efi/x86_64/MokManager.efi", `${EFI}/mmx64.efi`),
			link("usr/share/grub2/x86_64-efi/grub.efi", `${EFI}/gcdx64.efi`),
			symlink("usr/share/efi/x86_64/grub.efi", "../../grub2/x86_64-efi/grub.efi"),
			...image.grub.map((name) => link(`usr/share/grub2/i386-pc/${name}`, `${I386}/${name}`)),
			link("usr/share/grub2/unicode.pf2", "usr/share/grub/unicode.pf2"),
		],
		gone: (image) => [`${modules(image)}/initramfs.img`, ...PLACES_OF_EFI, "usr/lib/grub", "usr/share/grub"],
		vendor: "opensuse",
		choices: [
			"KERNEL_FALLBACK /boot/initrd-VERSION",
			"EFI_FALLBACK undefined",
			"SHIM_NAMES /usr/share/efi/x86_64/shim-opensuse.efi",
			"UNICODE_FONT_FALLBACK /usr/share/grub2/unicode.pf2",
			"GRUB_MODULES_FALLBACK /usr/share/grub2/i386-pc",
		],
		told: ["/usr/share/efi/x86_64/MokManager.efi, /usr/share/grub2/x86_64-efi/grub.efi", "this shim starts grub.efi"],
		isSignatureBroken: true,
	},
	{
		name: "Kairos",
		osRelease: "NAME=Kairos\nID=kairos\nVERSION_ID=v3.5.0\n",
		members: (image) => [
			link("boot/vmlinuz", `${modules(image)}/vmlinuz`),
			link("boot/initrd", `${modules(image)}/initramfs.img`),
			...["shimx64.efi", "mmx64.efi", "gcdx64.efi"].map((name) =>
				link(`boot/efi/EFI/kairos/${name}`, `${EFI}/${name}`),
			),
		],
		gone: (image) => [...KERNELS(image), ...PLACES_OF_EFI],
		vendor: "kairos",
		choices: ["KERNEL_FALLBACK /boot/vmlinuz", "KERNEL_FALLBACK /boot/initrd"],
	},
	{
		name: "Alpine",
		osRelease: "NAME=Alpine\nID=alpine\nVERSION_ID=3.22.1\n",
		members: (image) => [
			link("boot/vmlinuz-amd64", `${modules(image)}/vmlinuz`),
			link("boot/initramfs-amd64", `${modules(image)}/initramfs.img`),
			{ type: "directory", path: "usr/lib/modules/6.6.1-0-virt" },
			...["shimx64.efi", "mmx64.efi", "gcdx64.efi"].map((name) => link(`efi/EFI/alpine/${name}`, `${EFI}/${name}`)),
		],
		gone: (image) => [...KERNELS(image), ...PLACES_OF_EFI],
		vendor: "alpine",
		choices: ["KERNEL_FALLBACK /boot/vmlinuz-amd64", "KERNEL_FALLBACK /boot/initramfs-amd64", "EFI_FALLBACK undefined"],
	},
	{
		name: "Gentoo",
		osRelease: "NAME=Gentoo\nID=gentoo\n",
		members: (image) => [
			link(`boot/kernel-${image.release}`, `${modules(image)}/vmlinuz`),
			link(`boot/initramfs-${image.release}.img`, `${modules(image)}/initramfs.img`),
			link("usr/share/shim/BOOTX64.EFI", `${EFI}/shimx64.efi`),
			link("usr/share/shim/mmx64.efi", `${EFI}/mmx64.efi`),
			link("usr/lib/grub/grub-x86_64.efi.signed", `${EFI}/gcdx64.efi`),
			link("usr/share/grub/fonts/unicode.pf2", "usr/share/grub/unicode.pf2"),
		],
		gone: (image) => [...KERNELS(image), ...PLACES_OF_EFI, "usr/share/grub/unicode.pf2"],
		vendor: "gentoo",
		choices: [
			"OS_RELEASE_VALUE_MISSING /etc/os-release",
			"KERNEL_FALLBACK /boot/kernel-VERSION",
			"KERNEL_FALLBACK /boot/initramfs-VERSION.img",
			"EFI_FALLBACK undefined",
			"UNICODE_FONT_FALLBACK /usr/share/grub/fonts/unicode.pf2",
		],
		told: ["/usr/share/shim/BOOTX64.EFI, /usr/share/shim/mmx64.efi, /usr/lib/grub/grub-x86_64.efi.signed"],
	},
	{
		name: "Arch",
		osRelease: "NAME=Arch Linux\nID=arch\nBUILD_ID=rolling\n",
		members: (image) => [
			file(`${modules(image)}/pkgbase`, "linux-lts\n"),
			link("boot/initramfs-linux-lts.img", `${modules(image)}/initramfs.img`),
			file("boot/initramfs-linux-lts-fallback.img", "other"),
			link("usr/share/shim-signed/shimx64.efi", `${EFI}/shimx64.efi`),
			link("usr/share/shim-signed/mmx64.efi", `${EFI}/mmx64.efi`),
			link("efi/EFI/arch/gcdx64.efi", `${EFI}/gcdx64.efi`),
		],
		gone: (image) => [`${modules(image)}/initramfs.img`, ...PLACES_OF_EFI],
		vendor: "arch",
		choices: [
			"OS_RELEASE_VALUE_MISSING /etc/os-release",
			"KERNEL_FALLBACK /boot/initramfs-linux-lts.img",
			"EFI_FALLBACK undefined",
		],
		told: ["/usr/share/shim-signed/shimx64.efi, /usr/share/shim-signed/mmx64.efi, /efi/EFI/arch/gcdx64.efi"],
	},
	{
		name: "Fedora with bootupd",
		osRelease: 'NAME="Fedora Linux"\nID=fedora\nVERSION_ID=44\n',
		members: () => [
			file("usr/lib/bootupd/updates/EFI.json", "{}"),
			...["shimx64.efi", "mmx64.efi"].map((name) =>
				link(`usr/lib/efi/shim/16.1-5/EFI/fedora/${name}`, `${EFI}/${name}`),
			),
			link("usr/lib/efi/shim/16.1-5/EFI/BOOT/BOOTX64.EFI", `${EFI}/shimx64.efi`),
			link("usr/lib/efi/grub2/1:2.12-60.fc44/EFI/fedora/gcdx64.efi", `${EFI}/gcdx64.efi`),
			file("boot/.wh..wh..opq", ""),
			file("usr/lib/efi/.wh..wh..opq", ""),
		],
		gone: () => ["usr/lib/shim", "usr/lib/grub/x86_64-efi-signed"],
		vendor: "fedora",
		choices: ["EFI_FALLBACK undefined"],
		told: ["/usr/lib/efi/grub2/1:2.12-60.fc44/EFI/fedora/gcdx64.efi"],
	},
];

describe.skipIf(requires(...FIXTURE_NEEDS))("images with the files of other systems where those have them", () => {
	const work = temporaryDirectory("systems", join(import.meta.dirname, "..", "..", "build"));
	let image: RealImage;

	beforeAll(async () => {
		const layout = await thinImage();
		const opened = await openImage(`oci:${layout}:latest`, { platform: "linux/amd64" });
		try {
			const asked = await askImage(opened.layers, async (tree) => {
				const names = (path: string): string[] => {
					const inode = tree.lookup(path)?.inode;
					return inode?.type === "directory" ? [...inode.entries.keys()] : [];
				};
				const shim = tree.lookup(`/${EFI}/shimx64.efi`)?.inode;
				if (shim?.type !== "file") throw new Error("the fixture has no shim");
				const [release = ""] = names("/usr/lib/modules");
				return { release, grub: names(`/${I386}`), shim: Buffer.from(await tree.read(shim, 2 ** 24)) };
			});
			image = { layout, ...asked.answer };
		} finally {
			await opened.close();
		}
	});

	it.each(SYSTEMS)("$name", async (system) => {
		const directory = join(work, system.name);
		const output = `${directory}.iso`;
		const members = [
			...system.members(image),
			file("etc/os-release", system.osRelease),
			...system.gone(image).map(whiteout),
		];
		const reference = await withExtraLayer(image.layout, directory, (append) => append(tarArchive(members)));
		const report = await buildIso({ image: reference, output, comp: "none", cache: undefined });
		expect(report.contract).toMatchObject({ kernelVersion: image.release, efiVendor: system.vendor });
		expect(report.choices.map(({ code, where }) => `${code} ${where?.replaceAll(image.release, "VERSION")}`)).toEqual(
			system.choices,
		);
		const told = report.choices.map(({ what }) => what).join("\n");
		for (const text of system.told ?? []) expect(told).toContain(text);
		expect(report.checks.bootPaths).toEqual({
			bios: "expected to boot",
			uefi: "expected to boot",
			"secure-boot": system.isSignatureBroken === true ? "will not boot" : "expected to boot",
		});
		const { verdict, checks } = await verifyAgainstImage(output, { image: reference, secureBoot: false });
		expect(checks.filter(({ status }) => status === "fail")).toEqual([]);
		expect(verdict).toBe("pass");
		rmSync(output);
		rmSync(directory, { recursive: true });
	});
});

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ByteQueue } from "../../src/binary/byte-queue.ts";
import { decompress } from "../../src/boot/initramfs/decompress.ts";
import { memoryFile } from "../../src/boot/initramfs/streamed-file.ts";
import type { BootPath } from "../../src/findings/finding.ts";
import { askImage } from "../../src/layers/ask-image.ts";
import { openImage } from "../../src/oci/open-image.ts";
import type { ImageTree } from "../../src/tree/image-tree.ts";
import { walk } from "../../src/tree/walk.ts";
import { type NewcMember, newcArchive, readNewc } from "./inspect-cpio.ts";
import { withExtraLayer } from "./large-layout.ts";
import { type TarMember, tarArchive } from "./tar-fixtures.ts";

/** The parts of the real image that broken ones are made from. */
export interface RealParts {
	readonly release: string;
	/** Directory of the kernel in the image, without leading slash. */
	readonly modules: string;
	readonly kernel: Buffer;
	/** The initramfs as built (compressed), and its members. */
	readonly initramfs: Buffer;
	readonly members: readonly NewcMember[];
	readonly shim: Buffer;
	readonly mokManager: Buffer;
	readonly grub: Buffer;
	readonly isoYaml: string;
}

/** An image with something wrong, and what must be said of it. */
export interface BrokenImage {
	readonly name: string;
	/** Members of the layer on top of the real image. */
	layer(parts: RealParts): readonly TarMember[];
	readonly isBootable: boolean;
	/** Findings that are not `ok`: exactly these codes, in any order. */
	readonly findings?: readonly string[];
	/** Codes of contract violations; none means that the contract is met. */
	readonly violations?: readonly string[];
	/** Codes of choices that must be among those reported. */
	readonly choices?: readonly string[];
	/** Boot paths that end. */
	readonly blocks: readonly BootPath[];
}

const ALL = ["bios", "uefi", "secure-boot"] as const;
const UEFI = ["uefi", "secure-boot"] as const;
const SECURE = ["secure-boot"] as const;
const ISO_YAML = "usr/lib/bootc-image-builder/iso.yaml";
const EFI = "boot/efi/EFI/debian";

export const file = (path: string, content: Buffer | string, mode = 0o644): TarMember => ({
	path,
	mode,
	content: Buffer.from(content),
});
const removed = (path: string): TarMember => file(path.replace(/([^/]+)$/, ".wh.$1"), "");
const directory = (path: string): TarMember => ({ path, type: "directory", mode: 0o755 });

/** The initramfs without the members that match, and with others changed. Not compressed, which kernels take too. */
function initramfs(
	{ members, modules }: RealParts,
	change: (member: NewcMember) => NewcMember | undefined,
	extra: readonly Partial<NewcMember>[] = [],
): TarMember[] {
	const kept = members.flatMap((member) => change(member) ?? []);
	return [file(`${modules}/initramfs.img`, newcArchive([...kept, ...extra]), 0o600)];
}

const without =
	(pattern: RegExp) =>
	(parts: RealParts): TarMember[] =>
		initramfs(parts, (member) => (pattern.test(member.path) ? undefined : member));

const changed =
	(pattern: RegExp, from: string, to: string) =>
	(parts: RealParts): TarMember[] =>
		initramfs(parts, (member) =>
			pattern.test(member.path)
				? { ...member, content: Buffer.from(member.content.toString("latin1").replaceAll(from, to), "latin1") }
				: member,
		);

/** The real iso.yaml with a change. */
const menu =
	(change: (text: string) => string) =>
	({ isoYaml }: RealParts): TarMember[] => [file(ISO_YAML, change(isoYaml))];

/** The initramfs with one of initramfs-tools's scripts for live systems in place of dracut's module. */
const startingWith =
	(script: string) =>
	(parts: RealParts): TarMember[] =>
		initramfs(parts, (member) => (/dmsquash-live/.test(member.path) ? undefined : member), [
			{ path: "scripts", mode: 0o40755 },
			{ path: `scripts/${script}`, mode: 0o100644, content: Buffer.from("#!/bin/sh\n") },
		]);

/** An EFI program without its certificate table. */
export function unsigned(program: Buffer): Buffer {
	const bytes = Buffer.from(program);
	const entry = bytes.readUInt32LE(60) + 24 + 112 + 4 * 8;
	const end = bytes.readUInt32LE(entry);
	bytes.fill(0, entry, entry + 8);
	return bytes.subarray(0, end);
}

function withFlippedBit(program: Buffer): Buffer {
	const bytes = Buffer.from(program);
	const middle = bytes.byteLength >> 1;
	bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
	return bytes;
}

const replaced = (bytes: Buffer, from: string, to: string): Buffer =>
	Buffer.from(bytes.toString("latin1").replace(from, to), "latin1");

/** Every one of them differs from the real image in one thing. */
export const BROKEN_IMAGES: readonly BrokenImage[] = [
	{ name: "nothing changed", layer: () => [file("etc/motd", "hello")], isBootable: true, blocks: [] },

	// the initramfs
	{
		name: "an initramfs without the live module",
		layer: without(/dmsquash-live/),
		isBootable: false,
		findings: ["LIVE_MODULE_MISSING"],
		blocks: ALL,
	},
	{
		name: "an initramfs made for casper",
		layer: startingWith("casper"),
		isBootable: false,
		findings: ["LIVE_MODULE_OTHER_LAYOUT"],
		blocks: ALL,
	},
	{
		name: "an initramfs made for live-boot, and a menu for dracut",
		layer: startingWith("live"),
		isBootable: false,
		findings: ["MENU_ROOT_UNKNOWN"],
		blocks: ALL,
	},
	{
		name: "an initramfs made for live-boot",
		layer: (parts) => [
			...startingWith("live")(parts),
			...menu((text) => text.replaceAll(/root=live\S*( rd\.\S*)*/g, "$$root"))(parts),
		],
		isBootable: true,
		choices: ["KERNEL_ARGS_DEFAULT"],
		blocks: [],
	},
	...(
		[
			["squashfs", "SQUASHFS"],
			["overlay", "OVERLAY"],
			["loop", "LOOP"],
			["isofs", "ISOFS"],
		] as const
	).map(
		([driver, code]): BrokenImage => ({
			name: `an initramfs without ${driver}.ko`,
			layer: without(new RegExp(`/${driver}\\.ko(\\.xz)?$`)),
			isBootable: false,
			findings: [`DRIVER_${code}_MISSING`],
			blocks: ALL,
		}),
	),
	{
		name: "an initramfs without the CD driver",
		layer: without(/\/sr_mod\.ko(\.xz)?$/),
		isBootable: true,
		findings: ["CD_DRIVERS_MISSING"],
		blocks: [],
	},
	{
		name: "an initramfs without a module that its other modules need",
		layer: without(/\/cdrom\.ko$/),
		isBootable: false,
		findings: ["CD_DRIVERS_MISSING", "DRIVER_ISOFS_MISSING"],
		blocks: ALL,
	},
	{
		name: "an initramfs that reads neither CDs nor USB disks",
		layer: without(/\/(sr_mod|usb-storage|uas)\.ko$/),
		isBootable: false,
		findings: ["MEDIUM_DRIVERS_MISSING"],
		blocks: ALL,
	},
	{
		name: "an initramfs without the index of its modules",
		layer: without(/\/modules\.dep(\.bin)?$/),
		isBootable: false,
		findings: ["MODULE_INDEX_MISSING"],
		blocks: ALL,
	},
	{
		name: "an initramfs for another kernel",
		layer: (parts) =>
			initramfs(parts, (member) => ({ ...member, path: member.path.replace(parts.release, "6.1.0-99-amd64") })),
		isBootable: false,
		findings: ["INITRAMFS_OTHER_KERNEL"],
		blocks: ALL,
	},
	{
		name: "an initramfs whose modules were made for another kernel",
		layer: (parts) =>
			changed(/\/squashfs\.ko$/, `vermagic=${parts.release}`, `vermagic=${parts.release.replace(/\d/, "9")}`)(parts),
		isBootable: false,
		findings: ["MODULE_OTHER_KERNEL"],
		blocks: ALL,
	},
	{
		name: "a squashfs driver without the decoder",
		layer: changed(/\/squashfs\.ko$/, "zstd_init_dstream", "zstd_uninit_strea"),
		isBootable: false,
		findings: ["SQUASHFS_DECODER_MISSING"],
		blocks: ALL,
	},
	{
		name: "an initramfs that is no initramfs",
		layer: ({ modules }) => [file(`${modules}/initramfs.img`, "not an archive")],
		isBootable: false,
		findings: ["INITRAMFS_NO_INIT"],
		blocks: ALL,
	},
	{
		name: "an initramfs that ends too early",
		layer: ({ modules, initramfs: bytes }) => [
			file(`${modules}/initramfs.img`, bytes.subarray(0, bytes.byteLength >> 1)),
		],
		isBootable: false,
		findings: ["INITRAMFS_NO_INIT"],
		blocks: ALL,
	},
	{
		name: "an initramfs in several parts: microcode, gzip, and an override behind it",
		layer: (parts) => {
			const microcode = newcArchive([
				{ path: "kernel", mode: 0o40755 },
				{ path: "kernel/x86", mode: 0o40755 },
				{ path: "kernel/x86/microcode", mode: 0o40755 },
				{ path: "kernel/x86/microcode/GenuineIntel.bin", content: Buffer.alloc(2048, 1) },
			]);
			const main = gzipSync(newcArchive(parts.members), { level: 1 });
			const override = gzipSync(newcArchive([{ path: "etc/extra", content: Buffer.from("x") }]));
			return [file(`${parts.modules}/initramfs.img`, Buffer.concat([microcode, main, override]), 0o600)];
		},
		isBootable: true,
		blocks: [],
	},
	{
		name: "an initramfs with something unreadable behind it",
		layer: ({ modules, initramfs: bytes }) => [
			file(`${modules}/initramfs.img`, Buffer.concat([bytes, Buffer.from("junk")])),
		],
		isBootable: true,
		findings: ["INITRAMFS_DAMAGED"],
		blocks: [],
	},

	// the menu
	{
		name: "an entry with another label",
		layer: menu((text) => text.replaceAll("CDLABEL=Oci2iso-Live", "CDLABEL=Fedora-Live")),
		isBootable: false,
		findings: ["MENU_LABEL"],
		choices: ["ENTRY_LABEL_DIFFERS"],
		blocks: ALL,
	},
	{
		name: "an entry with the label in another case",
		layer: menu((text) => text.replaceAll("CDLABEL=Oci2iso-Live", "CDLABEL=OCI2ISO-LIVE")),
		isBootable: false,
		findings: ["MENU_LABEL"],
		blocks: ALL,
	},
	{
		name: "a label with a space",
		layer: menu((text) =>
			text
				.replace("label: Oci2iso-Live", "label: Oci2iso Live")
				.replaceAll("CDLABEL=Oci2iso-Live", "CDLABEL=$isolabel"),
		),
		isBootable: false,
		findings: ["MENU_LABEL"],
		choices: ["LABEL_SPACE"],
		blocks: ALL,
	},
	{
		name: "a second entry with another label",
		layer: menu((text) => {
			const at = text.lastIndexOf("CDLABEL=Oci2iso-Live");
			return `${text.slice(0, at)}${text.slice(at).replace("Oci2iso-Live", "Other")}`;
		}),
		isBootable: true,
		findings: ["MENU_LABEL"],
		blocks: [],
	},
	{
		name: "an entry that names no root",
		layer: menu((text) => text.replaceAll("root=live:CDLABEL=Oci2iso-Live rd.live.image", "quiet")),
		isBootable: false,
		findings: ["MENU_NO_ROOT"],
		blocks: ALL,
	},
	{
		name: "an entry with another kernel path",
		layer: menu((text) => text.replaceAll("linux: /images/pxeboot/vmlinuz", "linux: /boot/vmlinuz")),
		isBootable: false,
		findings: ["MENU_KERNEL_PATH"],
		blocks: ALL,
	},
	{
		name: "an entry with another initramfs path",
		layer: menu((text) =>
			text.replaceAll("initrd: /images/pxeboot/initrd.img", "initrd: /images/pxeboot/initramfs.img"),
		),
		isBootable: false,
		findings: ["MENU_INITRD_PATH"],
		blocks: ALL,
	},
	{
		name: "an entry without the argument that this dracut needs",
		layer: menu((text) => text.replaceAll("rd.live.overlay.overlayfs=1 ", "")),
		isBootable: false,
		findings: ["OVERLAY_ARGUMENT_MISSING"],
		blocks: ALL,
	},
	{
		name: "an entry for an installer that the initramfs does not have",
		layer: menu((text) =>
			text.replaceAll("root=live:CDLABEL=Oci2iso-Live rd.live.image", "inst.stage2=hd:LABEL=Oci2iso-Live"),
		),
		isBootable: false,
		findings: ["INSTALLER_MODULE_MISSING"],
		blocks: ALL,
	},

	// the kernel
	{
		name: "a kernel that is none",
		layer: ({ modules }) => [file(`${modules}/vmlinuz`, "not a kernel")],
		isBootable: false,
		findings: ["KERNEL_NOT_BOOTABLE"],
		blocks: ALL,
	},
	{
		name: "a kernel in a directory of another release",
		layer: ({ modules, kernel, initramfs: bytes, release }) => {
			const other = modules.replace(release, "6.1.0-99-amd64");
			return [
				removed(modules),
				directory(other),
				file(`${other}/vmlinuz`, kernel),
				file(`${other}/initramfs.img`, bytes),
			];
		},
		isBootable: true,
		findings: ["KERNEL_MODULES_MISMATCH"],
		blocks: [],
	},
	{
		name: "two kernels",
		layer: ({ modules, kernel, initramfs: bytes, release }) => {
			const other = modules.replace(release, "6.9.0-1-amd64");
			return [directory(other), file(`${other}/vmlinuz`, kernel), file(`${other}/initramfs.img`, bytes)];
		},
		isBootable: true,
		choices: ["KERNEL_CHOICE"],
		blocks: [],
	},
	{
		name: "no kernel",
		layer: ({ modules, release }) => [removed(`${modules}/vmlinuz`), removed(`boot/vmlinuz-${release}`)],
		isBootable: false,
		violations: ["KERNEL_MISSING"],
		blocks: ALL,
	},
	{
		name: "no initramfs",
		layer: ({ modules }) => [removed(`${modules}/initramfs.img`)],
		isBootable: false,
		violations: ["INITRAMFS_MISSING"],
		blocks: ALL,
	},
	{
		name: "an unsigned kernel",
		layer: ({ modules, kernel }) => [file(`${modules}/vmlinuz`, unsigned(kernel))],
		isBootable: true,
		findings: ["KERNEL_NOT_SIGNED"],
		blocks: SECURE,
	},

	// boot loaders
	{
		name: "an unsigned GRUB",
		layer: ({ grub }) => [file(`${EFI}/gcdx64.efi`, unsigned(grub), 0o700)],
		isBootable: true,
		findings: ["GRUB_NOT_SIGNED"],
		blocks: SECURE,
	},
	{
		name: "a GRUB that was changed after it was signed",
		layer: ({ grub }) => [file(`${EFI}/gcdx64.efi`, withFlippedBit(grub), 0o700)],
		isBootable: true,
		findings: ["GRUB_NOT_TRUSTED"],
		blocks: SECURE,
	},
	{
		name: "a GRUB of a revoked generation",
		layer: ({ grub }) => [file(`${EFI}/gcdx64.efi`, replaced(grub, "\ngrub,5,", "\ngrub,2,"), 0o700)],
		isBootable: true,
		findings: ["GRUB_NOT_TRUSTED", "GRUB_REVOKED"],
		blocks: SECURE,
	},
	{
		name: "a GRUB that is no program",
		layer: () => [file(`${EFI}/gcdx64.efi`, "not a program", 0o700)],
		isBootable: false,
		findings: ["GRUB_NOT_EFI"],
		choices: ["EFI_BINARY_NOT_PE"],
		blocks: UEFI,
	},
	{
		name: "an unsigned shim",
		layer: ({ shim }) => [file(`${EFI}/shimx64.efi`, unsigned(shim), 0o700)],
		isBootable: true,
		findings: ["SHIM_NOT_SIGNED"],
		blocks: SECURE,
	},
	{
		name: "a shim that was changed after it was signed",
		layer: ({ shim }) => [file(`${EFI}/shimx64.efi`, withFlippedBit(shim), 0o700)],
		isBootable: true,
		findings: ["SHIM_SIGNATURE_BROKEN"],
		blocks: SECURE,
	},
	{
		name: "another program of the vendor's in shim's place",
		layer: ({ mokManager }) => [file(`${EFI}/shimx64.efi`, mokManager, 0o700)],
		isBootable: true,
		findings: ["SHIM_UNKNOWN_AUTHORITY", "GRUB_NOT_TRUSTED", "KERNEL_NOT_TRUSTED", "MOK_MANAGER_NOT_TRUSTED"],
		blocks: SECURE,
	},
	{
		name: "boot loaders only where bootupd keeps them",
		layer: ({ shim, mokManager, grub }) => [
			removed("boot/efi"),
			removed("usr/lib/efi"),
			...[shim, mokManager, grub].map((bytes, index) =>
				file(`usr/lib/bootupd/updates/EFI/debian/${["shimx64.efi", "mmx64.efi", "gcdx64.efi"][index] ?? ""}`, bytes),
			),
		],
		isBootable: true,
		choices: ["EFI_FALLBACK"],
		blocks: [],
	},
	{
		name: "GRUB for BIOS without the module that starts Linux",
		layer: () => [removed("usr/lib/grub/i386-pc/linux.mod")],
		isBootable: false,
		findings: ["GRUB_BIOS_MODULES_MISSING"],
		blocks: ["bios"],
	},
	{
		name: "GRUB for BIOS whose normal.mod is zeros",
		layer: () => [file("usr/lib/grub/i386-pc/normal.mod", Buffer.alloc(20_000))],
		isBootable: false,
		findings: ["GRUB_BIOS_MODULES_MISSING"],
		blocks: ["bios"],
	},
	{
		name: "GRUB for BIOS that does not know which module has which command",
		layer: () => [file("usr/lib/grub/i386-pc/command.lst", Buffer.from("nothing: normal\n"))],
		isBootable: false,
		findings: ["GRUB_BIOS_ENTRY_FAILS", "GRUB_BIOS_ENTRY_FAILS"],
		blocks: ["bios"],
	},
	{
		name: "GRUB for BIOS that does not say what its modules depend on",
		layer: () => [file("usr/lib/grub/i386-pc/moddep.lst", Buffer.alloc(200))],
		isBootable: false,
		findings: ["GRUB_BIOS_NO_CORE"],
		blocks: ["bios"],
	},
	{
		name: "no GRUB for BIOS",
		layer: () => [removed("usr/lib/grub/i386-pc")],
		isBootable: false,
		violations: ["GRUB_MODULES_MISSING"],
		blocks: ALL,
	},

	// the system
	{
		name: "no init",
		layer: () => [removed("usr/sbin/init")],
		isBootable: false,
		findings: ["INIT_MISSING"],
		blocks: ALL,
	},
	{
		name: "no os-release",
		layer: () => [removed("etc/os-release"), removed("usr/lib/os-release")],
		isBootable: false,
		findings: ["ROOT_WITHOUT_OS_RELEASE"],
		choices: ["OS_RELEASE_MISSING"],
		blocks: ALL,
	},
	{
		name: "the configuration of an ostree commit",
		layer: () => [removed("etc/passwd"), file("usr/etc/passwd", "root:x:0:0::/root:/bin/sh\n")],
		isBootable: true,
		findings: ["ETC_IN_USR"],
		blocks: [],
	},
	{
		name: "no /proc, by which this dracut knows a root",
		layer: () => [removed("proc")],
		isBootable: false,
		findings: ["ROOT_WITHOUT_PROC"],
		blocks: ALL,
	},
	{
		name: "a directory in which dmsquash-live looks for the root",
		layer: () => [directory("LiveOS")],
		isBootable: false,
		findings: ["ROOT_HAS_LIVEOS"],
		blocks: ALL,
	},
	{
		name: "SELinux enforcing without a policy",
		layer: (parts) => [
			file("etc/selinux/config", "SELINUX=enforcing\n"),
			...menu((text) => text.replaceAll("selinux=0 ", "security=selinux "))(parts),
		],
		isBootable: false,
		findings: ["SELINUX_NOT_COMPILED"],
		blocks: ALL,
	},
];

/** Takes the real image (`layout` is its directory) apart; an initramfs made of its members boots only if they are `whole`. */
export async function realParts(layout: string, members?: "whole"): Promise<RealParts> {
	const image = await openImage(`oci:${layout}:latest`, { platform: "linux/amd64" });
	try {
		const { answer: tree } = await askImage(image.layers, async (asked) => {
			for (const _ of walk(asked.root));
			return asked;
		});
		const all = tree.lookup("/usr/lib/modules")?.inode;
		const release = all?.type === "directory" ? ([...all.entries.keys()][0] ?? "") : "";
		const modules = `usr/lib/modules/${release}`;
		const initramfs = await contentOf(tree, `${modules}/initramfs.img`);
		return {
			release,
			modules,
			initramfs,
			members: (await membersOf(initramfs)).map((member) => (members === "whole" ? member : withoutBulk(member))),
			kernel: await contentOf(tree, `${modules}/vmlinuz`),
			shim: await contentOf(tree, `${EFI}/shimx64.efi`),
			mokManager: await contentOf(tree, `${EFI}/mmx64.efi`),
			grub: await contentOf(tree, `${EFI}/gcdx64.efi`),
			isoYaml: (await contentOf(tree, ISO_YAML)).toString(),
		};
	} finally {
		await image.close();
	}
}

/** Of dracut's initramfs; from 112 on, modules that are compressed lie in an archive that is not, before the other one. */
async function membersOf(initramfs: Buffer): Promise<readonly NewcMember[]> {
	const plain = initramfs.toString("latin1", 0, 6) === "070701" ? readNewc(initramfs) : { members: [], byteLength: 0 };
	const rest = initramfs.subarray(initramfs.findIndex((byte, at) => at >= plain.byteLength && byte !== 0));
	const pieces: Buffer[] = [];
	await decompress("zstd", new ByteQueue(memoryFile(rest)), (piece) => pieces.push(Buffer.from(piece)));
	return [...plain.members, ...readNewc(Buffer.concat(pieces)).members];
}

/** Programs and libraries, which nothing looks into, are most of an initramfs. */
function withoutBulk(member: NewcMember): NewcMember {
	const isBulk = member.content.byteLength > 32 << 10 && !/\.ko(\.xz)?$|\/modules\./.test(member.path);
	return isBulk ? { ...member, content: Buffer.alloc(0) } : member;
}

async function contentOf(tree: ImageTree, path: string): Promise<Buffer> {
	const inode = tree.lookup(`/${path}`)?.inode;
	if (inode?.type !== "file") throw new Error(`the fixture has no ${path}`);
	return Buffer.from(await tree.read(inode, 2 ** 30));
}

/** Writes the broken image as an OCI layout in a new directory in `scratch` and gives its reference. */
export async function writeBrokenImage(
	broken: Pick<BrokenImage, "name" | "layer">,
	layout: string,
	parts: RealParts,
	scratch: string,
): Promise<{ readonly reference: string; readonly directory: string }> {
	const directory = join(scratch, broken.name.replace(/[^a-z0-9]+/gi, "-"));
	mkdirSync(directory, { recursive: true });
	// Its own iso.yaml may come later in the layer: the last of two entries counts.
	const members = [file(ISO_YAML, parts.isoYaml), ...broken.layer(parts)];
	const reference = await withExtraLayer(layout, directory, async (append) => append(tarArchive(members)));
	return { reference, directory };
}

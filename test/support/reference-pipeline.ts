import { existsSync } from "node:fs";
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { load } from "js-yaml";
import { type IsoYaml, referenceGrubCfg } from "./reference-grub-cfg.ts";
import { run } from "./run.ts";

/** What the reference pipeline needs on the machine, as `requires` takes it. */
export const REFERENCE_PIPELINE_NEEDS = [
	...["root", "skopeo", "umoci", "mksquashfs", "mkfs.fat", "mcopy", "xorrisofs", "implantisomd5", "chroot"],
] as const;

/** The reference converter's excludes, one regular expression per path component, each matched unanchored. */
export const REFERENCE_EXCLUDES = [
	...["boot/efi/.*", "boot/grub2/.*", "boot/config-.*", "boot/initramfs-.*", "boot/loader/.*", "boot/symvers-.*"],
	...["boot/System.map-.*", "usr/lib/sysimage/rpm/.*", "var/lib/rpm/.*", "var/lib/yum/.*", "var/lib/dnf/.*"],
] as const;

const ISO_YAML_PATHS = ["usr/lib/image-builder/bootc/iso.yaml", "usr/lib/bootc-image-builder/iso.yaml"];
const EFI_IMAGE_BYTES = 20 * 1024 * 1024;

export interface SquashfsOptions {
	/** mksquashfs -comp; zstd as the reference does. */
	readonly compression?: "zstd" | "gzip" | "xz" | "lz4";
	/** -Xcompression-level, for zstd and gzip; mksquashfs's own default otherwise. */
	readonly level?: number;
	readonly processors?: number;
}

export interface ReferenceOptions extends SquashfsOptions {
	/** Where the unpacked image and the ISO's tree are put, and left; a directory that is removed at the end otherwise. */
	readonly workDir?: string;
	/** Unpack as an ordinary user: owners, devices and some attributes of the image are lost. */
	readonly rootless?: boolean;
}

export interface ReferenceBuild {
	readonly label: string;
	/** Wall time of each step in milliseconds, in order. */
	readonly stepMs: Readonly<Record<string, number>>;
}

/**
 * Turns the image `latest` of an OCI layout into an ISO as a user without oci2iso would: copy, unpack, mksquashfs,
 * grub-mkimage from the image, mkfs.fat and mcopy, xorrisofs with the reference converter's arguments, implantisomd5.
 */
export async function buildReferenceIso(
	layoutDir: string,
	output: string,
	options: ReferenceOptions = {},
): Promise<ReferenceBuild> {
	const work = options.workDir ?? (await mkdtemp(join(tmpdir(), "oci2iso-reference-")));
	const stepMs: Record<string, number> = {};
	const step = async <T>(name: string, action: () => Promise<T>): Promise<T> => {
		const start = performance.now();
		const result = await action();
		stepMs[name] = performance.now() - start;
		return result;
	};
	try {
		const tree = join(work, "iso");
		await mkdir(tree, { recursive: true });
		const { rootless } = options;
		const copy = await step("skopeo copy", () => copyImage(`oci:${resolve(layoutDir)}:latest`, join(work, "image")));
		const rootfs = await step("umoci unpack", () => unpackLayout(copy, join(work, "bundle"), { rootless }));
		const yaml = await readIsoYaml(rootfs);
		await mkdir(join(tree, "LiveOS"));
		await step("mksquashfs", () => makeSquashfs(rootfs, join(tree, "LiveOS/squashfs.img"), options));
		await step("boot files", () => addBootFiles(rootfs, tree, yaml, rootless));
		await step("xorrisofs", () =>
			runXorrisofs(tree, yaml.label, join(rootfs, "usr/lib/grub/i386-pc/boot_hybrid.img"), output),
		);
		await step("implantisomd5", () => run("implantisomd5", [output]));
		return { label: yaml.label, stepMs };
	} finally {
		if (options.workDir === undefined) await rm(work, { recursive: true, force: true });
	}
}

/** xorrisofs with the reference converter's exact arguments over a finished ISO tree. */
export async function runXorrisofs(tree: string, label: string, grub2Mbr: string, output: string): Promise<void> {
	await run("xorrisofs", [
		...["-verbose", "-rock", "-joliet", "-iso-level", "3", "-V", label, "-sysid", "LINUX"],
		...["--grub2-mbr", grub2Mbr, "-partition_offset", "16", "-appended_part_as_gpt"],
		...["-append_partition", "2", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", join(tree, "images/efiboot.img")],
		...["-iso_mbr_part_type", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"],
		...["-b", "images/eltorito.img", "-c", "boot.cat", "--boot-catalog-hide", "-no-emul-boot", "-boot-load-size", "4"],
		...["-boot-info-table", "--grub2-boot-info"],
		...["-eltorito-alt-boot", "-e", "--interval:appended_partition_2:all::", "-no-emul-boot"],
		...["-o", output, tree],
	]);
}

/** Unpacks the image `latest` of an OCI layout as root and gives its root directory. */
export async function unpackImage(layoutDir: string, work: string): Promise<string> {
	const copy = await copyImage(`oci:${resolve(layoutDir)}:latest`, join(work, "image"));
	return unpackLayout(copy, join(work, "bundle"));
}

/**
 * Copies an image, named as skopeo names it, to an OCI layout with the tag `latest`. umoci reads no zstd layers, so they become gzip of that level;
 * gzip layers stay as they are.
 */
export async function copyImage(source: string, layoutDir: string, gzipLevel = 1): Promise<string> {
	const gzip = ["--dest-compress-format", "gzip", "--dest-compress-level", String(gzipLevel)];
	await run("skopeo", ["copy", "--quiet", ...gzip, source, `oci:${layoutDir}:latest`]);
	return layoutDir;
}

export async function unpackLayout(
	layoutDir: string,
	bundle: string,
	options: { readonly rootless?: boolean | undefined } = {},
): Promise<string> {
	const rootless = options.rootless === true ? ["--rootless"] : [];
	// As every container runtime does: a layer's directory entry leaves a lower layer's symlink to a directory alone.
	const unpack = ["raw", "unpack", ...rootless, "--keep-dirlinks", "--image", `${layoutDir}:latest`];
	const rootfs = join(bundle, "rootfs");
	await mkdir(bundle, { recursive: true });
	await run("umoci", [...unpack, rootfs]);
	return rootfs;
}

async function readIsoYaml(rootfs: string): Promise<IsoYaml> {
	const path = ISO_YAML_PATHS.map((name) => join(rootfs, name)).find((name) => existsSync(name));
	if (path === undefined) throw new Error(`the image has no ${ISO_YAML_PATHS.join(" and no ")}`);
	return load(await readFile(path, "utf8")) as IsoYaml;
}

/** mksquashfs as the reference runs it. */
export async function makeSquashfs(rootfs: string, output: string, options: SquashfsOptions): Promise<void> {
	const tuning = [
		...(options.level === undefined ? [] : ["-Xcompression-level", String(options.level)]),
		...(options.processors === undefined ? [] : ["-processors", String(options.processors)]),
	];
	const compression = ["-comp", options.compression ?? "zstd", ...tuning];
	const excludes = ["-regex", "-e", ...REFERENCE_EXCLUDES];
	await run("mksquashfs", [rootfs, output, ...compression, "-no-progress", ...excludes]);
}

async function addBootFiles(rootfs: string, tree: string, yaml: IsoYaml, rootless = false): Promise<void> {
	const images = join(tree, "images");
	await mkdir(join(images, "pxeboot"), { recursive: true });
	const [kernel = ""] = (await readdir(join(rootfs, "usr/lib/modules"))).sort();
	const modules = join(rootfs, "usr/lib/modules", kernel);
	// cp -a, not copyFile: the ISO shows the image's modes and owners.
	await run("cp", ["-a", join(modules, "vmlinuz"), join(images, "pxeboot/vmlinuz")]);
	await run("cp", ["-a", join(modules, "initramfs.img"), join(images, "pxeboot/initrd.img")]);

	const grub = join(tree, "boot/grub2");
	await mkdir(grub, { recursive: true });
	await cp(join(rootfs, "usr/lib/grub/i386-pc"), join(grub, "i386-pc"), { recursive: true, dereference: true });
	await writeFile(join(grub, "grub.cfg"), referenceGrubCfg(yaml, "bios"));
	await makeElToritoImage(rootfs, join(images, "eltorito.img"), rootless);

	await addEfiFiles(rootfs, tree, yaml);
	const efiImage = join(images, "efiboot.img");
	await writeFile(efiImage, "");
	await truncate(efiImage, EFI_IMAGE_BYTES);
	await run("mkfs.fat", ["-I", "-i", "0C12150A", efiImage]);
	await run("mcopy", ["-s", "-m", "-i", efiImage, join(tree, "EFI"), "::/"]);

	const osRelease = await readFile(join(rootfs, "usr/lib/os-release"), "utf8");
	const version = /^VERSION_ID="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? "";
	await writeFile(join(tree, ".discinfo"), `1700000000.0\n${version}\nx86_64\n`);
}

async function addEfiFiles(rootfs: string, tree: string, yaml: IsoYaml): Promise<void> {
	const boot = join(tree, "EFI/BOOT");
	await mkdir(join(boot, "fonts"), { recursive: true });
	const vendors = (await readdir(join(rootfs, "boot/efi/EFI"))).filter((name) => name !== "BOOT");
	const [vendor = ""] = vendors.sort();
	const from = join(rootfs, "boot/efi/EFI", vendor);
	await copyFile(join(from, "shimx64.efi"), join(boot, "BOOTX64.EFI"));
	await copyFile(join(from, "mmx64.efi"), join(boot, "mmx64.efi"));
	await copyFile(join(from, "gcdx64.efi"), join(boot, "grubx64.efi"));
	await copyFile(join(rootfs, "usr/share/grub/unicode.pf2"), join(boot, "fonts/unicode.pf2"));
	await writeFile(join(boot, "grub.cfg"), referenceGrubCfg(yaml, "uefi"));
}

/** The image's own grub-mkimage, with the reference's arguments; its name differs between distributions. */
async function makeElToritoImage(rootfs: string, output: string, rootless: boolean): Promise<void> {
	const core = "/tmp/oci2iso-core.img";
	const script = `tool=$(command -v grub2-mkimage || command -v grub-mkimage) && exec "$tool" \
		--verbose --directory /usr/lib/grub/i386-pc --prefix /boot/grub2 --format i386-pc-eltorito \
		--compression auto --output ${core} biosdisk part_gpt iso9660`;
	const inChroot = [rootfs, "/bin/sh", "-c", script];
	if (rootless) await run("unshare", ["--map-root-user", "chroot", ...inChroot]);
	else await run("chroot", inChroot);
	await rename(join(rootfs, core), output);
}

import { copyFile, mkdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MiB } from "../../src/binary/units.ts";
import { run } from "./run.ts";

/** What `loopDisk` needs on the machine, as `requires` takes it. */
export const LOOP_DISK_NEEDS = ["grub-mkstandalone", "mke2fs", "mkfs.vfat", "mmd", "mcopy", "sgdisk", "dd"] as const;

const MODULES = "part_gpt fat ext2 iso9660 loopback linux configfile search search_fs_file normal echo test";
const ESP_MEBIBYTES = 40;
/** Of the disk; what is before is for the GPT. */
const FIRST_MEBIBYTE = 1;

/**
 * A disk with GRUB for UEFI, which is nobody's that made the ISO, and the ISO as a file on a partition with ext4: GRUB opens that and reads its
 * loopback.cfg, as people's multi-boot sticks do.
 */
export async function loopDisk(iso: string, directory: string): Promise<string> {
	const path = "/isos/live.iso";
	const [config, grub, esp, files, ext4, disk] = ["grub.cfg", "BOOTX64.EFI", "esp", "files", "ext4", "disk"].map(
		(name) => join(directory, `loop-${name}`),
	) as [string, string, string, string, string, string];
	await writeFile(
		config,
		[
			`search --no-floppy --set=stick --file ${path}`,
			`set iso_path=${path}`,
			"export iso_path",
			'loopback loop "($stick)$iso_path"',
			"set root=(loop)",
			"configfile /boot/grub/loopback.cfg",
			"",
		].join("\n"),
	);
	const modules = [`--modules=${MODULES}`, `--install-modules=${MODULES}`, "--fonts=", "--locales=", "--themes="];
	await run("grub-mkstandalone", ["-O", "x86_64-efi", "-o", grub, ...modules, `boot/grub/grub.cfg=${config}`]);
	await writeFile(esp, "");
	await truncate(esp, ESP_MEBIBYTES * MiB);
	await run("mkfs.vfat", ["-F", "16", esp]);
	await run("mmd", ["-i", esp, "::/EFI", "::/EFI/BOOT"]);
	await run("mcopy", ["-i", esp, grub, "::/EFI/BOOT/BOOTX64.EFI"]);

	await mkdir(join(files, dirname(path)), { recursive: true });
	await copyFile(iso, join(files, path));
	const mebibytes = Math.ceil((await stat(iso)).size / MiB) + 60;
	await writeFile(ext4, "");
	await truncate(ext4, mebibytes * MiB);
	await run("mke2fs", ["-q", "-t", "ext4", "-d", files, ext4]);
	await rm(files, { recursive: true });

	await writeFile(disk, "");
	await truncate(disk, (FIRST_MEBIBYTE + ESP_MEBIBYTES + mebibytes + 1) * MiB);
	const partitions = [`1:${FIRST_MEBIBYTE}M:+${ESP_MEBIBYTES}M`, `2:0:+${mebibytes}M`].flatMap((each) => ["-n", each]);
	await run("sgdisk", [...partitions, "-t", "1:ef00", "-t", "2:8300", disk]);
	for (const [part, at] of [[esp, FIRST_MEBIBYTE] as const, [ext4, FIRST_MEBIBYTE + ESP_MEBIBYTES] as const]) {
		await run("dd", [`if=${part}`, `of=${disk}`, "bs=1M", `seek=${at}`, "conv=notrunc,sparse", "status=none"]);
		await rm(part);
	}
	return disk;
}

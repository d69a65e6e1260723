import { fedoraImage, ISO_YAML } from "../unit/contract/contract-images.ts";
import { moduleFile } from "./grub-programs.ts";
import { type NewcMember, newcArchive } from "./inspect-cpio.ts";
import type { SmallRoot } from "./small-root.ts";

export const RELEASE = "6.19.3-300.fc43.x86_64";
export const MODULES = `/usr/lib/modules/${RELEASE}`;

function bzImage(release: string): Buffer {
	const bytes = Buffer.alloc(4096);
	bytes.writeUInt16LE(0xaa55, 0x1fe);
	bytes.write("HdrS", 0x202, "latin1");
	bytes.writeUInt16LE(0x20f, 0x206);
	bytes.writeUInt16LE(0x400, 0x20e);
	bytes.writeUInt16LE(1, 0x236);
	bytes.write(`${release} (mock@fedora)`, 0x600, "latin1");
	return bytes;
}

/** A file in the initramfs. */
export const text = (path: string, content: string, mode = 0o100644): Partial<NewcMember> => ({
	path,
	mode,
	content: Buffer.from(content),
});
const driver = (path: string, content = ""): Partial<NewcMember> =>
	text(`usr/lib/modules/${RELEASE}/kernel/${path}`, content);

export interface LiveImageSetup {
	readonly dracut?: string;
	readonly builtIn?: readonly string[];
	readonly squashfs?: string;
	readonly extra?: readonly Partial<NewcMember>[];
	readonly config?: string;
	readonly linux?: string;
}

/** A Fedora-like image whose initramfs has what a live boot needs, unless the setup says otherwise. */
export function liveImage({
	dracut = "107-4.fc43",
	builtIn = [],
	squashfs = "zstd_init_dstream\0",
	extra = [],
	config,
	linux,
}: LiveImageSetup = {}): SmallRoot {
	const files = [
		"fs/overlayfs/overlay",
		"drivers/block/loop",
		"fs/isofs/isofs",
		"drivers/scsi/sr_mod",
		"drivers/scsi/sd_mod",
	];
	files.push("drivers/ata/ahci", "drivers/usb/storage/usb-storage", "drivers/usb/host/xhci-pci");
	const members = [
		text("init", "#!/bin/sh", 0o100755),
		text(`usr/lib/dracut/dracut-${dracut}`, ""),
		text("usr/lib/systemd/systemd", "", 0o100755),
		text("usr/sbin/iso-scan", "", 0o100755),
		text("var/lib/dracut/hooks/cmdline/31-parse-iso-scan.sh", ""),
		driver("fs/ext4/ext4.ko"),
		text("usr/sbin/dmsquash-live-root", "[ -d /run/initramfs/squashfs/proc ]", 0o100755),
		{ path: "lib", mode: 0o120777, content: Buffer.from("usr/lib") },
		text(`usr/lib/modules/${RELEASE}/modules.dep`, ""),
		text(`usr/lib/modules/${RELEASE}/modules.builtin`, builtIn.map((name) => `kernel/${name}.ko\n`).join("")),
		...files.filter((name) => !builtIn.includes(name)).map((name) => driver(`${name}.ko`)),
		...(builtIn.includes("fs/squashfs/squashfs") ? [] : [driver("fs/squashfs/squashfs.ko", squashfs)]),
		...extra,
	];
	const image = fedoraImage()
		.file(`${MODULES}/vmlinuz`, bzImage(RELEASE))
		.file(`${MODULES}/initramfs.img`, newcArchive(members))
		.file("/usr/sbin/init", "systemd")
		.symlink("/sbin", "usr/sbin")
		.directory("/proc");
	for (const name of ["search", "search_label", "linux", "gzio"])
		image.file(`/usr/lib/grub/i386-pc/${name}.mod`, moduleFile(name, "i386-pc"));
	image
		.file("/usr/lib/grub/i386-pc/moddep.lst", "biosdisk:\npart_gpt:\niso9660:\n")
		.file("/usr/lib/grub/i386-pc/command.lst", "search: search\n*linux: linux\n*initrd: linux\n");
	if (config !== undefined) image.file(`${MODULES}/config`, config);
	if (linux !== undefined)
		image.file(
			ISO_YAML,
			`label: Live\ngrub2:\n  entries:\n    - name: x\n      linux: ${linux}\n      initrd: /images/pxeboot/initrd.img\n`,
		);
	return image;
}

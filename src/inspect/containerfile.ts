import type { ContainerfileLines } from "../findings/finding.ts";

const APT = "RUN apt-get update && apt-get install -y --no-install-recommends";
const DRACUT_FEDORA =
	'RUN v=$(ls /usr/lib/modules | head -n1) && dracut --force --no-hostonly --kver "$v" --add "dmsquash-live" /usr/lib/modules/$v/initramfs.img';
const DRACUT_DEBIAN =
	'RUN v=$(ls /usr/lib/modules | head -n1) && dracut --force --no-hostonly --kver "$v" --add "dmsquash-live pollcdrom" --filesystems "iso9660 squashfs overlay" /usr/lib/modules/$v/initramfs.img';

/** The same on every distribution. */
export function anyDistribution(line: string): ContainerfileLines {
	return { fedora: line, debian: line };
}

const makeInitramfs: ContainerfileLines = {
	fedora: `RUN dnf -y install dracut-live && ${DRACUT_FEDORA.slice(4)}`,
	debian: `${APT} dracut dracut-live dmsetup && ${DRACUT_DEBIAN.slice(4)}`,
};

function addDrivers(names: readonly string[]): ContainerfileLines {
	const option = `--add-drivers "${names.join(" ")}" /usr/lib/modules`;
	return {
		fedora: DRACUT_FEDORA.replace("/usr/lib/modules/$v", `${option}/$v`),
		debian: DRACUT_DEBIAN.replace("/usr/lib/modules/$v", `${option}/$v`),
	};
}

const kernel: ContainerfileLines = {
	fedora: "RUN dnf -y install kernel",
	debian: `${APT} linux-image-amd64 && v=$(ls /usr/lib/modules | head -n1) && cp /boot/vmlinuz-$v /usr/lib/modules/$v/vmlinuz`,
};

const efi: ContainerfileLines = {
	fedora:
		"RUN dnf -y install shim-x64 grub2-efi-x64-cdboot && mkdir -p /boot/efi && if [ -d /usr/lib/efi ]; then cp -ra /usr/lib/efi/*/*/EFI /boot/efi; fi",
	debian: `${APT} shim-signed grub-efi-amd64-signed`,
};

const grubModules: ContainerfileLines = {
	fedora: "RUN dnf -y install grub2-pc-modules",
	debian: `${APT} grub-pc-bin`,
};

const grubModulesAgain: ContainerfileLines = {
	fedora: "RUN dnf -y reinstall grub2-pc-modules",
	debian: `${APT} --reinstall grub-pc-bin`,
};

const mediaCheck: ContainerfileLines = {
	fedora: makeInitramfs.fedora.replace("dracut-live", "dracut-live isomd5sum"),
	debian: makeInitramfs.debian.replace("dracut-live", "dracut-live isomd5sum"),
};

const init: ContainerfileLines = { fedora: "RUN dnf -y install systemd", debian: `${APT} systemd-sysv` };

const release: ContainerfileLines = {
	fedora: "RUN dnf -y install fedora-release",
	debian: `${APT} base-files`,
};

export const LINES = {
	makeInitramfs,
	addDrivers,
	kernel,
	efi,
	grubModules,
	grubModulesAgain,
	mediaCheck,
	init,
	release,
} as const;

/** The lines that fix a contract violation, by its code. */
export const CONTRACT_LINES: Readonly<Record<string, ContainerfileLines>> = {
	KERNEL_MISSING: kernel,
	INITRAMFS_MISSING: makeInitramfs,
	VENDOR_MISSING: efi,
	SHIM_MISSING: efi,
	MOK_MANAGER_MISSING: efi,
	GRUB_EFI_MISSING: efi,
	UNICODE_FONT_MISSING: { fedora: "RUN dnf -y install grub2-common", debian: `${APT} grub-common` },
	GRUB_MODULES_MISSING: grubModules,
	GRUB_MODULE_MISSING: grubModules,
	BOOT_HYBRID_SIZE: grubModules,
};

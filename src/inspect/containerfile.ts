import type { Machine } from "../boot/machines.ts";
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

/** A kernel for the machine. */
export const kernelLines = ({ packages }: Machine): ContainerfileLines => ({
	fedora: "RUN dnf -y install kernel",
	debian: `${APT} linux-image-${packages.debian} && v=$(ls /usr/lib/modules | head -n1) && cp /boot/vmlinuz-$v /usr/lib/modules/$v/vmlinuz`,
});

/** Boot loaders for the machine. */
export const efiLines = ({ packages }: Machine): ContainerfileLines => ({
	fedora: `RUN dnf -y install shim-${packages.fedora} grub2-efi-${packages.fedora}-cdboot && mkdir -p /boot/efi && if [ -d /usr/lib/efi ]; then cp -ra /usr/lib/efi/*/*/EFI /boot/efi; fi`,
	debian: `${APT} shim-signed grub-efi-${packages.debian}-signed`,
});

/** systemd-boot for the machine; Fedora signs none, nor did Debian before 13. */
export const systemdBootLines = ({ packages }: Machine): ContainerfileLines => ({
	fedora: "RUN dnf -y install systemd-boot-unsigned",
	debian: `${APT} systemd-boot-efi-${packages.debian}-signed || ${APT.slice(APT.indexOf("&&") + 3)} systemd-boot-efi`,
});

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
	grubModules,
	grubModulesAgain,
	mediaCheck,
	init,
	release,
} as const;

const ofContract: Readonly<Record<string, ContainerfileLines | ((machine: Machine) => ContainerfileLines)>> = {
	KERNEL_MISSING: kernelLines,
	INITRAMFS_MISSING: makeInitramfs,
	VENDOR_MISSING: efiLines,
	SHIM_MISSING: efiLines,
	MOK_MANAGER_MISSING: efiLines,
	GRUB_EFI_MISSING: efiLines,
	SYSTEMD_BOOT_MISSING: systemdBootLines,
	UNICODE_FONT_MISSING: { fedora: "RUN dnf -y install grub2-common", debian: `${APT} grub-common` },
	GRUB_MODULES_MISSING: grubModules,
	GRUB_MODULE_MISSING: grubModules,
	BOOT_HYBRID_SIZE: grubModules,
};

/** The lines that fix a contract violation, by its code. */
export function contractLines(code: string, machine: Machine): ContainerfileLines | undefined {
	const lines = ofContract[code];
	return typeof lines === "function" ? lines(machine) : lines;
}

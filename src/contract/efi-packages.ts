import type { BootLoader } from "../boot/boot-loader.ts";
import { type PackageSpelling, packageSpelling } from "../boot/machines.ts";
import type { EfiFiles, OsRelease } from "./contract.ts";

type Program = Exclude<keyof EfiFiles, "secondStage"> | BootLoader;
type Packages = Readonly<Record<Program, string>>;

/** By the ids of os-release(5); `{fedora}` and `{debian}` stand for the two spellings of the architecture. */
const FEDORA: Packages = {
	shim: "shim-{fedora}",
	mokManager: "shim-{fedora}",
	grub2: "grub2-efi-{fedora}-cdboot",
	"systemd-boot": "systemd-boot-unsigned",
};
const DEBIAN: Packages = {
	shim: "shim-signed",
	mokManager: "shim-signed",
	grub2: "grub-efi-{debian}-signed",
	"systemd-boot": "systemd-boot-efi-{debian}-signed",
};
/** Before 13, and Ubuntu: nobody has signed it. */
const UNSIGNED: Packages = { ...DEBIAN, "systemd-boot": "systemd-boot-efi" };
const FIRST_SIGNED_DEBIAN = 13;
const SUSE: Packages = { shim: "shim", mokManager: "shim", grub2: "grub2-{suse}-efi", "systemd-boot": "systemd-boot" };
const GENTOO: Packages = {
	shim: "sys-boot/shim",
	mokManager: "sys-boot/shim",
	grub2: "sys-boot/grub with USE=secureboot",
	"systemd-boot": "sys-apps/systemd with USE=boot",
};
const FAMILIES: Readonly<Record<string, Packages>> = {
	...Object.fromEntries(["fedora", "rhel", "centos", "rocky", "almalinux", "ol", "amzn"].map((id) => [id, FEDORA])),
	debian: DEBIAN,
	ubuntu: UNSIGNED,
	...Object.fromEntries(["suse", "opensuse", "sles"].map((id) => [id, SUSE])),
	gentoo: GENTOO,
};

/** The package that has a boot loader, in the image's own distribution, or in the ones that are known. */
export function bootLoaderPackage(role: Program, { id, idLike, versionId }: OsRelease, architecture: string): string {
	const spelled = packageSpelling(architecture);
	const nameIn = (packages: Packages): string =>
		packages[role].replace(/\{(fedora|debian|suse)\}/, (_, family: keyof PackageSpelling) => spelled[family]);
	if (id === "debian" && Number(versionId) < FIRST_SIGNED_DEBIAN) return nameIn(UNSIGNED);
	const known = [id, ...idLike].map((name) => FAMILIES[(name ?? "").split("-")[0] ?? ""]).find((family) => family);
	if (known !== undefined) return nameIn(known);
	return `Fedora's ${nameIn(FEDORA)} or Debian's ${nameIn(DEBIAN)}`;
}

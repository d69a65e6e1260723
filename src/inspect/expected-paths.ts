import type { ByteString } from "../binary/byte-string.ts";
import { loaderPackages } from "../boot/loader-packages.ts";
import { MACHINES, PC_BIOS } from "../boot/machines.ts";
import { GRUB_ADDITIONS_PATH } from "../contract/grub-additions.ts";
import { grubDirectoriesOf } from "../contract/grub-files.ts";

/** A component: text with at most one `*` for any characters, so that it is matched from both ends. */
interface Component {
	readonly start: string;
	/** Undefined where there is no `*`. */
	readonly end: string | undefined;
}

/** Whole paths that the checks ask for the contents of. `*` stands for any part of one component. */
const PATTERNS: readonly string[] = [
	"etc/os-release",
	"usr/lib/os-release",
	"usr/lib/image-builder/bootc/iso.yaml",
	"usr/lib/bootc-image-builder/iso.yaml",
	...["usr/lib/modules/*", "lib/modules/*"].flatMap((directory) =>
		["vmlinuz", "Image", "initramfs.img", "initrd", "pkgbase", "config", "modules.builtin", "modules.dep", "*.efi"].map(
			(name) => `${directory}/${name}`,
		),
	),
	"boot/EFI/Linux/*.efi",
	...["*.cfg", "*.pf2", "theme/*", "theme/*/*"].map((path) => `${withoutSlash(GRUB_ADDITIONS_PATH)}/${path}`),
	...["vmlinuz", "kernel", "Image", "initrd.img", "initrd", "initramfs", "config"].map((name) => `boot/${name}-*`),
	...["vmlinuz", "Image", "initrd", "initrd.img", "initrd.gz", "initramfs.img"].map((name) => `boot/${name}`),
	...["boot/efi", "usr/lib/bootupd/updates", "usr/lib/efi/*/*", "usr/lib/ostree-boot/efi", "efi"].flatMap((place) => [
		...["efi", "EFI"].map((suffix) => `${place}/EFI/*/*.${suffix}`),
	]),
	...MACHINES.flatMap((machine) =>
		loaderPackages(machine).flatMap(({ paths }) =>
			[machine.efi.shim, machine.efi.mokManager, machine.efi.mediaGrub, machine.efi.systemdBoot].flatMap(
				(name) => paths[name] ?? [],
			),
		),
	).map(withoutSlash),
	...grubDirectoriesOf(PC_BIOS).flatMap((path) => ["*.mod", "*.lst"].map((name) => withoutSlash(`${path}/${name}`))),
	"etc/selinux/config",
	"etc/nsswitch.conf",
	"etc/ld.so.conf",
	"etc/ld.so.conf.d/*",
	...["bin", "sbin", "usr/bin", "usr/sbin"].flatMap((directory) =>
		["grub-mkimage", "grub2-mkimage", "implantisomd5"].map((name) => `${directory}/${name}`),
	),
];
/** Directories with the libraries of those tools, and one more level below. */
const LIBRARY_DIRECTORIES = ["lib", "lib64", "usr/lib", "usr/lib64"];
/** Names of libraries before `.so`. */
const LIBRARIES = new Set([
	...["libc", "libm", "libdl", "libpthread", "liblzma", "libdevmapper", "libudev", "libselinux", "libpcre2-8"],
	...["libpopt", "libisomd5", "libcap", "libgcc_s", "libsystemd", "libblkid"],
]);
/** And of those whose version comes first: `libc-2.31.so`, `ld-linux-x86-64.so.2`. */
const VERSIONED_LIBRARIES = ["libc-", "ld-"];

const COMPILED = indexed(PATTERNS);
const LIBRARY_PLACES = new Set(LIBRARY_DIRECTORIES);

/**
 * Whether the checks will probably ask for the content of the file at `path` (no leading slash), which is then kept while its layer passes.
 * Takes time linear in the path.
 */
export function isExpectedPath(path: ByteString): boolean {
	const components = path.split("/");
	const known = COMPILED.get(keyOf(components));
	if (known?.some((pattern) => pattern.every((component, i) => matches(component, components[i] ?? "")))) return true;
	const name = components.at(-1) ?? "";
	return isLibrary(name) && [-1, -2].some((end) => LIBRARY_PLACES.has(components.slice(0, end).join("/")));
}

function isLibrary(name: ByteString): boolean {
	const end = name.indexOf(".so");
	return end >= 0 && (LIBRARIES.has(name.slice(0, end)) || VERSIONED_LIBRARIES.some((start) => name.startsWith(start)));
}

/** Patterns by what most paths differ in. */
function indexed(patterns: readonly string[]): ReadonlyMap<string, readonly (readonly Component[])[]> {
	const index = new Map<string, (readonly Component[])[]>();
	for (const pattern of patterns) {
		const components = pattern.split("/");
		const key = keyOf(components);
		index.set(key, [...(index.get(key) ?? []), components.map(compile)]);
	}
	return index;
}

function withoutSlash(path: string): string {
	return path.slice(1);
}

/** No pattern has a `*` in the first component. */
function keyOf(components: readonly string[]): string {
	return `${components.length} ${components[0]}`;
}

function compile(text: string): Component {
	const star = text.indexOf("*");
	return star < 0 ? { start: text, end: undefined } : { start: text.slice(0, star), end: text.slice(star + 1) };
}

function matches({ start, end }: Component, name: ByteString): boolean {
	if (end === undefined) return name === start;
	return name.length > start.length + end.length && name.startsWith(start) && name.endsWith(end);
}

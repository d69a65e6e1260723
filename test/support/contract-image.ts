import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { noise } from "./noise.ts";
import { type TarMember, tarArchive } from "./tar-fixtures.ts";

/** GRUB's BIOS directory of this machine, which the image borrows. */
export const HOST_GRUB = "/usr/lib/grub/i386-pc";

/** Modules that a live ISO uses. What they depend on is a fifth of GRUB's directory. */
const MODULES = ["biosdisk", "part_gpt", "iso9660", "normal", "configfile", "linux", "gzio", "search", "search_label"];

/** By name, what of GRUB's directory of this machine a small image has. */
function hostGrub(): Readonly<Record<string, Uint8Array>> {
	const lines = readFileSync(join(HOST_GRUB, "moddep.lst"), "utf8").split("\n");
	const needed = new Map(lines.map((line) => [line.split(":")[0] ?? "", line.split(/[: ]+/).slice(1)]));
	const wanted = new Set(MODULES);
	for (const name of wanted) for (const other of needed.get(name) ?? []) if (other !== "") wanted.add(other);
	const names = readdirSync(HOST_GRUB).filter((name) =>
		name.endsWith(".mod") ? wanted.has(name.slice(0, -4)) : /\.(lst|img)$/.test(name),
	);
	return Object.fromEntries(names.map((name) => [name, readFileSync(join(HOST_GRUB, name))]));
}

/**
 * Layers of an image that fulfils the contract and can be converted with `--tools builtin`, in well under a second. GRUB is real unless given, kernel and
 * EFI programs (`efi` in their names) are noise: it does not boot. Bottom first.
 */
export function contractLayers(
	grub: Readonly<Record<string, Uint8Array>> = hostGrub(),
	efi: "x64" | "aa64" = "x64",
): Buffer[] {
	const file = (path: string, content: Uint8Array | string): TarMember => ({
		type: "file",
		path,
		content: Buffer.from(content),
	});
	return [
		tarArchive([
			file("etc/os-release", "ID=test\nNAME=Test\nVERSION_ID=1\n"),
			file("usr/share/grub/unicode.pf2", noise(2000, "font")),
			...Object.entries(grub).map(([name, content]) => file(`usr/lib/grub/i386-pc/${name}`, content)),
		]),
		tarArchive([
			file("usr/lib/modules/1.0/vmlinuz", noise(60_000, "kernel")),
			file("usr/lib/modules/1.0/initramfs.img", noise(90_000, "initramfs")),
		]),
		tarArchive([
			{ type: "directory", path: "usr/lib/efi/shim/1/EFI/test/" },
			...[`shim${efi}.efi`, `mm${efi}.efi`, `gcd${efi}.efi`].map((name) =>
				file(`boot/efi/EFI/test/${name}`, noise(20_000, name)),
			),
		]),
	];
}

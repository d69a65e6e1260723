import { type ByteString, displayName } from "../../binary/byte-string.ts";
import type { PeImage } from "../../formats/pe/pe-image.ts";
import type { FileInode } from "../../tree/inode.ts";
import { type BootFile, type MenuPlace, withMenus } from "../boot-files.ts";
import { ISO_PATHS } from "../iso-paths.ts";
import { walkGrubEfi } from "./model/efi-walk.ts";
import { componentsOf, fileSystemOf, type GrubFileSystem, type GrubStart, grubMedium } from "./model/medium.ts";
import type { GrubWalk } from "./model/walk.ts";

const MAX_DEPTH = 8;
const MAX_PATH_CHARACTERS = 200;
const MAX_CANDIDATES = 8;
/** Files of the ISO that are no boot files; what is in them is of no use to GRUB. */
const OTHER_FILES = [ISO_PATHS.rootFs, ISO_PATHS.efiImage, ISO_PATHS.coreImage];

interface PlannedMedium {
	readonly label: ByteString;
	/** With the menus at their standard places. */
	readonly files: readonly BootFile[];
	/** Of GRUB's program on the EFI system partition: `/EFI/BOOT`. */
	readonly grubDirectory: ByteString;
	read(file: FileInode): Promise<Uint8Array>;
}

interface FoundMenuPlaces {
	/** Beyond the standard ones. */
	readonly extra: readonly MenuPlace[];
	readonly walks: Readonly<Record<GrubStart, GrubWalk>>;
}

/**
 * Where this GRUB looks for its menu besides the standard places, found by walking: what it asks for in vain is tried, one path after the
 * other, until it comes to the menu from a CD and from a disk. `walks` are those of the medium with all places.
 */
export async function findMenuPlaces(grub: PeImage, planned: PlannedMedium): Promise<FoundMenuPlaces> {
	let extra: readonly MenuPlace[] = [];
	const walk = (start: GrubStart, places: readonly MenuPlace[]): Promise<GrubWalk> => {
		const { iso, esp } = plannedFileSystems(withMenus(planned.files, places), planned);
		return walkGrubEfi(grub, grubMedium(start, iso, esp, planned.grubDirectory));
	};
	for (const start of ["cd", "usb"] as const) {
		const first = await walk(start, extra);
		if (first.kind !== "no menu") continue;
		for (const path of first.missing.slice(0, MAX_CANDIDATES)) {
			const place = placeFor(path, withMenus(planned.files, extra), planned);
			if (place === undefined || (await walk(start, [...extra, place])).kind !== "menu") continue;
			extra = [...extra, place];
			break;
		}
	}
	return { extra, walks: { cd: await walk("cd", extra), usb: await walk("usb", extra) } };
}

/** The path on both file systems, where there is room for it. */
function placeFor(missing: ByteString, files: readonly BootFile[], planned: PlannedMedium): MenuPlace | undefined {
	const names = componentsOf(missing.slice(missing.indexOf(")") + 1));
	const path = names.join("/");
	if (!/^\((cd|hd)0/.test(missing) || path.length > MAX_PATH_CHARACTERS || names.length > MAX_DEPTH) return undefined;
	// What every reader of FAT and ISO 9660 takes.
	if (!names.every((name) => /^[A-Za-z0-9_][A-Za-z0-9._+-]*$/.test(name) && !name.endsWith("."))) return undefined;
	const { iso, esp } = plannedFileSystems(files, planned);
	const isFree = (system: GrubFileSystem): boolean =>
		system.find(path) === undefined &&
		names.every((_, depth) => system.find(names.slice(0, depth).join("/"))?.type !== "file");
	const place = {
		iso: isFree(iso) ? path : undefined,
		esp: isFree(esp) ? inKnownCase(names, files) : undefined,
	};
	return place.iso === undefined && place.esp === undefined ? undefined : place;
}

/** On FAT, a directory that is there with other letters is the same. */
function inKnownCase(names: readonly ByteString[], files: readonly BootFile[]): ByteString {
	const directories = new Map<string, ByteString>();
	for (const { esp } of files) {
		const known = esp === undefined ? [] : componentsOf(esp);
		for (let depth = 1; depth < known.length; depth++)
			directories.set(known.slice(0, depth).join("/").toUpperCase(), known[depth - 1] ?? "");
	}
	return names
		.map(
			(name, depth) =>
				directories.get(
					names
						.slice(0, depth + 1)
						.join("/")
						.toUpperCase(),
				) ?? name,
		)
		.join("/");
}

/** What GRUB will find on the ISO and on its EFI system partition. */
export function plannedFileSystems(
	files: readonly BootFile[],
	{ label, read }: Pick<PlannedMedium, "label" | "read">,
): Readonly<Record<"iso" | "esp", GrubFileSystem>> {
	const nodes = (side: "iso" | "esp") =>
		files.flatMap((file) => {
			const path = file[side];
			if (path === undefined) return [];
			const { content } = file;
			if (content.kind === "image")
				return [[path, { byteLength: content.file.inode.byteLength, read: () => read(content.file.inode) }] as const];
			return [content.kind === "rootfs" ? useless(path) : made(path, content.bytes)];
		});
	const made = (path: ByteString, bytes: Uint8Array) =>
		[path, { byteLength: bytes.byteLength, read: () => Promise.resolve(bytes) }] as const;
	const useless = (path: ByteString) => made(path, new Uint8Array(1));
	return {
		iso: fileSystemOf("iso9660", label, [...nodes("iso"), ...OTHER_FILES.map(useless)]),
		esp: fileSystemOf("fat", undefined, nodes("esp")),
	};
}

/** For people: `/EFI/fedora/grub.cfg`. */
export function describePlace({ iso, esp }: MenuPlace): string {
	const path = `/${displayName(iso ?? esp ?? "")}`;
	return iso === undefined ? `${path} of the EFI image` : esp === undefined ? `${path} of the ISO` : path;
}

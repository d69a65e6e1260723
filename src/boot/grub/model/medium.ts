import type { ByteString } from "../../../binary/byte-string.ts";
import type { FatReadDirectory, FatReadFile } from "../../../formats/fat/read-fat.ts";

/** A file or directory as GRUB finds it. */
export type GrubNode =
	| { readonly type: "directory" }
	| { readonly type: "file"; readonly byteLength: number; read(): Promise<Uint8Array> };

/** What GRUB finds on a disk, a partition or its memory disk. */
export interface GrubFileSystem {
	/** The module that reads it. */
	readonly module: "iso9660" | "fat" | "squash4" | "tar";
	readonly label: ByteString | undefined;
	/** The node at an absolute path; components are separated by any number of slashes. */
	find(path: ByteString): GrubNode | undefined;
}

export interface GrubDevice {
	/** Without parentheses: `cd0`, `hd0`, `hd0,gpt2`. */
	readonly name: string;
	readonly fileSystem: GrubFileSystem;
}

/** What a started GRUB can see, in the order in which it searches, and where it was started from. */
export interface GrubMedium {
	readonly devices: readonly GrubDevice[];
	/** One of the devices, or one without a file system. */
	readonly bootDevice: string;
	/** Directory of GRUB's own program there: `/EFI/BOOT`. */
	readonly bootDirectory: ByteString;
}

export type GrubStart = "cd" | "usb";

/**
 * The medium as GRUB for EFI sees it. From a CD its device is the whole disc, although firmware started it from the EFI image; from a
 * disk it is the EFI system partition.
 */
export function grubMedium(
	start: GrubStart,
	iso: GrubFileSystem,
	esp: GrubFileSystem,
	bootDirectory: ByteString,
): GrubMedium {
	const disk = start === "cd" ? "cd0" : "hd0";
	return {
		devices: [
			{ name: disk, fileSystem: iso },
			{ name: `${disk},gpt2`, fileSystem: esp },
			{ name: `${disk},gpt1`, fileSystem: iso },
		],
		bootDevice: start === "cd" ? disk : `${disk},gpt2`,
		bootDirectory,
	};
}

/**
 * The medium as GRUB for BIOS sees it: the whole disk, whose number firmware gave it (a CD's is 0xe0, from hd0 on), and on a disk the partition with the
 * same volume.
 */
export function grubBiosMedium(
	start: GrubStart,
	iso: GrubFileSystem,
	partition: GrubFileSystem | undefined,
): GrubMedium {
	const [bootDevice, names] = start === "cd" ? ["hd96", ["cd", "hd96"]] : ["hd0", ["hd0"]];
	return {
		devices: [
			...names.map((name) => ({ name, fileSystem: iso })),
			...(partition === undefined ? [] : [{ name: "hd0,gpt1", fileSystem: partition }]),
		],
		bootDevice,
		bootDirectory: "",
	};
}

/** A file system that is known by its files, with the directories above them. Paths have no leading slash. */
export function fileSystemOf(
	module: GrubFileSystem["module"],
	label: ByteString | undefined,
	files: Iterable<readonly [path: ByteString, file: Omit<Extract<GrubNode, { type: "file" }>, "type">]>,
): GrubFileSystem {
	// FAT's names have no case.
	const key = (path: ByteString): string => {
		const plain = componentsOf(path).join("/");
		return module === "fat" ? plain.toUpperCase() : plain;
	};
	const nodes = new Map<ByteString, GrubNode>([["", { type: "directory" }]]);
	for (const [path, { byteLength, read }] of files) {
		const names = componentsOf(path);
		for (let depth = 1; depth < names.length; depth++)
			nodes.set(key(names.slice(0, depth).join("/")), { type: "directory" });
		nodes.set(key(path), { type: "file", byteLength, read });
	}
	return { module, label, find: (path) => nodes.get(key(path)) };
}

export function fatFileSystem(root: FatReadDirectory): GrubFileSystem {
	const listings = new Map<FatReadDirectory, ReadonlyMap<string, FatReadDirectory | FatReadFile>>();
	const listing = (directory: FatReadDirectory) => {
		const known = listings.get(directory);
		const entries = known ?? new Map([...directory.entries].map(([name, node]) => [name.toUpperCase(), node]));
		if (known === undefined) listings.set(directory, entries);
		return entries;
	};
	return {
		module: "fat",
		// A label that only the boot sector has is none to GRUB.
		label: undefined,
		find(path) {
			let node: FatReadDirectory | FatReadFile | undefined = root;
			for (const name of componentsOf(path))
				node = node?.kind === "directory" ? listing(node).get(name.toUpperCase()) : undefined;
			if (node?.kind !== "file") return node && { type: "directory" };
			const file = node;
			return { type: "file", byteLength: file.byteLength, read: () => file.read() };
		},
	};
}

export function componentsOf(path: ByteString): ByteString[] {
	return path.split("/").filter((name) => name !== "" && name !== ".");
}

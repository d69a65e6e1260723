import { type ByteString, byteStringFromText, compareByteStrings } from "../binary/byte-string.ts";
import { loaderPackages } from "../boot/loader-packages.ts";
import type { Machine } from "../boot/machines.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { DirectoryInode } from "../tree/inode.ts";
import type { FoundFile, OsRelease } from "./contract.ts";
import { findDirectory, findFile, findFirstFile, namesIn } from "./image-files.ts";
import { compareVersions } from "./version-order.ts";

/** One vendor's directory of EFI programs, or a distribution's packages, which have none. */
export interface EfiDirectory {
	/** Where it is, less the vendor. */
	readonly place: ByteString;
	readonly path: ByteString;
	readonly vendor: ByteString;
	/** Candidates of each file, by its name in the contract, where that is not its name here. */
	readonly aliases?: Readonly<Record<string, readonly ByteString[]>> | undefined;
}

/** The one the contract names. */
const CONTRACT_PLACE = "/boot/efi/EFI";
const BOOTUPD_PLACE = "/usr/lib/bootupd/updates/EFI";
/** Components, each with VERSION/EFI/VENDOR below: what the packages shim and grub2 of Fedora 44 and later install. */
const PACKAGES = "/usr/lib/efi";
/** A deployment's own copy, and a system partition that is mounted at /efi. */
const OTHER_PLACES = ["/usr/lib/ostree-boot/efi/EFI", "/efi/EFI"];
/** Names that are looked at in all, whatever links make of them. */
const MAX_LOOKS = 16_384;

/**
 * Where images keep EFI boot loaders. Every directory is looked at once, and a directory that many links lead to is read once: what it costs is bounded
 * by the size of the image and by `MAX_LOOKS`, whatever there are of vendors and versions.
 */
export class EfiPlaces {
	/** Not all directories were looked at. */
	isCut = false;
	readonly all: EfiDirectory[] = [];
	#looks = 0;
	readonly #tree: ImageTree;
	readonly #wanted: ByteString | undefined;
	readonly #names = new Map<DirectoryInode, readonly ByteString[]>();
	readonly #byLowerCase = new Map<DirectoryInode, ReadonlyMap<string, ByteString>>();

	constructor(tree: ImageTree, wanted: ByteString | undefined) {
		this.#tree = tree;
		this.#wanted = wanted;
	}

	/** The contract's place. */
	contract(): readonly EfiDirectory[] {
		return this.#added(() => this.#addVendors(CONTRACT_PLACE));
	}

	/** What names the vendor before that, as the reference looks for it: bootupd's directories, and those of shim's packages. */
	named(): readonly EfiDirectory[] {
		return this.#added(() => {
			this.#addVendors(BOOTUPD_PLACE);
			this.#addVersions("shim");
		});
	}

	/** The rest, in the order in which they count. */
	addOthers(osRelease: OsRelease, machine: Machine): void {
		for (const component of this.#list(PACKAGES)) {
			if (this.isCut) break;
			if (component !== "shim") this.#addVersions(component);
		}
		for (const place of OTHER_PLACES) this.#addVendors(place);
		for (const { place, vendorOf, paths: aliases } of loaderPackages(machine)) {
			const vendor = byteStringFromText(vendorOf(osRelease.id));
			if (this.#wanted !== undefined && !isOf({ vendor }, this.#wanted)) continue;
			if (Object.values(aliases).some((paths) => findFirstFile(this.#tree, paths) !== undefined))
				this.all.push({ place, path: place, vendor, aliases });
		}
	}

	/** The vendors of some directories, each once, in their order; names that differ only in case are one. */
	vendors(directories: readonly EfiDirectory[]): ByteString[] {
		const byLowerCase = new Map<string, ByteString>();
		for (const { vendor } of directories) {
			const key = vendor.toLowerCase();
			if (!byLowerCase.has(key)) byLowerCase.set(key, vendor);
		}
		return [...byLowerCase.values()];
	}

	/** A regular file with content, its name in any case, as FAT takes it. */
	file(directory: EfiDirectory, name: string): FoundFile | undefined {
		const aliases = directory.aliases;
		if (aliases !== undefined) return findFirstFile(this.#tree, aliases[name] ?? []);
		const exact = findFile(this.#tree, `${directory.path}/${name}`);
		if (exact !== undefined) return exact;
		const own = this.#lowerCase(directory.path)?.get(name);
		return own === undefined ? undefined : findFile(this.#tree, `${directory.path}/${own}`);
	}

	#added(add: () => void): readonly EfiDirectory[] {
		const before = this.all.length;
		add();
		return this.all.slice(before);
	}

	#addVersions(component: ByteString): void {
		for (const version of this.#list(`${PACKAGES}/${component}`)) {
			if (this.isCut) return;
			this.#addVendors(`${PACKAGES}/${component}/${version}/EFI`);
		}
	}

	#addVendors(place: ByteString): void {
		for (const vendor of this.#list(place)) {
			if (!this.#mayLook()) return;
			if (vendor.toUpperCase() === "BOOT" || (this.#wanted !== undefined && !isOf({ vendor }, this.#wanted))) continue;
			const path = `${place}/${vendor}`;
			if (findDirectory(this.#tree, path) !== undefined) this.all.push({ place, path, vendor });
		}
	}

	#mayLook(): boolean {
		this.isCut ||= this.#looks++ === MAX_LOOKS;
		return !this.isCut;
	}

	/** Names in a directory, versions with the newest first, others in byte order. */
	#list(path: ByteString): readonly ByteString[] {
		if (!this.#mayLook()) return [];
		const directory = findDirectory(this.#tree, path);
		if (directory === undefined) return [];
		const known = this.#names.get(directory.inode);
		if (known !== undefined) return known;
		const isVersions = path.startsWith(`${PACKAGES}/`) && path.split("/").length === PACKAGES.split("/").length + 1;
		const names = namesIn(directory);
		if (isVersions) names.sort((a, b) => compareVersions(b, a) || compareByteStrings(a, b));
		this.#names.set(directory.inode, names);
		return names;
	}

	#lowerCase(path: ByteString): ReadonlyMap<string, ByteString> | undefined {
		const inode = findDirectory(this.#tree, path)?.inode;
		if (inode === undefined) return undefined;
		const known = this.#byLowerCase.get(inode);
		if (known !== undefined) return known;
		const names = new Map([...inode.entries.keys()].map((name) => [name.toLowerCase(), name]));
		this.#byLowerCase.set(inode, names);
		return names;
	}
}

/** FAT does not tell upper from lower case. */
export function isOf({ vendor }: Pick<EfiDirectory, "vendor">, name: ByteString): boolean {
	return vendor.toLowerCase() === name.toLowerCase();
}

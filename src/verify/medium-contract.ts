import { type ByteString, utf8TextOf } from "../binary/byte-string.ts";
import { furtherKernelPaths, ISO_PATHS, loaderPaths } from "../boot/iso-paths.ts";
import type { LiveSupport } from "../boot/live-root/live-support.ts";
import type { Contract } from "../contract/contract.ts";
import { EfiPlaces } from "../contract/efi-places.ts";
import { findDirectory, namesIn } from "../contract/image-files.ts";
import { MODULE_DIRECTORIES } from "../contract/kernel.ts";
import { type LoaderParts, readContract } from "../contract/read-contract.ts";
import { corrupt, Oci2isoError } from "../errors.ts";
import { findNode, type Volume } from "../formats/iso9660/volume.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { FileInode } from "../tree/inode.ts";
import { digestOfStream } from "./content-digest.ts";
import { bootLoaderOn, fileAt, machineOn, nodesOf } from "./medium-files.ts";
import type { MediumContents } from "./medium-tree.ts";

const MAX_TRIES = 256;

/** Digests of sections of unified kernel images, which are in no layer as files. */
export class PartDigests {
	readonly #digests = new Map<string, string>();

	get(file: FileInode): string | undefined {
		return this.#digests.get(placeOf(file));
	}

	/** Reads those that a contract names. Rejects as `tree.stream`. */
	async add({ kernel, furtherKernels }: Contract, tree: ImageTree): Promise<void> {
		for (const { vmlinuz, initramfs } of [kernel, ...furtherKernels])
			for (const { inode } of [vmlinuz, initramfs])
				if (inode.part !== undefined && this.get(inode) === undefined)
					this.#digests.set(placeOf(inode), await digestOfStream(tree, inode));
	}
}

interface ContractSearch {
	/** Of the medium's image, with its boot loaders. */
	readonly tree: ImageTree;
	digestOf(file: FileInode): string | undefined;
	readonly parts: PartDigests;
	readonly volume: Volume;
	readonly contents: Pick<MediumContents, "digests">;
	/** Boot loaders that are another image's. */
	readonly loaders: LoaderParts | undefined;
	readonly support: LiveSupport | undefined;
	/** Whether a directory of kernels is a further system's. */
	isOfAlso(version: ByteString): boolean;
}

/**
 * The contract as the build read it: with the kernel and the vendor whose files are on the medium, or where none are, the first that can be read. Throws `Oci2isoError`
 * NOT_REGENERATED (exit 5) where there is none.
 */
export async function findContract({
	tree,
	digestOf,
	parts,
	volume,
	contents,
	loaders,
	support,
	isOfAlso,
}: ContractSearch): Promise<Contract> {
	const label = utf8TextOf(volume.primary.volumeIdentifier);
	const machine = machineOn(volume.root);
	const bootloader = bootLoaderOn(volume.root);
	const paths = loaderPaths(machine);
	const fits = ({ kernel, efi }: Contract): boolean =>
		(
			[
				[ISO_PATHS.kernel, kernel.vmlinuz],
				[ISO_PATHS.initramfs, kernel.initramfs],
				[paths.loader, efi.shim],
				[paths.grub, efi.secondStage],
			] as const
		).every(([path, { inode }]) => contents.digests.get(path) === digestOf(inode));
	const versions = new Set(MODULE_DIRECTORIES.flatMap((path) => textNamesIn(tree, path)));
	const further = furtherVersions(volume).filter((version) => !isOfAlso(version));
	const devicetree = deviceTreesOn(volume);
	const kernels =
		further.length === 0
			? [undefined, ...versions]
			: [...versions].filter((version) => !further.includes(version)).map((first) => [first, ...further].join(","));
	const places = new EfiPlaces(tree, undefined);
	const named = loaders === undefined ? [...places.contract(), ...places.named()] : [];
	const vendors = [undefined, ...places.vendors(named).flatMap((name) => utf8TextOf(name) ?? [])];
	let first: Contract | undefined;
	let failure: unknown;
	let tries = 0;
	for (const vendor of vendors)
		for (const kernel of kernels) {
			if (++tries > MAX_TRIES) break;
			try {
				const options = { architecture: machine.ociArchitecture, label, kernel, devicetree, vendor, bootloader };
				const asked = { ...options, liveSupportOf: async () => support };
				const contract = await readContract(tree, asked, loaders);
				await parts.add(contract, tree);
				if (fits(contract)) return contract;
				first ??= contract;
			} catch (error) {
				if (!(error instanceof Oci2isoError)) throw error;
				failure ??= error;
			}
		}
	if (first !== undefined) return first;
	const { what = "", problems = [] } = failure instanceof Oci2isoError ? failure : {};
	throw corrupt(
		"NOT_REGENERATED",
		`what the image says about its ISO cannot be read: ${[what, ...problems.map((problem) => problem.what)].join("; ")}`,
		undefined,
		"an image that fulfils the contract, with the --buildroot that boot loaders came from",
	);
}

const placeOf = ({ layer, entry, byteLength, part }: FileInode): string =>
	[layer, entry, part?.offset, byteLength].join(" ");

/** Of kernels beside the first one, by their directories. */
function furtherVersions({ root }: Volume): string[] {
	const node = findNode(root, ISO_PATHS.kernelDirectory);
	const names = node?.type === "directory" ? [...node.entries.keys()] : [];
	const isThere = (version: ByteString): boolean => fileAt(root, furtherKernelPaths(version).kernel) !== undefined;
	return names.filter(isThere).flatMap((version) => utf8TextOf(version) ?? []);
}

/** By their names below the directory of them. */
function deviceTreesOn({ root }: Volume): string[] {
	const node = findNode(root, ISO_PATHS.deviceTreeDirectory);
	if (node?.type !== "directory") return [];
	const names = [...nodesOf(node)].filter(([path, { type }]) => type === "file" && path.endsWith(".dtb"));
	return names.flatMap(([path]) => utf8TextOf(path) ?? []);
}

function textNamesIn(tree: ImageTree, path: string): string[] {
	return namesIn(findDirectory(tree, path)).flatMap((name) => utf8TextOf(name) ?? []);
}

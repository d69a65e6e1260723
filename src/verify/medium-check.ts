import type { ByteSource } from "../binary/byte-source.ts";
import { type ByteString, displayName, utf8TextOf } from "../binary/byte-string.ts";
import { ISO_BLOCK_BYTES, MiB } from "../binary/units.ts";
import { alsoFiles } from "../boot/also-files.ts";
import { type BootFile, bootFiles } from "../boot/boot-files.ts";
import type { BootLoader } from "../boot/boot-loader.ts";
import { DECOMPRESSOR_FILLED_BYTES, DECOMPRESSOR_OFFSET, decompressorHead } from "../boot/grub/core-layout.ts";
import { buildElToritoCore, CORE_IMAGE } from "../boot/grub/made/core-image/build-core.ts";
import { grubFileReader } from "../boot/grub/made/image-reader.ts";
import { decompressGrubCore } from "../boot/grub/model/modules.ts";
import { placeMenus } from "../boot/grub/place-menus.ts";
import { furtherKernelPaths, ISO_PATHS, loaderPaths } from "../boot/iso-paths.ts";
import type { LiveSupport } from "../boot/live-root/live-support.ts";
import { withAlso } from "../contract/also.ts";
import type { Contract, GrubModules } from "../contract/contract.ts";
import { EfiPlaces } from "../contract/efi-places.ts";
import { findDirectory, namesIn } from "../contract/image-files.ts";
import { MODULE_DIRECTORIES } from "../contract/kernel.ts";
import { type LoaderParts, readContract } from "../contract/read-contract.ts";
import { corrupt, Oci2isoError, throwIfAborted } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import type { FatVolume } from "../formats/fat/read-fat.ts";
import type { DiskGuids } from "../formats/gpt/disk-layout.ts";
import type { GptHeader, GptPartition } from "../formats/gpt/gpt.ts";
import { decodeMbr, hybridMbr } from "../formats/gpt/mbr.ts";
import { findNode, type Volume } from "../formats/iso9660/volume.ts";
import { APPLICATION_USE_BYTES, decodeApplicationUse } from "../formats/isomd5/application-use.ts";
import { APPLICATION_USE_OFFSET } from "../formats/isomd5/media-checksum.ts";
import { buildEsp } from "../medium/esp.ts";
import type { FurtherImage } from "../medium/further-image.ts";
import { endOfImages, layOutIso, SQUASHFS_BLOCK } from "../medium/iso-layout.ts";
import { frontPieces, restPieces } from "../medium/write-iso.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { DirectoryInode, FileInode } from "../tree/inode.ts";
import { type AlsoOnMedium, findAlso, requireImages, systemNameAt } from "./also-on-medium.ts";
import { Comparison } from "./comparison.ts";
import { ContentDigest, digestOfStream } from "./content-digest.ts";
import { supportAt } from "./live-root-check.ts";
import { bootLoaderOn, fileAt, machineOn, nodesOf, readVolumeFile } from "./medium-files.ts";
import { type MediumContents, mediumTree } from "./medium-tree.ts";
import { payloadFilesOn } from "./payload-check.ts";

const MAX_DISC_INFO_BYTES = 4096;
const OWN_PREPARER = "OCI2ISO-";
const MAX_CORE_BYTES = 16 * MiB;
const MAX_TRIES = 256;

/** What the medium says about itself that nothing else decides, beside the label. */
interface MediumFacts {
	readonly source: ByteSource;
	readonly volume: Volume;
	readonly gpt: { readonly partitions: readonly GptPartition[]; readonly backup: GptHeader };
	readonly esp: FatVolume;
	readonly contents: MediumContents;
	/** Which have contents in common with the root file system. */
	readonly furtherImages: readonly FurtherImage[];
	/** Of the root file system. */
	checkMarks(epochSeconds: number, findings: Findings): void;
}

/** Boot loaders of another image than the medium's. `isThem` says whether a shim and what it starts are those of the medium. */
export type ReadLoaders = (
	isThem: (shim: Uint8Array, grub: Uint8Array) => boolean,
	bootLoader: BootLoader,
) => Promise<{
	readonly parts: LoaderParts;
	over(tree: ImageTree): ImageTree;
	/** Of its files alone. */
	digestOf(file: FileInode): string | undefined;
}>;

/** An image's tree before anything was left out, and a digest for each content. */
interface ImageOfMedium {
	readonly root: DirectoryInode;
	digestOf(file: FileInode): string | undefined;
	/** Where boot loaders come from, if not from the image; asked with what tells which of several vendors' they are. */
	readonly readLoaders?: ReadLoaders | undefined;
	/** Further systems of the medium, in their order. */
	readonly also?: readonly AlsoOnMedium[] | undefined;
}

/**
 * Every byte of the medium is accounted for: what the image has is the image's, what a rule makes is made again and compared, and the rest is zero; the
 * squashfs has checks of its own. The label, the kernels, the vendor, the time and the ids are taken from the medium.
 */
export async function checkMedium(
	facts: MediumFacts,
	given: ImageOfMedium,
	findings: Findings,
	signal?: AbortSignal,
): Promise<void> {
	const { source, volume, contents } = facts;
	const paths = loaderPaths(machineOn(volume.root));
	const isAt = (path: ByteString, bytes: Uint8Array): boolean => contents.digests.get(path) === digestOf(bytes);
	const loaders = await given.readLoaders?.(
		(shim, grub) => isAt(paths.loader, shim) && isAt(paths.grub, grub),
		bootLoaderOn(volume.root),
	);
	const parts = new Map<string, string>();
	const ofAlso = new Map<FileInode, string>();
	const image: ImageOfMedium = {
		root: given.root,
		digestOf: (file) =>
			ofAlso.get(file) ??
			(file.part === undefined ? (loaders?.digestOf(file) ?? given.digestOf(file)) : parts.get(placeOf(file))),
	};
	const ownTree = mediumTree(image.root, image.digestOf, contents, signal);
	const firstTree = loaders?.over(ownTree) ?? ownTree;
	const { preparerIdentifier: preparer, createdAtSeconds: epochSeconds = 0 } = volume.primary;
	const isOwn = preparer.startsWith(OWN_PREPARER);
	// Other programs know of dmsquash-live only.
	const support = isOwn
		? await supportAt({ source, medium: source, firstBlock: 0, root: volume.root }, ISO_PATHS.initramfs)
		: undefined;
	const digestParts = (contract: Contract): Promise<void> => digestPartsOf(contract, firstTree, parts);
	const roots = facts.furtherImages.filter(({ path }) => path !== ISO_PATHS.store);
	const names = roots.map(({ path }) => systemNameAt(path));
	const isOfAlso = (version: ByteString): boolean => names.includes(displayName(version));
	const own = await findContract(firstTree, image, volume, contents, loaders?.parts, support, digestParts, isOfAlso);
	requireImages(roots, given.also ?? [], findings);
	const also = await findAlso(facts, own, given.also ?? [], signal);
	for (const [file, digest] of also.digests) ofAlso.set(file, digest);
	const tree = also.over(firstTree);
	const contract = withAlso(own, also.systems);
	const ofImage = [contract.efi.shim, contract.efi.secondStage].map(({ inode }) => image.digestOf(inode));
	if (
		given.readLoaders === undefined &&
		[paths.loader, paths.grub].every((path, i) => contents.digests.get(path) !== ofImage[i])
	)
		findings.fault(
			"neither shim nor what it starts is the image's: what follows from them differs too",
			`/${paths.loader}`,
			"the image's, or --buildroot IMAGE with the image that they came from",
		);
	const { files: placed, added } = await placeMenus(tree, contract, bootFiles(contract, epochSeconds));
	const ofOthers = await alsoFiles(own, also.systems, async (file) => image.digestOf(file) ?? "");
	const files = [...placed, ...ofOthers];
	// Other programs' media have what the contract has.
	const beyond = new Set(isOwn ? [] : added.map(({ iso }) => iso?.slice(1)));
	const isThere = (path: ByteString): boolean => contents.digests.has(path) || contents.rootPaths.has(path);
	const present = (isOwn ? files : await withTimeOfMedium(files, source, volume)).filter(
		({ iso }) => iso === undefined || isThere(iso) || !beyond.has(iso),
	);
	const otherFiles = payloadFilesOn(source, volume.root);
	// Neither the image has them nor are they menus: made from the others, and compared with them elsewhere.
	const made = [
		ISO_PATHS.squashfs,
		...facts.furtherImages.map(({ path }) => path),
		...(contract.bootLoader === "grub2" ? [ISO_PATHS.efiImage] : []),
		...(contract.grubModules === undefined ? [] : [ISO_PATHS.coreImage]),
		...otherFiles.map(({ path }) => path),
	];
	const unknown = checkFiles(present, image, contents, { isOwn, made }, findings);
	const kernel = displayName(contract.kernel.version);
	findings.detail = `label ${contract.label}, kernel ${kernel}, boot loaders of ${displayName(contract.vendor)}`;
	const squashfs = fileAt(volume.root, ISO_PATHS.squashfs);
	const coreFile = fileAt(volume.root, ISO_PATHS.coreImage);
	const { grubModules } = contract;
	if (squashfs === undefined || (coreFile === undefined && grubModules !== undefined))
		throw corrupt("FILE_MISSING", "squashfs or core image is missing");
	const core = grubModules && coreFile && (await readVolumeFile(source, coreFile, MAX_CORE_BYTES, ISO_PATHS.coreImage));
	if (core !== undefined && grubModules !== undefined) await checkCore(core, contract.loaders, grubModules, findings);
	if (!isOwn) {
		const who = preparer === "" ? "another program" : displayName(preparer);
		findings.note(`made by ${who}: volume structures, tables and padding were not made again to be compared`);
		return;
	}
	// No checksum covers the mark itself.
	if (decodeApplicationUse(await source.read(APPLICATION_USE_OFFSET, APPLICATION_USE_BYTES))?.supported === true)
		findings.fault("it says that a distributor supports the medium", "application-use area", "RHLISOSTATUS=0");
	facts.checkMarks(epochSeconds, findings);
	const esp = await buildEsp(tree, files, facts.esp.volumeId, epochSeconds);
	const layout = layOutIso({
		label: contract.label,
		epochSeconds,
		squashfsBytes: squashfs.byteLength,
		furtherImages: facts.furtherImages,
		elToritoBytes: core?.byteLength,
		esp,
		hasEfiImage: contract.bootLoader === "grub2",
		bootFiles: files,
		otherFiles,
		guids: guidsOf(facts),
		preparer,
	});
	const comparison = new Comparison(source, layout, unknown, findings);
	comparison.skip(
		SQUASHFS_BLOCK * ISO_BLOCK_BYTES,
		endOfImages({ squashfsBytes: squashfs.byteLength, furtherImages: facts.furtherImages }),
	);
	const bootHybrid = grubModules && (await tree.read(grubModules.bootHybrid.inode, hybridMbr.byteLength));
	const mbr = decodeMbr(await source.read(0, hybridMbr.byteLength));
	for (const piece of frontPieces(layout, bootHybrid, mbr)) await comparison.compare(piece);
	// their blobs have digests of their own, which another check asks
	const ofPayload = [...layout.volume.files].filter(
		({ contentKey }) => layout.sources.get(contentKey)?.kind === "stream",
	);
	for (const { block, byteLength } of ofPayload) comparison.skip(block * ISO_BLOCK_BYTES, byteLength);
	const sources = new Map([...layout.sources].filter(([, { kind }]) => kind !== "stream"));
	for await (const piece of restPieces(
		{ ...layout, sources },
		{ tree: onMedium(tree, image, contents), esp, elToritoImage: core },
	)) {
		throwIfAborted(signal);
		await comparison.compare(piece);
	}
	await comparison.finish(signal);
	findings.detail += `; ${comparison.comparedBytes} bytes compared`;
}

/** A content that is nowhere on the medium, which was reported, is of no bytes. */
function onMedium(tree: ImageTree, image: ImageOfMedium, { files }: MediumContents): ImageTree {
	return { ...tree, stream: (file) => (files.has(image.digestOf(file) ?? "") ? tree.stream(file) : nothing()) };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** Other programs' clocks give `.discinfo` a time that the volume does not have. */
async function withTimeOfMedium(
	files: readonly BootFile[],
	source: ByteSource,
	volume: Volume,
): Promise<readonly BootFile[]> {
	const file = fileAt(volume.root, ISO_PATHS.discInfo);
	if (file === undefined || file.byteLength > MAX_DISC_INFO_BYTES) return files;
	const text = (await readVolumeFile(source, file, MAX_DISC_INFO_BYTES, ISO_PATHS.discInfo)).toString("latin1");
	const time = text.slice(0, text.indexOf("\n"));
	if (!/^\d{1,12}(\.\d{1,12})?$/.test(time)) return files;
	return files.map((each) => {
		if (each.iso !== ISO_PATHS.discInfo || each.content.kind !== "generated") return each;
		const own = Buffer.from(each.content.bytes).toString("latin1");
		return { ...each, content: { ...each.content, bytes: Buffer.from(time + own.slice(own.indexOf("\n")), "latin1") } };
	});
}

/** The contract as the build read it: with the kernel and the vendor whose files are on the medium. */
async function findContract(
	tree: ImageTree,
	image: ImageOfMedium,
	volume: Volume,
	{ digests }: MediumContents,
	loaders: LoaderParts | undefined,
	support: LiveSupport | undefined,
	digestParts: (contract: Contract) => Promise<void>,
	isOfAlso: (version: ByteString) => boolean,
): Promise<Contract> {
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
		).every(([path, { inode }]) => digests.get(path) === image.digestOf(inode));
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
				await digestParts(contract);
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

/** Digests what is in no layer as a file: sections of unified kernel images. */
async function digestPartsOf(
	{ kernel, furtherKernels }: Contract,
	tree: ImageTree,
	digests: Map<string, string>,
): Promise<void> {
	for (const { vmlinuz, initramfs } of [kernel, ...furtherKernels])
		for (const { inode } of [vmlinuz, initramfs]) {
			if (inode.part === undefined || digests.has(placeOf(inode))) continue;
			digests.set(placeOf(inode), await digestOfStream(tree, inode));
		}
}

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

/** Every file of the volume by name: the image's, by rule, or unknown. Returns the paths of those that are not as they should be. */
function checkFiles(
	files: readonly BootFile[],
	image: ImageOfMedium,
	{ digests, rootPaths }: MediumContents,
	{ isOwn, made }: { readonly isOwn: boolean; readonly made: readonly ByteString[] },
	findings: Findings,
): ReadonlySet<ByteString> {
	const wrong = new Set<ByteString>();
	const expected = new Set<ByteString>(made);
	for (const { iso, content } of files) {
		if (iso === undefined) continue;
		expected.add(iso);
		const actual = rootPaths.has(iso) ? ROOT : digests.get(iso);
		const { wanted, origin } = wantedOf(content, image);
		if (actual === wanted && actual !== undefined) continue;
		wrong.add(iso);
		findings.fault(actual === undefined ? "it is missing" : "the content differs", `/${displayName(iso)}`, origin);
	}
	for (const path of [...digests.keys(), ...rootPaths]) {
		if (expected.has(path)) continue;
		wrong.add(path);
		const what = "nobody knows what it is for: the image's contract does not ask for it";
		if (isOwn) findings.fault(what, `/${displayName(path)}`, "no such file");
		else findings.note(what, `/${displayName(path)}`);
	}
	return wrong;
}

/** Stands for the digest of the root file system. */
const ROOT = "root file system";

function wantedOf(
	content: BootFile["content"],
	image: ImageOfMedium,
): { readonly wanted: string | undefined; readonly origin: string } {
	switch (content.kind) {
		case "rootfs":
			return { wanted: ROOT, origin: `another name of /${ISO_PATHS.squashfs}` };
		case "image":
			return {
				wanted: image.digestOf(content.file.inode),
				origin: `the image's /${displayName(content.file.path).replace(/^\//, "")}`,
			};
		default:
			return { wanted: digestOf(content.bytes), origin: "what the image's settings make" };
	}
}

function digestOf(bytes: Uint8Array): string {
	const digest = new ContentDigest(bytes.byteLength);
	digest.update(bytes);
	return digest.finish().toString("hex");
}

/** GRUB's boot information table, and the block list that it is started by. */
const PATCHED = [
	[8, 64],
	[2548, DECOMPRESSOR_OFFSET],
] as const;

/** The core image is made again; where another program compressed it, what it holds is compared. */
async function checkCore(core: Buffer, tree: ImageTree, { path }: GrubModules, findings: Findings): Promise<void> {
	const read = grubFileReader(tree, path);
	const own = Buffer.from(await buildElToritoCore(read, CORE_IMAGE));
	const unpatched = (bytes: Buffer): Buffer => {
		const copy = Buffer.from(bytes);
		for (const [from, to] of PATCHED) copy.fill(0, from, to);
		return copy;
	};
	const [actual, wanted] = [unpatched(core), unpatched(own)];
	if (actual.equals(wanted)) return;
	const decompressorBytes = (await read("lzma_decompress.img", MAX_CORE_BYTES))?.byteLength ?? 0;
	const [a, b] = [actual, wanted].map((bytes) => bytes.subarray(DECOMPRESSOR_OFFSET));
	if (a === undefined || b === undefined || a.byteLength < decompressorBytes) {
		findings.fault("it is too short", `/${ISO_PATHS.coreImage}`, "GRUB's core image");
		return;
	}
	const { compressedBytes } = decompressorHead.decode(a);
	const [held, made] = [a, b].map((bytes) => decompressGrubCore(bytes, decompressorBytes));
	const isSame =
		actual.subarray(0, DECOMPRESSOR_OFFSET).equals(wanted.subarray(0, DECOMPRESSOR_OFFSET)) &&
		a
			.subarray(DECOMPRESSOR_FILLED_BYTES, decompressorBytes)
			.equals(b.subarray(DECOMPRESSOR_FILLED_BYTES, decompressorBytes)) &&
		a.byteLength === decompressorBytes + compressedBytes &&
		held !== undefined &&
		made !== undefined &&
		Buffer.compare(held, made) === 0;
	if (isSame)
		findings.note("it was compressed by another program; what it holds is the same", `/${ISO_PATHS.coreImage}`);
	else findings.fault("it is not what GRUB's files of the image make", `/${ISO_PATHS.coreImage}`, "GRUB's core image");
}

function guidsOf({ gpt: { partitions, backup } }: MediumFacts): DiskGuids {
	const [iso9660, efiSystem, padding] = partitions.map(({ partitionGuid }) => partitionGuid);
	if (iso9660 === undefined || efiSystem === undefined || padding === undefined || partitions.length !== 3)
		throw corrupt("BAD_PARTITIONS", `there are ${partitions.length} partitions`, "primary GPT", "3");
	return { disk: backup.diskGuid, iso9660, efiSystem, padding };
}

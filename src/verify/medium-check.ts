import type { ByteSource } from "../binary/byte-source.ts";
import { type ByteString, displayName } from "../binary/byte-string.ts";
import { ISO_BLOCK_BYTES } from "../binary/units.ts";
import { alsoFiles } from "../boot/also-files.ts";
import { type BootFile, bootFiles, namedApart } from "../boot/boot-files.ts";
import type { BootLoader } from "../boot/boot-loader.ts";
import { placeMenus } from "../boot/grub/place-menus.ts";
import { ISO_PATHS, loaderPaths } from "../boot/iso-paths.ts";
import { withAlso } from "../contract/also.ts";
import type { LoaderParts } from "../contract/read-contract.ts";
import { corrupt, throwIfAborted } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import type { FatVolume } from "../formats/fat/read-fat.ts";
import type { DiskGuids } from "../formats/gpt/disk-layout.ts";
import type { GptHeader, GptPartition } from "../formats/gpt/gpt.ts";
import { decodeMbr, hybridMbr } from "../formats/gpt/mbr.ts";
import type { Volume } from "../formats/iso9660/volume.ts";
import { APPLICATION_USE_BYTES, decodeApplicationUse } from "../formats/isomd5/application-use.ts";
import { APPLICATION_USE_OFFSET } from "../formats/isomd5/media-checksum.ts";
import { buildEsp } from "../medium/esp.ts";
import type { FurtherImage } from "../medium/further-image.ts";
import { endOfImages, layOutIso, ROOT_FS_BLOCK } from "../medium/iso-layout.ts";
import { frontPieces, restPieces } from "../medium/write-iso.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { DirectoryInode, FileInode } from "../tree/inode.ts";
import { type AlsoOnMedium, findAlso, requireImages, systemNameAt } from "./also-on-medium.ts";
import { checkFiles, digestOfBytes } from "./boot-files-check.ts";
import { Comparison } from "./comparison.ts";
import { checkCore, MAX_CORE_BYTES } from "./core-check.ts";
import { supportAt } from "./live-root-check.ts";
import { findContract, PartDigests } from "./medium-contract.ts";
import { bootLoaderOn, fileAt, machineOn, readVolumeFile } from "./medium-files.ts";
import { type MediumContents, mediumTree } from "./medium-tree.ts";
import { payloadFilesOn } from "./payload-check.ts";

const MAX_DISC_INFO_BYTES = 4096;
const OWN_PREPARER = "OCI2ISO-";

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
	/** What the medium has of them. */
	readonly files: ReadonlySet<FileInode>;
	/** Of these files alone. */
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
 * root file system has checks of its own. The label, the kernels, the vendor, the time and the ids are taken from the medium.
 */
export async function checkMedium(
	facts: MediumFacts,
	given: ImageOfMedium,
	findings: Findings,
	signal?: AbortSignal,
): Promise<void> {
	const { source, volume, contents } = facts;
	const paths = loaderPaths(machineOn(volume.root));
	const isAt = (path: ByteString, bytes: Uint8Array): boolean => contents.digests.get(path) === digestOfBytes(bytes);
	const loaders = await given.readLoaders?.(
		(shim, grub) => isAt(paths.loader, shim) && isAt(paths.grub, grub),
		bootLoaderOn(volume.root),
	);
	const parts = new PartDigests();
	const ofAlso = new Map<FileInode, string>();
	const image: ImageOfMedium = {
		root: given.root,
		digestOf: (file) =>
			ofAlso.get(file) ??
			(file.part === undefined ? (loaders?.digestOf(file) ?? given.digestOf(file)) : parts.get(file)),
	};
	const ownTree = mediumTree(image.root, image.digestOf, contents, signal);
	const firstTree = loaders?.over(ownTree) ?? ownTree;
	const { preparerIdentifier: preparer, createdAtSeconds: epochSeconds = 0 } = volume.primary;
	const isOwn = preparer.startsWith(OWN_PREPARER);
	// Other programs know of dmsquash-live only.
	const support = isOwn
		? await supportAt({ source, medium: source, firstBlock: 0, root: volume.root }, ISO_PATHS.initramfs)
		: undefined;
	const roots = facts.furtherImages.filter(({ path }) => path !== ISO_PATHS.store);
	const names = roots.map(({ path }) => systemNameAt(path));
	const isOfAlso = (version: ByteString): boolean => names.includes(displayName(version));
	const { digestOf } = image;
	const found = { tree: firstTree, digestOf, parts, volume, contents, loaders: loaders?.parts, support, isOfAlso };
	const own = await findContract(found);
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
	const standard = namedApart(bootFiles(contract, epochSeconds), loaders?.files ?? new Set(), "buildroot");
	const { files: placed, added } = await placeMenus(tree, contract, standard);
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
		ISO_PATHS.rootFs,
		...facts.furtherImages.map(({ path }) => path),
		...(contract.bootLoader === "grub2" ? [ISO_PATHS.efiImage] : []),
		...(contract.grubModules === undefined ? [] : [ISO_PATHS.coreImage]),
		...otherFiles.map(({ path }) => path),
	];
	const unknown = checkFiles(present, digestOf, contents, { isOwn, made }, findings);
	const kernel = displayName(contract.kernel.version);
	findings.detail = `label ${contract.label}, kernel ${kernel}, boot loaders of ${displayName(contract.vendor)}`;
	const rootFs = fileAt(volume.root, ISO_PATHS.rootFs);
	const coreFile = fileAt(volume.root, ISO_PATHS.coreImage);
	const { grubModules } = contract;
	if (rootFs === undefined || (coreFile === undefined && grubModules !== undefined))
		throw corrupt("FILE_MISSING", "root file system or core image is missing");
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
		rootFsBytes: rootFs.byteLength,
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
		ROOT_FS_BLOCK * ISO_BLOCK_BYTES,
		endOfImages({ rootFsBytes: rootFs.byteLength, furtherImages: facts.furtherImages }),
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

function guidsOf({ gpt: { partitions, backup } }: MediumFacts): DiskGuids {
	const [iso9660, efiSystem, padding] = partitions.map(({ partitionGuid }) => partitionGuid);
	if (iso9660 === undefined || efiSystem === undefined || padding === undefined || partitions.length !== 3)
		throw corrupt("BAD_PARTITIONS", `there are ${partitions.length} partitions`, "primary GPT", "3");
	return { disk: backup.diskGuid, iso9660, efiSystem, padding };
}

import { type ByteString, utf8TextOf } from "../binary/byte-string.ts";
import { MAX_EFI_BYTES } from "../boot/boot-file-limits.ts";
import { toolClosure } from "../buildroot/closure.ts";
import { CORE_TOOL_NAMES } from "../buildroot/el-torito-core.ts";
import { findExecutable } from "../buildroot/executable.ts";
import { CHECKSUM_TOOL_NAMES } from "../buildroot/media-checksum.ts";
import type { ContractOptions, FoundFile, OsRelease } from "../contract/contract.ts";
import { EfiPlaces } from "../contract/efi-places.ts";
import { readOsRelease } from "../contract/os-release.ts";
import { type LoaderParts, readLoaders } from "../contract/read-contract.ts";
import { Oci2isoError } from "../errors.ts";
import { Findings } from "../findings/findings.ts";
import { askImage, type ReadCost } from "../layers/ask-image.ts";
import type { Digest } from "../oci/digest.ts";
import type { OciImage } from "../oci/open-image.ts";
import { formatPlatform } from "../oci/platform.ts";
import type { ImageOptions } from "../options/image-options.ts";
import { openBeside } from "../options/open-beside.ts";
import { type ImageTree, readingFrom } from "../tree/image-tree.ts";
import type { FileInode } from "../tree/inode.ts";

/** Where images keep boot loaders: what is there is kept while its layer passes. */
const KEPT_PATHS =
	/^(?:(?:etc|usr\/lib)\/os-release$|usr\/(?:lib|lib64|share)\/(?:grub2?|shim[^/]*|efi|bootupd\/updates|ostree-boot\/efi|systemd\/boot\/efi)\/|boot\/(?:efi|grub2?\/fonts)\/|efi\/EFI\/)/;
const MAX_VENDORS = 256;

/** The image that boot loaders come from, where that is another than the one with the system (`--buildroot`). */
export interface LoadersImage {
	readonly reference: string;
	readonly manifestDigest: Digest;
	readonly platform: string;
	/** What was found of the contract; problems and choices name this image. */
	readonly parts: LoaderParts;
	readonly notes: readonly string[];
	readonly cost: Readonly<ReadCost>;
	/** What the ISO takes from this image. */
	readonly files: ReadonlySet<FileInode>;
	/** The tree of the system's image, which reads these files from this one. */
	over(tree: ImageTree): ImageTree;
}

interface ReadLoadersOptions {
	/** The EFI directory to take. */
	readonly vendor?: string | undefined;
	readonly bootloader?: ContractOptions["bootloader"];
	/** Takes the first vendor whose programs, whole, these are; otherwise the one without it. */
	readonly isThem?: ((shim: Uint8Array, grub: Uint8Array) => boolean) | undefined;
	/** Its tools will be looked for. */
	readonly withTools?: boolean;
	/** Whether a file will probably be read, beside boot loaders. */
	readonly isExpected?: ((path: ByteString) => boolean) | undefined;
	readonly signal?: AbortSignal | undefined;
}

/** The image with boot loaders for `image`. Throws `Oci2isoError` as `openBeside`, and BUILDROOT_ARCHITECTURE (exit 3). */
export async function openBuildroot(
	reference: string,
	image: Pick<OciImage, "reference" | "platform">,
	options: ImageOptions & { readonly manifestDigest?: Digest | undefined },
): Promise<OciImage> {
	const { architecture } = image.platform;
	try {
		const opened = await openBeside(reference, image, options, "the buildroot");
		if (opened.platform.architecture === architecture) return opened;
		await opened.close();
		throw otherArchitecture(reference, architecture, opened.platform.architecture);
	} catch (error) {
		if (!(error instanceof Oci2isoError) || error.code !== "PLATFORM_NOT_FOUND") throw error;
		throw otherArchitecture(reference, architecture, undefined, error);
	}
}

function otherArchitecture(where: string, wanted: string, own: string | undefined, cause?: Oci2isoError): Oci2isoError {
	return new Oci2isoError({
		code: "BUILDROOT_ARCHITECTURE",
		kind: "contract",
		what: own === undefined ? "the buildroot is not for the image's architecture" : `the buildroot is for ${own}`,
		where,
		expected: `an image for ${wanted}, as the one with the kernel`,
		cause,
	});
}

/** Reads of an image's layers what boot loaders are, no further down than that takes. The image has to stay open for as long as files are read. Rejects as `askImage`. */
export async function readLoadersImage(image: OciImage, options: ReadLoadersOptions): Promise<LoadersImage> {
	const { withTools = false, isExpected, signal } = options;
	const { answer, notes, cost } = await askImage(
		image.layers,
		async (tree) => {
			const parts = await chosen(tree, image, options);
			if (withTools) await askForTools(tree);
			const inodes = new Set(filesOf(parts).map(({ inode }) => inode));
			for (const inode of inodes) if (inode.byteLength <= MAX_EFI_BYTES) await tree.read(inode, MAX_EFI_BYTES);
			return { parts, inodes };
		},
		{
			limits: image.treeLimits,
			isExpected: (path) => KEPT_PATHS.test(path) || isExpected?.(path) === true,
			signal,
		},
	);
	const { parts, inodes } = answer;
	const where = (place: string | undefined): string =>
		place === undefined ? `the buildroot ${image.reference}` : `${place} in the buildroot ${image.reference}`;
	const findings = new Findings();
	for (const finding of parts.findings.list) findings.add({ ...finding, where: where(finding.where) });
	return {
		reference: image.reference,
		manifestDigest: image.manifestDigest,
		platform: formatPlatform(image.platform),
		parts: { ...parts, findings },
		notes: [...image.notes, ...notes],
		cost,
		files: inodes,
		over: (tree) => readingFrom(tree, parts.tree, inodes),
	};
}

/** Those of the vendor that was asked for, or whose programs are known. */
async function chosen(
	tree: ImageTree,
	image: OciImage,
	{ vendor, bootloader, isThem }: ReadLoadersOptions,
): Promise<LoaderParts> {
	const { architecture } = image.platform;
	const osRelease: OsRelease = await readOsRelease(tree, new Findings());
	const of = (name: string | undefined): Promise<LoaderParts> =>
		readLoaders(tree, { vendor: name, bootloader, architecture }, osRelease, new Findings());
	const first = await of(vendor);
	if (isThem === undefined) return first;
	const places = new EfiPlaces(tree, undefined);
	const named = places.vendors([...places.contract(), ...places.named()]).map(utf8TextOf);
	for (const name of [undefined, ...new Set(named)].slice(0, MAX_VENDORS)) {
		const parts = name === undefined ? first : await of(name);
		const efi = parts.boot?.efi;
		if (efi === undefined || [efi.shim, efi.secondStage].some(({ inode }) => inode.byteLength > MAX_EFI_BYTES))
			continue;
		const [shim, grub] = [
			await tree.read(efi.shim.inode, MAX_EFI_BYTES),
			await tree.read(efi.secondStage.inode, MAX_EFI_BYTES),
		];
		if (isThem(shim, grub)) return parts;
	}
	return first;
}

/** Asks what running them will ask, so that the layers are read which answer that. */
async function askForTools(tree: ImageTree): Promise<void> {
	for (const names of [CORE_TOOL_NAMES, CHECKSUM_TOOL_NAMES]) {
		const tool = findExecutable(tree, names);
		try {
			if (tool !== undefined) await toolClosure(tree, tool);
		} catch (error) {
			// whoever runs it says so
			if (!(error instanceof Oci2isoError) || error.kind !== "tool") throw error;
		}
	}
}

function filesOf({ boot, unicodeFont, grubModules }: LoaderParts): FoundFile[] {
	return [
		...(boot === undefined ? [] : [boot.efi.shim, boot.efi.mokManager, boot.efi.secondStage]),
		...(unicodeFont === undefined ? [] : [unicodeFont]),
		...(grubModules === undefined ? [] : [grubModules.bootHybrid, ...grubModules.files.map(({ file }) => file)]),
	];
}

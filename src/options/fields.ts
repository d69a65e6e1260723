import { BLOCK_BYTES_EXPECTED, isBlockBytes } from "../codec/codec-table.ts";
import { BRANCH_FILTERS, CODEC_NAMES } from "../codec/types.ts";
import { TAKEN_ALSO_NAMES } from "../contract/also-names.ts";
import { labelFault } from "../contract/label.ts";
import { parsePlatform } from "../oci/platform.ts";
import type { TransferPolicy } from "../oci/registry/retry-policy.ts";
import { CHECKSUM_ALGORITHMS } from "../output/checksums.ts";
import { ROOT_FILE_SYSTEM_NAMES } from "../rootfs/root-file-system.ts";
import { SBOM_FORMATS } from "../sbom/formats.ts";
import { SELINUX_CHOICES } from "../selinux/choice.ts";
import { PRESET_NAMES } from "./presets.ts";

// Every option of the library, said once: what it is, what it may be, and of which type. The command line has an option of the same name for each
// (cli/option-groups.ts). Commands and functions take whole groups.

/** What one property of an options object may be. */
export interface Field<Value = unknown> {
	/** In words. */
	readonly expected: string;
	accepts(value: unknown): value is Value;
}

export type Fields = Readonly<Record<string, Field>>;

/** An object of options with these fields, each of which may be left out. */
export type OptionsOf<Group extends Fields> = {
	readonly [Name in keyof Group]?: (Group[Name] extends Field<infer Value> ? Value : never) | undefined;
};

const MAX_DEVICE_TREES = 64;

function isDeviceTreeName(value: unknown): boolean {
	const isName = (part: string): boolean => /^[A-Za-z0-9_][A-Za-z0-9._,+-]*$/.test(part);
	return typeof value === "string" && value.length <= 200 && value.endsWith(".dtb") && value.split("/").every(isName);
}

export const MAX_EPOCH_SECONDS = 2 ** 32 - 1;

/** Which image of several. */
export const imageFields = {
	/** `OS/ARCHITECTURE[/VARIANT]`. Default: linux on this machine's architecture. */
	platform: field<string>("OS/ARCHITECTURE[/VARIANT], for example linux/amd64", isPlatform),
} satisfies Fields;

/** What an image may be at most. */
export const limitFields = {
	/** Uncompressed bytes of one layer. Default: 1100 times its compressed size, at least 4 GiB and at most 64 GiB. */
	maxLayerBytes: wholeNumber(1),
	/** Entries of all layers together, whiteouts included. Default: 4 000 000. */
	maxInodes: wholeNumber(1),
} satisfies Fields;

/** Of registries. */
export const registryFields = {
	/** auth.json or config.json with the registry's credentials. Default: `REGISTRY_AUTH_FILE`, else where podman and docker keep theirs. */
	authFile: text("a path"),
	/** `USER:PASSWORD` for the registry. */
	creds: text("USER:PASSWORD"),
	/** False: accept any certificate, and plain HTTP. Default: as registries.conf says, else true. */
	tlsVerify: flag(),
	/** Directory with the registry's CA and client certificates. Default: the places of containers-certs.d(5). */
	certDir: text("a path"),
	/** Attempts, timeouts and memory of transfers from a registry; what is left out keeps its default. */
	transferPolicy: field<Partial<TransferPolicy>>("an object of attempts, times and bytes", isObject),
} satisfies Fields;

/** What the image leaves open. */
export const bootFields = {
	/** Volume label, 1-32 bytes. Default: iso.yaml's, else derived from os-release. */
	label: field<string>(
		"1 to 32 bytes of text without control characters, as an ISO's volume identifier holds",
		(value) => typeof value === "string" && labelFault(value) === undefined,
	),
	/** Version directory under `/usr/lib/modules`, several separated by commas, or `all`: each with menu entries of its own. Default: the first that has a kernel. */
	kernel: directoryName("the name of a directory in /usr/lib/modules, several separated by commas, or all"),
	/** Device trees that the menu offers, by their paths below the kernel's directory of them. Default: none. */
	devicetree: field<readonly string[]>(
		`at most ${MAX_DEVICE_TREES} paths of device trees, for example qcom/NAME.dtb`,
		(value) => Array.isArray(value) && value.length <= MAX_DEVICE_TREES && value.every(isDeviceTreeName),
	),
	/** EFI vendor directory. Default: the first found. */
	vendor: directoryName("the name of a directory in /boot/efi/EFI"),
	/** Who shows the menu; systemd-boot is for UEFI only. Default: `auto`, GRUB where the image has it for media. */
	bootloader: oneOf(["auto", "grub2", "systemd-boot"]),
} satisfies Fields;

/** Where boot loaders come from. */
export const buildrootFields = {
	/** Reference of the image with GRUB, shim, MOK manager, font and tools, of the same architecture; the vendor is one of it. Default: the image. */
	buildroot: text("an image reference, for example oci:DIR:TAG or docker://HOST/NAME:TAG"),
} satisfies Fields;

/** Images that the medium carries to be installed from it. */
export const payloadFields = {
	/** Their references; of each, what is for the image's platform. Default: none. */
	payload: texts("image references"),
	/** `storage`: container storage of podman, skopeo, buildah and bootc. `oci`: an OCI image layout at `/container`, with the blobs as they are stored. Default: `storage`. */
	payloadFormat: oneOf(["storage", "oci"]),
	/** Where container storage is; `medium`: a file system of its own, `/LiveOS/store.img`; `root`: at `/var/lib/containers/storage` of the live root. Default: `medium`. */
	payloadPlace: oneOf(["medium", "root"]),
} satisfies Fields;

/** Another system on the medium. */
export interface AlsoImage {
	/** 1 to 32 of `a-z0-9._-`: what its files on the medium are called by. */
	readonly name: string;
	/** Its reference. */
	readonly image: string;
}

const MAX_ALSO = 16;

export const alsoName = field<string>(
	`1 to 32 of a-z, 0-9, . _ and -, the first a letter or digit, and no name of the medium's own (${[...TAKEN_ALSO_NAMES].join(", ")})`,
	(value) => typeof value === "string" && /^[a-z0-9][a-z0-9._-]{0,31}$/.test(value) && !TAKEN_ALSO_NAMES.has(value),
);

/** Systems that the medium has beside the image's. */
export const alsoFields = {
	/** Each a whole root file system with kernel, initramfs and menu entries of its own; what they have in common is stored once. For the image's platform. Default: none. */
	also: field<readonly AlsoImage[]>(
		`an array of at most ${MAX_ALSO} different names with images, each name ${alsoName.expected}`,
		(value) =>
			Array.isArray(value) &&
			value.length <= MAX_ALSO &&
			value.every(
				(each) => isObject(each) && alsoName.accepts(each["name"]) && imageReference.accepts(each["image"]),
			) &&
			new Set(value.map(({ name }) => name)).size === value.length,
	),
} satisfies Fields;

/** What of the image's tree is left out of the root file system, and what is changed in it. */
export const treeFields = {
	/** More patterns to leave out, one POSIX extended regular expression per path component (`mksquashfs -regex -e`). */
	exclude: texts("patterns"),
	/** Also leave out what the reference converter leaves out. Default: true. */
	defaultExcludes: flag(),
	/** Extended attributes to leave out: shell patterns for their full names, for example `security.selinux` or `user.*`. Default: none. */
	dropXattr: texts("patterns"),
	/** Where SELinux labels come from: the image's policy, its layers, or nowhere. Default: `auto`, the policy where the image has one and its layers carry no labels. */
	selinux: oneOf(SELINUX_CHOICES),
	/** Everything belongs to user and group 0 (`mksquashfs -all-root`). Default: false, to whom the image says. */
	allRoot: flag(),
} satisfies Fields;

/** How the root file system is stored. */
export const rootFileSystemFields = {
	/** Format of the root file system. Default: squashfs. */
	rootfs: oneOf(ROOT_FILE_SYSTEM_NAMES),
	/** Compressor, level and block size together; each can also be given on its own. Default: `balanced`, zstd 6 with blocks of 1 MiB. */
	preset: oneOf(PRESET_NAMES),
	/** Default: the preset's, zstd. */
	comp: oneOf(CODEC_NAMES),
	/** In the compressor's own range. Default: the preset's (6 for zstd), or where `comp` is not the preset's, the one that mksquashfs takes for it. */
	level: field<number>("a whole number in the compressor's range", Number.isSafeInteger),
	/** A power of two, 4096 to 1048576. Default: the preset's, 1048576, for every compressor. */
	blockSize: field<number>(BLOCK_BYTES_EXPECTED, (value) => typeof value === "number" && isBlockBytes(value)),
	/** Filter for machine code, of xz alone (`mksquashfs -Xbcj`): it is tried beside none. Default: x86, for the blocks that look as if it helped, and for an arm64 image arm64; `none` is for kernels without it. */
	bcj: oneOf(BRANCH_FILTERS),
	/** Pack small files together (not so: `mksquashfs -no-fragments`). Default: true. */
	fragments: flag(),
	/** Pack the ends of larger files too (`mksquashfs -always-use-fragments`). Default: false. */
	alwaysUseFragments: flag(),
	/** Write the table that NFS servers need (not so: `mksquashfs -no-exports`). Default: true. */
	exports: flag(),
} satisfies Fields;

/** What else decides bytes of a medium. */
export const mediumFields = {
	/** Who makes the BIOS core image and the media checksum. Default: `auto` = oci2iso itself, as `builtin`; the bytes are the tools'. */
	tools: oneOf(["auto", "buildroot", "host", "builtin"]),
	/** Seconds since 1970 for every time stamp of ours. Default: `SOURCE_DATE_EPOCH`, else the image's `created`. */
	sourceDateEpoch: wholeNumber(0, MAX_EPOCH_SECONDS),
} satisfies Fields;

/** Whether there is a medium, where, and how the work is done: nothing that decides a byte of it. */
export const runFields = {
	/** Where the result goes, or several such places, all of them or none: the path of an ISO, `-` for standard output, `docker://REF` or `oci:DIR:TAG` for an artifact in a registry or an image layout, `pxe:DIR` for files for network boot. */
	output: field<string | readonly string[]>(
		"the path of the ISO, - for standard output, docker://REF, oci:DIR:TAG or pxe:DIR, or an array of these",
		(value) => isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText)),
	),
	/** URL at which clients of a network boot find what is in `pxe:DIR`. Default: the root directory of a web server where their boot loader came from. */
	pxeBaseUrl: field<string>("an http or https URL without blanks, for example http://10.0.0.1/live", isWebUrl),
	/** Replace an existing output. Default: false. */
	overwrite: flag(),
	/** Digests of the ISO, as `sha256sum -c` and its kin check them, in a file beside it: its name and `-CHECKSUM`. Default: none. */
	checksum: severalOf(CHECKSUM_ALGORITHMS),
	/** Documents of what is on the medium (software bills of materials), beside the ISO: for `NAME.iso` SPDX 2.3 as `NAME.spdx.json`, CycloneDX 1.6 as `NAME.cdx.json`. Default: none. */
	sbom: severalOf(SBOM_FORMATS),
	/** Refuse an image that UEFI Secure Boot would refuse. Default: false, a warning. */
	requireSecureBoot: flag(),
	/** Build although checks say that the ISO would not boot. Default: false. */
	force: flag(),
	/** Run the image's tools even where they cannot be confined. Default: false. */
	allowUnconfinedTools: flag(),
	/** Compression threads. Default: the processors of this machine. */
	jobs: wholeNumber(1, 1024),
} satisfies Fields;

/** What is kept for later builds. */
export const cacheFields = {
	/** Directory of the store of compressed blocks, which is made where there is none; a build changes no byte for it. Default: none is used. */
	cache: text("a path"),
	/** Bytes that the store may hold after a build; what was used longest ago goes first. Default: 10 GiB. */
	cacheSize: wholeNumber(0),
	/** Artifacts in registries to take blocks and layer indexes from, the first that has them. Whoever may push there decides bytes of the ISO, unless there is a `cacheKeyFile`. */
	cacheFrom: texts("references"),
	/** Tag in a registry to push this build's blocks and layer indexes to. */
	cacheTo: text("a reference"),
	/** File with a secret: of `cacheFrom` only what was pushed with it is used, and what is pushed is sealed with it. */
	cacheKeyFile: text("a path"),
} satisfies Fields;

const signalFields = {
	/** Ends the work; nothing is left behind. */
	signal: field<AbortSignal>(
		"an AbortSignal",
		(value) => isObject(value) && "aborted" in value && "addEventListener" in value,
	),
} satisfies Fields;

/** What reading an image takes. */
export const accessFields = { ...limitFields, ...registryFields, ...signalFields };

export const imageReference = text("an image reference, for example oci:DIR:TAG or docker://HOST/NAME:TAG");

export function flag(): Field<boolean> {
	return field("true or false", (value) => typeof value === "boolean");
}

export function callback<Call>(): Field<Call> {
	return field("a function", (value) => typeof value === "function");
}

export function field<Value>(expected: string, accepts: (value: unknown) => boolean): Field<Value> {
	return { expected, accepts: accepts as Field<Value>["accepts"] };
}

/** A text that is not empty. */
function text(expected: string): Field<string> {
	return field(expected, isText);
}

function isText(value: unknown): boolean {
	return typeof value === "string" && value !== "";
}

/** As written, it goes into scripts and command lines. */
function isWebUrl(value: unknown): boolean {
	return typeof value === "string" && /^https?:\/\/[^\s"'\\${}<>|;&#]+$/.test(value) && URL.canParse(value);
}

function texts(what: string): Field<readonly string[]> {
	const { accepts } = text(what);
	return field(`an array of ${what}`, (value) => Array.isArray(value) && value.every(accepts));
}

function directoryName(expected: string): Field<string> {
	return field(expected, (value) => typeof value === "string" && !/^\.{0,2}$|[/\0]/.test(value));
}

function oneOf<const Word extends string>(words: readonly Word[]): Field<Word> & { readonly words: readonly Word[] } {
	return { ...field<Word>(words.join(", "), (value) => words.some((word) => word === value)), words };
}

/** Each once. */
function severalOf<const Word extends string>(
	words: readonly Word[],
): Field<readonly Word[]> & { readonly words: readonly Word[] } {
	const { accepts } = oneOf(words);
	const isSet = (value: unknown) =>
		Array.isArray(value) && value.every(accepts) && new Set(value).size === value.length;
	return { ...field<readonly Word[]>(`an array, each once, of ${words.join(", ")}`, isSet), words };
}

function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): Field<number> {
	const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
	return field(`a whole number ${range}`, (value) => inRange(value, min, max));
}

function inRange(value: unknown, min: number, max: number): value is number {
	return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
}

function isPlatform(value: unknown): boolean {
	try {
		return typeof value === "string" && parsePlatform(value) !== undefined;
	} catch {
		return false;
	}
}

export function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

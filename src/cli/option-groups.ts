import { type Command, InvalidArgumentError, Option } from "commander";
import { Oci2isoError, type Problem } from "../errors.ts";
import type { TransferPolicy } from "../oci/registry/retry-policy.ts";
import {
	type AlsoImage,
	alsoFields,
	alsoName,
	bootFields,
	buildrootFields,
	cacheFields,
	type Field,
	type Fields,
	flag,
	imageFields,
	limitFields,
	mediumFields,
	type OptionsOf,
	payloadFields,
	registryFields,
	rootFileSystemFields,
	runFields,
	treeFields,
} from "../options/fields.ts";
import { parseBoolean, parseCount, parseInteger, parseSize } from "./values.ts";

/** How a text becomes the value, given what came before where it may be repeated. Without it, words that the field lists are the choices. */
type Parse = (text: string, earlier: never) => unknown;
type Row = readonly [flags: string, description: string, parse?: Parse];

/** The options of some of the library's fields. */
interface Group<Taken extends Fields> {
	readonly heading: string;
	readonly rows: Readonly<Record<keyof Taken, Row>>;
	readonly fields: Taken;
}

const { requireSecureBoot, output, overwrite, checksum, sbom, pxeBaseUrl, ...workFields } = runFields;
const { cache, cacheSize, ...sharedCacheFields } = cacheFields;

const groups = {
	common: group(
		"Messages:",
		{ quiet: flag(), verbose: flag() },
		{
			quiet: ["-q, --quiet", "print nothing but errors, and JSON where that is asked for"],
			verbose: ["--verbose", "print the causes of an error too"],
		},
	),
	output: group(
		"Output:",
		{ output, overwrite, checksum, sbom, pxeBaseUrl },
		{
			output: [
				"-o, --output <place>",
				"the ISO to write, - for standard output, docker://REF or oci:DIR:TAG for an artifact, or pxe:DIR for network boot; repeatable (default: the image's name and tag, .iso)",
				collect,
			],
			overwrite: ["--overwrite", "replace an existing output or report"],
			checksum: [
				"--checksum <algorithm>",
				"write the ISO's digest to NAME.iso-CHECKSUM, as sha256sum, sha512sum or b2sum -c checks it; repeatable",
				collectOf(checksum.words),
			],
			sbom: [
				"--sbom <format>",
				"write what is on the ISO to NAME.spdx.json (spdx) or NAME.cdx.json (cyclonedx): packages, kernel, boot loaders; repeatable",
				collectOf(sbom.words),
			],
			pxeBaseUrl: [
				"--pxe-base-url <url>",
				"where clients find what is in pxe:DIR (default: the root of a web server where their boot loader came from)",
			],
		},
	),
	work: group("How it is made:", workFields, {
		force: ["--force", "build although the image would not boot"],
		allowUnconfinedTools: ["--allow-unconfined-tools", "run the image's tools even where they cannot be confined"],
		jobs: ["--jobs <n>", "compression threads (default: one per processor)", parseInteger],
	}),
	medium: group("How it is made:", mediumFields, {
		tools: ["--tools <source>", "who makes the BIOS core image and the media checksum (default: auto, as builtin)"],
		sourceDateEpoch: [
			"--source-date-epoch <seconds>",
			"time of every stamp that is not the image's (default: SOURCE_DATE_EPOCH, else when the image was made)",
			parseInteger,
		],
	}),
	boot: group("What the image leaves open:", bootFields, {
		label: ["--label <label>", "volume label, at most 32 bytes (default: iso.yaml's, else of os-release)"],
		kernel: [
			"--kernel <version>",
			"directory under /usr/lib/modules to boot; several: VERSION,VERSION or all (default: the first)",
		],
		devicetree: ["--devicetree <name>", "device tree that the menu offers, such as qcom/NAME.dtb; repeatable", collect],
		vendor: ["--vendor <name>", "EFI vendor directory (default: the first)"],
		bootloader: ["--bootloader <name>", "who shows the menu, systemd-boot for UEFI only (default: auto)"],
	}),
	buildroot: group("Image:", buildrootFields, {
		buildroot: [
			"--buildroot <image>",
			"another image, of the same architecture, that GRUB, shim, MOK manager, font and tools come from",
		],
	}),
	payload: group("Images to install:", payloadFields, {
		payload: ["--payload <image>", "an image that the ISO carries to be installed from it; repeatable", collect],
		payloadFormat: [
			"--payload-format <format>",
			"how: in podman's container storage, or as an OCI image layout at /container (default: storage)",
		],
		payloadPlace: [
			"--payload-place <place>",
			"where container storage is: /LiveOS/store.img on the medium, or the live root's /var/lib/containers/storage (default: medium)",
		],
	}),
	also: group("Other systems:", alsoFields, {
		also: [
			"--also <name=image>",
			"another system on the same ISO, with menu entries of its own; what they have in common is stored once; repeatable",
			collectAlso,
		],
	}),
	secureBoot: group(
		"What the image leaves open:",
		{ requireSecureBoot },
		{
			requireSecureBoot: [
				"--require-secure-boot",
				"refuse an image that UEFI Secure Boot would refuse (exit status 3)",
			],
		},
	),
	rootFileSystem: group("Root file system:", rootFileSystemFields, {
		rootfs: ["--rootfs <format>", "format of the root file system (default: squashfs)"],
		preset: ["--preset <name>", "compressor, level and block size together (default: balanced)"],
		comp: ["--comp <name>", "compressor (default: the preset's)"],
		level: [
			"--level <n>",
			"compression level (default: the preset's for its compressor, mksquashfs's for another)",
			parseInteger,
		],
		blockSize: ["--block-size <size>", "block size, 4K to 1M (default: the preset's)", parseSize],
		bcj: [
			"--bcj <filter>",
			"filter for machine code, of xz alone, as mksquashfs -Xbcj (default: x86 where it helps, arm64 for arm64)",
		],
		fragments: ["--no-fragments", "do not pack small files together"],
		alwaysUseFragments: ["--always-use-fragments", "pack the ends of larger files too"],
		exports: ["--no-exports", "leave the table out that NFS servers need"],
	}),
	tree: group("What is left out or changed:", treeFields, {
		exclude: [
			"--exclude <pattern>",
			"leave paths out of the root file system, as mksquashfs -regex -e does; repeatable",
			collect,
		],
		defaultExcludes: ["--no-default-excludes", "keep what the reference converter leaves out"],
		dropXattr: [
			"--drop-xattr <pattern>",
			"leave extended attributes out, by shell pattern: security.selinux, user.*; repeatable",
			collect,
		],
		selinux: [
			"--selinux <choice>",
			"SELinux labels: of the image's policy, of its layers (image), or off (default: auto, policy where there is one and layers have none)",
		],
		allRoot: ["--all-root", "give every file to user and group 0, as mksquashfs -all-root does"],
	}),
	image: group("Image:", imageFields, {
		platform: ["--platform <os/arch[/variant]>", "which image of an index (default: linux on this architecture)"],
	}),
	limits: group("Image:", limitFields, {
		maxLayerBytes: [
			"--max-layer-bytes <size>",
			"refuse a layer that is larger when uncompressed (default: by its size, 4G to 64G)",
			parseSize,
		],
		maxInodes: ["--max-inodes <n>", "refuse an image with more entries in all layers (default: 4000000)", parseCount],
	}),
	registry: group("Registry:", registryFields, {
		authFile: [
			"--authfile <file>",
			"credentials, as podman login or docker login writes them (default: REGISTRY_AUTH_FILE, else their places)",
		],
		creds: ["--creds <user:password>", "credentials; other users of this machine can see them, --authfile hides them"],
		tlsVerify: [
			"--tls-verify [bool]",
			"false: accept any certificate, and plain HTTP (default: true, or as registries.conf says)",
			parseBoolean,
		],
		certDir: [
			"--cert-dir <dir>",
			"the registry's CA and client certificates: *.crt, *.cert, *.key (default: the places of containers-certs.d)",
		],
		transferPolicy: ["--retry-times <n>", "tries of a request after the first that failed (default: 4)", parseRetries],
	}),
	store: group(
		"Cache:",
		{ cache },
		{
			cache: [
				"--cache <dir>",
				"where compressed blocks are kept for later builds (default: oci2iso in $XDG_CACHE_HOME or ~/.cache)",
			],
		},
	),
	storeSize: group(
		"Cache:",
		{ cacheSize },
		{
			cacheSize: ["--cache-size <size>", "what the cache may hold afterwards (default: 10G)", parseSize],
		},
	),
	sharedCache: group("Cache:", sharedCacheFields, {
		cacheFrom: ["--cache-from <ref>", "take compressed blocks from an artifact in a registry; repeatable", collect],
		cacheTo: ["--cache-to <ref>", "push this build's compressed blocks to a tag in a registry"],
		cacheKeyFile: [
			"--cache-key-file <file>",
			"a secret: use of --cache-from only what was pushed with it, and push with it",
		],
	}),
};

type GroupName = keyof typeof groups;

/** What commander makes of these groups. */
export type ValuesOf<Name extends GroupName> = UnionToIntersection<
	{ [Each in Name]: OptionsOf<(typeof groups)[Each]["fields"]> }[Name]
>;

type UnionToIntersection<Union> = (Union extends unknown ? (each: Union) => void : never) extends (
	all: infer All,
) => void
	? All
	: never;

/** What says which image is read, and how. */
export const IMAGE_GROUPS = ["image", "limits", "registry"] as const;
/** What becomes of it, as far as it makes a difference to whether it boots or to what it holds. */
export const CONTENT_GROUPS = ["boot", "buildroot", "secureBoot", "rootFileSystem", "tree"] as const;

/** Adds the options of these groups to a command. */
export function addGroups(command: Command, ...names: readonly GroupName[]): Command {
	for (const name of names) {
		const { heading, rows, fields }: Group<Fields> = groups[name];
		for (const [property, row] of Object.entries(rows))
			command.addOption(option(property, row, fields[property]).helpGroup(heading));
	}
	return command;
}

/** Says of a fault that the library found which option of the command it is in. */
export function withFlags(error: unknown, command: Command): unknown {
	if (!(error instanceof Oci2isoError) || error.code !== "INVALID_OPTION") return error;
	const flagOf = ({ where, ...problem }: Problem): Problem => {
		const long = command.options.find((known) => known.attributeName() === where)?.long;
		return { ...problem, where: long?.replace(/^--no-/, "--") ?? where };
	};
	const { code, kind, problems, cause } = error;
	return new Oci2isoError({ ...flagOf(error), code, kind, problems: problems.map(flagOf), cause });
}

function group<Taken extends Fields>(
	heading: string,
	fields: Taken,
	rows: Readonly<Record<keyof Taken, Row>>,
): Group<Taken> {
	return { heading, rows, fields };
}

/** Options hold state of a command line: each command has its own. */
function option(property: string, [flags, description, parse]: Row, field: Field | undefined): Option {
	const made = new Option(flags, description);
	if (field !== undefined && "words" in field) made.choices(field.words as readonly string[]);
	if (parse !== undefined) made.argParser(parse as (text: string) => unknown);
	made.attributeName = () => property;
	return made;
}

function parseRetries(text: string): Partial<TransferPolicy> {
	const retries = parseInteger(text);
	if (retries < 0) throw new InvalidArgumentError("expected a whole number of at least 0.");
	return { attempts: retries + 1 };
}

function collectAlso(text: string, earlier: readonly AlsoImage[] = []): readonly AlsoImage[] {
	const at = text.indexOf("=");
	const [name, image] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
	if (!alsoName.accepts(name) || image === "")
		throw new InvalidArgumentError(`expected NAME=IMAGE, the name ${alsoName.expected}.`);
	if (earlier.some((other) => other.name === name)) throw new InvalidArgumentError(`there are two called ${name}.`);
	return [...earlier, { name, image }];
}

function collect(value: string, earlier: readonly string[] = []): readonly string[] {
	return [...earlier, value];
}

/** Each of these words at most once. */
function collectOf<Word extends string>(words: readonly Word[]) {
	return (text: string, earlier: readonly Word[] = []): readonly Word[] => {
		const word = words.find((known) => known === text);
		if (word === undefined) throw new InvalidArgumentError(`Allowed choices are ${words.join(", ")}.`);
		return earlier.includes(word) ? earlier : [...earlier, word];
	};
}

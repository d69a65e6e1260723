import { type Command, Option } from "commander";
import { Oci2isoError, type Problem } from "../errors.ts";
import type { BootOptions, ImageOptions, SquashfsOptions, TreeOptions } from "../options/image-options.ts";
import { PRESET_NAMES } from "../options/presets.ts";
import { parseBoolean, parseCount, parseInteger, parseSize } from "./values.ts";

/** Options that belong together, by the property of the library's that each stands for. */
const groups = {
	image: [
		option(
			"platform",
			"--platform <os/arch[/variant]>",
			"which image of an index (default: linux on this architecture)",
		),
		option(
			"maxLayerBytes",
			"--max-layer-bytes <size>",
			"refuse a layer that is larger when uncompressed (default: by its size, 4G to 64G)",
			parseSize,
		),
		option(
			"maxInodes",
			"--max-inodes <n>",
			"refuse an image with more entries in all layers (default: 4000000)",
			parseCount,
		),
	],
	registry: [
		option(
			"authFile",
			"--authfile <file>",
			"credentials, as podman login or docker login writes them (default: REGISTRY_AUTH_FILE, else their places)",
		),
		option(
			"creds",
			"--creds <user:password>",
			"credentials; other users of this machine can see them, --authfile hides them",
		),
		option("tlsVerify", "--tls-verify [bool]", "false: accept any certificate, and plain HTTP", parseBoolean),
		option("certDir", "--cert-dir <dir>", "the registry's CA and client certificates: *.crt, *.cert, *.key"),
	],
	boot: [
		option("label", "--label <label>", "volume label, at most 32 bytes"),
		option("kernel", "--kernel <version>", "directory under /usr/lib/modules to boot"),
		option("vendor", "--vendor <name>", "EFI vendor directory"),
		option(
			"requireSecureBoot",
			"--require-secure-boot",
			"refuse an image that UEFI Secure Boot would refuse (exit status 3)",
		),
	],
	tree: [
		option(
			"exclude",
			"--exclude <pattern>",
			"leave paths out of the squashfs, as mksquashfs -regex -e does; repeatable",
			collect,
		),
		option("defaultExcludes", "--no-default-excludes", "keep what the reference converter leaves out"),
		option(
			"dropXattr",
			"--drop-xattr <pattern>",
			"leave extended attributes out, by shell pattern: security.selinux, user.*; repeatable",
			collect,
		),
	],
	squashfs: [
		option(
			"preset",
			"--preset <name>",
			"squashfs compressor, level and block size together (default: balanced)",
			PRESET_NAMES,
		),
		option("comp", "--comp <name>", "squashfs compressor", ["zstd", "xz", "gzip", "lz4", "none"]),
		option(
			"level",
			"--level <n>",
			"compression level (default: the preset's for its compressor, mksquashfs's for another)",
			parseInteger,
		),
		option("blockSize", "--block-size <size>", "squashfs block size, 4K to 1M (default: the preset's)", parseSize),
	],
	common: [option("verbose", "--verbose", "print the causes of an error too")],
} as const;

/** What commander makes of each group. */
export interface GroupValues {
	readonly image: Pick<ImageOptions, "platform" | "maxLayerBytes" | "maxInodes">;
	readonly registry: Pick<ImageOptions, "authFile" | "creds" | "tlsVerify" | "certDir">;
	readonly boot: BootOptions & { readonly requireSecureBoot?: boolean };
	readonly tree: TreeOptions;
	readonly squashfs: SquashfsOptions;
	readonly common: { readonly verbose?: boolean };
}

/** Of every group: what says which image, and what becomes of it. */
export type ImageValues = GroupValues["image"] &
	GroupValues["registry"] &
	GroupValues["boot"] &
	GroupValues["tree"] &
	GroupValues["squashfs"] &
	GroupValues["common"];

export type GroupName = keyof GroupValues;

const HEADINGS: Readonly<Record<GroupName, string>> = {
	image: "Image:",
	registry: "Registry:",
	boot: "What the image leaves open:",
	tree: "What is left out:",
	squashfs: "Compression:",
	common: "Options:",
};

/** Adds the options of these groups to a command. */
export function addGroups(command: Command, ...names: readonly GroupName[]): Command {
	for (const name of names) for (const make of groups[name]) command.addOption(make().helpGroup(HEADINGS[name]));
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

/** Options hold state of a command line: each command has its own. */
function option(
	property: string,
	flags: string,
	description: string,
	values?: readonly string[] | ((text: string, earlier: never) => unknown),
): () => Option {
	return () => {
		const made = new Option(flags, description);
		if (typeof values === "function") made.argParser(values as (text: string) => unknown);
		else if (values !== undefined) made.choices(values);
		made.attributeName = () => property;
		return made;
	};
}

export function collect(value: string, earlier: readonly string[] = []): readonly string[] {
	return [...earlier, value];
}

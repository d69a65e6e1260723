import type { CodecName } from "../codec/types.ts";
import type { FragmentRule } from "../content/fragment-rule.ts";
import { Oci2isoError } from "../errors.ts";
import { EROFS } from "./erofs/erofs.ts";
import type { RootFileSystem, RootFileSystemName } from "./root-file-system.ts";
import { SQUASHFS } from "./squashfs/squashfs.ts";

/** Every format that can be written and read, the one of builds that ask for none first. */
const ROOT_FILE_SYSTEMS: readonly [RootFileSystem, ...RootFileSystem[]] = [SQUASHFS, EROFS];

export const [DEFAULT_ROOT_FILE_SYSTEM] = ROOT_FILE_SYSTEMS;

/** The format of an image with this head, of `HEAD_BYTES` or all that there are. */
export function rootFileSystemAt(head: Uint8Array): RootFileSystem | undefined {
	return ROOT_FILE_SYSTEMS.find((format) => format.isAt(head));
}

export function rootFileSystemNamed(name: RootFileSystemName = DEFAULT_ROOT_FILE_SYSTEM.name): RootFileSystem {
	return ROOT_FILE_SYSTEMS.find((format) => format.name === name) ?? DEFAULT_ROOT_FILE_SYSTEM;
}

/** Throws `Oci2isoError` INVALID_OPTION (usage) where the format cannot be written so; `where` is an option's name. */
export function requireWritable(
	{ name, codecs, hasExportTable, packsTails }: RootFileSystem,
	asked: {
		readonly comp: CodecName;
		readonly fragmentRule?: FragmentRule | undefined;
		readonly exports?: boolean | undefined;
	},
): void {
	const refuse = (where: string, what: string, expected: string): never => {
		throw new Oci2isoError({ code: "INVALID_OPTION", kind: "usage", what, where, expected });
	};
	const { comp, fragmentRule, exports } = asked;
	if (!codecs.includes(comp)) refuse("comp", `${name} is not written with ${comp}`, codecs.join(", "));
	if (fragmentRule !== "none" && fragmentRule !== undefined && !packsTails(comp))
		refuse("alwaysUseFragments", `${name} without a compressor packs no files together`, "another compressor");
	if (exports === false && !hasExportTable)
		refuse("exports", `${name} has no table for NFS servers that could be left out`, "squashfs");
}

import { type ByteString, byteStringOf, displayName } from "../binary/byte-string.ts";
import { MiB } from "../binary/units.ts";
import { Oci2isoError } from "../errors.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { FileInode, Inode } from "../tree/inode.ts";
import { lookupQuietly } from "../tree/lookup-quietly.ts";
import { findLibrary, type LibraryRules, readLibraryRules } from "./library.ts";
import { ListRules } from "./list-rules.ts";
import { parseSpecifications, policyTooLarge, type Specification } from "./specifications.ts";
import { parseSubstitutions, type Substitution, substituted } from "./substitutions.ts";
import { TreeRules } from "./tree-rules.ts";

const DIRECTORY = "/etc/selinux";
const CONFIG = `${DIRECTORY}/config`;
/** Of libselinux, where the configuration names none. */
const DEFAULT_TYPE = "targeted";
const FILES = "contexts/files/file_contexts";
/** In the order in which they count. */
const INPUTS = ["", ".homedirs", ".local"];
const SUBSTITUTIONS = [".subs", ".subs_dist"];
const MAX_FILE_BYTES = 16 * MiB;

/** What an image's own SELinux policy says of the labels of files. */
export interface SelinuxPolicy {
	/** Its directory in `/etc/selinux`. */
	readonly name: string;
	/** Whose way of choosing counts. */
	readonly library: LibraryRules;
	/** What is said of an absolute path and an inode type; undefined: nothing. Throws `Oci2isoError` SELINUX_POLICY_TOO_SLOW. */
	labelFor(path: ByteString, type: Inode["type"]): Pick<Specification, "context"> | undefined;
}

/** `/etc/selinux/config` */
interface SelinuxConfig {
	/** `enforcing`, `permissive` or `disabled`; undefined where it says nothing. */
	readonly mode: string | undefined;
	readonly type: ByteString;
}

/** Whether a policy is in the image, which its configuration may name or not. */
export function hasPolicy(tree: Pick<ImageTree, "lookup">): boolean {
	const directory = lookupQuietly(tree, DIRECTORY)?.inode;
	if (directory?.type !== "directory") return false;
	const isThere = (path: ByteString): boolean => fileAt(tree, path) !== undefined;
	return [...directory.entries.keys()].some((name) => {
		const path = `${DIRECTORY}/${name}/${FILES}`;
		return isThere(path) || isThere(`${path}.bin`);
	});
}

/** What `readSelinuxConfig` reads. */
export function configFile(tree: ImageTree): FileInode | undefined {
	return fileAt(tree, CONFIG);
}

/** Whether the policy that a configuration names is there as text. */
export function hasRules(tree: ImageTree, { type }: SelinuxConfig): boolean {
	return fileAt(tree, `${DIRECTORY}/${type}/${FILES}`) !== undefined;
}

/** Whether the policy that a configuration names is there as the kernel takes it. */
export function hasCompiledPolicy(tree: Pick<ImageTree, "lookup">, { type }: SelinuxConfig): boolean {
	const directory = lookupQuietly(tree, `${DIRECTORY}/${type}/policy`)?.inode;
	return directory?.type === "directory" && [...directory.entries.keys()].some((name) => /^policy\.\d+$/.test(name));
}

/** What `readPolicy` reads. */
export function policyFiles(tree: ImageTree, { type }: SelinuxConfig): FileInode[] {
	const files = [...INPUTS, ...SUBSTITUTIONS].map((suffix) => fileAt(tree, `${DIRECTORY}/${type}/${FILES}${suffix}`));
	return [...files, findLibrary(tree)].flatMap((file) =>
		file === undefined || file.byteLength > MAX_FILE_BYTES ? [] : [file],
	);
}

/** Follows libselinux: of SELINUXTYPE, in any case and with space before it, the last line counts; of SELINUX, at the start of a line, the first that begins with a mode. */
export async function readSelinuxConfig(tree: ImageTree): Promise<SelinuxConfig> {
	const lines = ((await read(tree, CONFIG)) ?? "").split("\n").map((line) => line.split("\0")[0] ?? "");
	const modes = lines.flatMap((line) => /^SELINUX=\s*(.*)/s.exec(line)?.[1] ?? []);
	const types = lines.flatMap((line) => /^SELINUXTYPE=(.*)/is.exec(line.trimStart())?.[1]?.trim() ?? []);
	const mode = modes.flatMap((value) => /^(?:enforcing|permissive|disabled)/i.exec(value)?.[0].toLowerCase() ?? [])[0];
	return { mode, type: types.at(-1) ?? DEFAULT_TYPE };
}

/**
 * The policy that a configuration names; undefined where it is not there. Throws `Oci2isoError` (exit 5): SELINUX_POLICY_INVALID, SELINUX_POLICY_TOO_LARGE, SELINUX_POLICY_COMPILED.
 */
export async function readPolicy(tree: ImageTree, { type }: SelinuxConfig): Promise<SelinuxPolicy | undefined> {
	const base = `${DIRECTORY}/${type}/${FILES}`;
	const shown = (suffix = ""): string => displayName(base + suffix);
	const texts: (ByteString | undefined)[] = [];
	for (const suffix of INPUTS) {
		const text = await read(tree, base + suffix);
		if (text === undefined && fileAt(tree, `${base}${suffix}.bin`) !== undefined)
			throw new Oci2isoError({
				code: "SELINUX_POLICY_COMPILED",
				kind: "corrupt",
				what: "the policy has its path specifications only as libselinux compiles them",
				where: shown(`${suffix}.bin`),
				expected: "the text beside it",
				remedy: "keep file_contexts in the image, or build with --selinux image",
			});
		texts.push(text);
	}
	if (texts[0] === undefined) return undefined;
	const specifications = texts.flatMap((text, input) => parseSpecifications(text ?? "", shown(INPUTS[input]), input));
	const library = await readLibraryRules(tree);
	const substitutions: (readonly Substitution[])[] = [];
	for (const suffix of SUBSTITUTIONS) {
		const found = parseSubstitutions((await read(tree, base + suffix)) ?? "", shown(suffix));
		substitutions.push(library === "3.8" ? found : found.reverse());
	}
	const fileOf = (input: number): string => shown(INPUTS[input]);
	const rules =
		library === "before 3.8" ? new ListRules(specifications, fileOf) : new TreeRules(specifications, fileOf, library);
	return {
		name: displayName(type),
		library,
		labelFor: (path, inodeType) =>
			rules.choose(
				substitutions.reduce((from, each) => substituted(each, from) ?? from, path),
				inodeType,
			),
	};
}

function fileAt(tree: Pick<ImageTree, "lookup">, path: ByteString): FileInode | undefined {
	const inode = lookupQuietly(tree, path)?.inode;
	return inode?.type === "file" ? inode : undefined;
}

async function read(tree: ImageTree, path: ByteString): Promise<ByteString | undefined> {
	const file = fileAt(tree, path);
	if (file === undefined) return undefined;
	if (file.byteLength > MAX_FILE_BYTES)
		throw policyTooLarge(`it has ${file.byteLength} bytes, and at most ${MAX_FILE_BYTES} are read`, displayName(path));
	return byteStringOf(await tree.read(file, MAX_FILE_BYTES));
}

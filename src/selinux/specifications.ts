import { type ByteString, displayPath } from "../binary/byte-string.ts";
import { Oci2isoError } from "../errors.ts";
import type { Inode } from "../tree/inode.ts";

/** How a file of path specifications says that paths have no label. */
const NONE = "<<none>>";
/** libselinux 3.9 and later take no longer pattern. */
const MAX_PATTERN_BYTES = 4095;
const MAX_CONTEXT_BYTES = 4095;

const TYPES: Readonly<Record<string, Inode["type"]>> = {
	"--": "file",
	"-d": "directory",
	"-l": "symlink",
	"-c": "character-device",
	"-b": "block-device",
	"-p": "fifo",
	"-s": "socket",
};

/** A line of `file_contexts` (selabel_file(5)). */
export interface Specification {
	readonly pattern: ByteString;
	/** Undefined: inodes of every type. */
	readonly type: Inode["type"] | undefined;
	/** Undefined: paths that it matches have no label. */
	readonly context: ByteString | undefined;
	/** Which of the policy's files it is in, from 0. */
	readonly input: number;
	/** From 1. */
	readonly line: number;
}

/** Which of a policy's specifications is for a path: versions of libselinux choose differently. */
export interface ChoosesSpecification {
	/** `path` is absolute, without a slash at its end; undefined where no specification matches. Throws `Oci2isoError` SELINUX_POLICY_TOO_SLOW. */
	choose(path: ByteString, type: Inode["type"]): Specification | undefined;
}

/** The lines of one file, in its order. Throws `Oci2isoError` SELINUX_POLICY_INVALID (exit 5) with file and line. */
export function parseSpecifications(text: ByteString, file: string, input: number): Specification[] {
	return text.split("\n").flatMap((content, index) => {
		const line = index + 1;
		const [pattern, second, third] = fieldsOf(content);
		if (pattern === undefined || pattern.startsWith("#")) return [];
		const invalid = (what: string): Oci2isoError => invalidPolicy(what, file, line);
		if (second === undefined) throw invalid(`"${displayPath(pattern)}" has no context`);
		const type = third === undefined ? undefined : Object.hasOwn(TYPES, second) ? TYPES[second] : undefined;
		if (third !== undefined && type === undefined) throw invalid(`"${displayPath(second)}" is not a type of file`);
		const context = third ?? second;
		if (pattern.length > MAX_PATTERN_BYTES || context.length > MAX_CONTEXT_BYTES) throw invalid("it is too long");
		if (/[^ -~]/.test(pattern + context)) throw invalid("it has other characters than those of ASCII");
		return [{ pattern, type, context: context === NONE ? undefined : context, input, line }];
	});
}

/** Of a line of a policy's files; what ends a string in C ends a line too. */
export function fieldsOf(line: ByteString): ByteString[] {
	return (line.split("\0")[0] ?? "").split(/[ \t\r\v\f]+/).filter((field) => field !== "");
}

/** The policy's rules cannot be read (exit 5). */
export function invalidPolicy(what: string, file: string, line: number): Oci2isoError {
	return new Oci2isoError({
		code: "SELINUX_POLICY_INVALID",
		kind: "corrupt",
		what,
		where: `${file}:${line}`,
		expected: "a path specification that oci2iso and every version of libselinux read alike",
		remedy: "mend the line, or build with --selinux image, which takes labels from layers only",
	});
}

/** The policy is more than any system's (exit 5). */
export function policyTooLarge(what: string, where?: string): Oci2isoError {
	return new Oci2isoError({
		code: "SELINUX_POLICY_TOO_LARGE",
		kind: "corrupt",
		what: `the SELinux policy is too large: ${what}`,
		where,
		remedy: "build with --selinux image, which takes labels from layers only",
	});
}

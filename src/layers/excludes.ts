import type { ByteString } from "../binary/byte-string.ts";
import { Oci2isoError } from "../errors.ts";
import { compilePosixExtended } from "./posix-regex.ts";

/** What the reference converter leaves out. Each pattern empties a directory or drops files, by the rule of `compileExcludes`. */
export const DEFAULT_EXCLUDES: readonly string[] = [
	"boot/efi/.*",
	"boot/grub2/.*",
	"boot/config-.*",
	"boot/initramfs-.*",
	"boot/loader/.*",
	"boot/symvers-.*",
	"boot/System.map-.*",
	"usr/lib/sysimage/rpm/.*",
	"var/lib/rpm/.*",
	"var/lib/yum/.*",
	"var/lib/dnf/.*",
];

/** Begins a pattern of one component that may match at any depth. */
const ANYWHERE = "... ";

/**
 * The rule of `mksquashfs -regex -e`: a pattern is one POSIX extended regular expression per path component, the first for names in the root
 * (or for all names, after `... `); each matches a name when it matches any part of it. What is below an excluded directory is excluded.
 * The result takes paths with or without a slash at the beginning.
 * Throws `Oci2isoError` INVALID_PATTERN (usage).
 */
export function compileExcludes(patterns: readonly string[]): (path: ByteString) => boolean {
	const compiled = patterns.map(compilePattern);
	let directory = "";
	let below = namesBelow(compiled, directory);
	return (path) => {
		// neighbours are often in one directory
		const length = Math.max(0, path.lastIndexOf("/"));
		if (length !== directory.length || !path.startsWith(directory)) {
			directory = path.slice(0, length);
			below = namesBelow(compiled, directory);
		}
		if (below === "excluded") return true;
		if (below.length === 0) return false;
		const name = path.slice(path.lastIndexOf("/") + 1);
		return name !== "" && below.some((expression) => expression.test(name));
	};
}

/** What the patterns say of a directory: it is excluded, or the names in it are for which one of these matches. */
function namesBelow(patterns: readonly Pattern[], directory: ByteString): "excluded" | readonly RegExp[] {
	const names = directory.split("/").filter((name) => name !== "");
	if (patterns.some((pattern) => matches(pattern, names))) return "excluded";
	return patterns.flatMap(({ components, anywhere }) => {
		const last = components[anywhere ? 0 : names.length];
		if (last === undefined || (!anywhere && components.length > names.length + 1)) return [];
		return anywhere || components.slice(0, -1).every((component, i) => component.test(names[i] ?? "")) ? [last] : [];
	});
}

interface Pattern {
	readonly components: readonly RegExp[];
	readonly anywhere: boolean;
}

function compilePattern(pattern: string): Pattern {
	const anywhere = pattern.startsWith(ANYWHERE);
	const path = anywhere ? pattern.slice(ANYWHERE.length) : pattern;
	const components = path.split("/").filter((component) => component !== "");
	// mksquashfs takes only the first of several components after the dots, and so excludes more than the pattern says.
	const tooLong = anywhere && components.length > 1;
	if (components.length === 0 || tooLong || /^\.{1,2}\//.test(path))
		throw new Oci2isoError({
			code: "INVALID_PATTERN",
			kind: "usage",
			what: `"${pattern}" is not a path inside the image`,
			expected: `a regular expression for each component of the path from the root, or "${ANYWHERE}" and one component`,
		});
	return { components: components.map(compilePosixExtended), anywhere };
}

function matches({ components, anywhere }: Pattern, names: readonly ByteString[]): boolean {
	if (anywhere) return names.some((name) => components[0]?.test(name));
	return components.length <= names.length && components.every((component, i) => component.test(names[i] ?? ""));
}

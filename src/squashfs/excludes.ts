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

/** Begins a pattern that may match at any depth. */
const ANYWHERE = "... ";

/**
 * The rule of `mksquashfs -regex -e`: a pattern is one POSIX extended regular expression per path component, the first for names in the root
 * (or anywhere, after `... `); each matches a name when it matches any part of it. What is below an excluded directory is excluded.
 * The result takes paths with or without a slash at the beginning.
 * Throws `Oci2isoError` INVALID_PATTERN (usage).
 */
export function compileExcludes(patterns: readonly string[]): (path: ByteString) => boolean {
	const compiled = patterns.map(compilePattern);
	return (path) => {
		const names = path.split("/").filter((name) => name !== "");
		return compiled.some((pattern) => matches(pattern, names));
	};
}

interface Pattern {
	readonly components: readonly RegExp[];
	readonly anywhere: boolean;
}

function compilePattern(pattern: string): Pattern {
	const anywhere = pattern.startsWith(ANYWHERE);
	const path = anywhere ? pattern.slice(ANYWHERE.length) : pattern;
	const components = path.split("/").filter((component) => component !== "");
	if (components.length === 0 || /^\.{1,2}\//.test(path))
		throw new Oci2isoError({
			code: "INVALID_PATTERN",
			kind: "usage",
			what: `"${pattern}" is not a path inside the image`,
			expected: "a regular expression for each component of the path, from the root",
		});
	return { components: components.map(compilePosixExtended), anywhere };
}

function matches({ components, anywhere }: Pattern, names: readonly ByteString[]): boolean {
	const lastStart = anywhere ? names.length - components.length : Math.min(0, names.length - components.length);
	for (let start = 0; start <= lastStart; start++)
		if (components.every((component, i) => component.test(names[start + i] ?? ""))) return true;
	return false;
}

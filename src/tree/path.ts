import type { ByteString } from "../binary/byte-string.ts";

/** Longest name of a directory entry in bytes (Linux `NAME_MAX`). */
export const MAX_NAME_BYTES = 255;
/** Longest symbolic link in bytes (Linux `PATH_MAX` without its NUL). */
export const MAX_TARGET_BYTES = 4095;
/**
 * Longest path in bytes. Linux limits what one system call takes, not how deep directories are; this is four times as much, and keeps the
 * work that a hostile image's paths can cause in bounds.
 */
export const MAX_PATH_BYTES = 4 * 4096 - 1;

/**
 * The path from the root that a layer's entry names, without leading or trailing slash; "" is the root. `.`, `..` and repeated
 * slashes are resolved as text, before any symbolic link is looked at, and `..` stops at the root.
 */
export function cleanPath(path: ByteString): ByteString {
	if (isClean(path)) return path;
	const components: ByteString[] = [];
	for (const component of path.split("/")) {
		if (component === "" || component === ".") continue;
		if (component === "..") components.pop();
		else components.push(component);
	}
	return components.join("/");
}

const SLASH = 0x2f;
const DOT = 0x2e;

/** Conservative: false also for names that merely begin with a dot, which `cleanPath` then leaves as they are. */
function isClean(path: ByteString): boolean {
	let previous = SLASH;
	for (let i = 0; i < path.length; i++) {
		const code = path.charCodeAt(i);
		if (previous === SLASH && (code === SLASH || code === DOT)) return false;
		previous = code;
	}
	return previous !== SLASH || path === "";
}

/** Length of the parent's path in a clean path: 0 where the parent is the root. */
export function parentLength(path: ByteString): number {
	return Math.max(0, path.lastIndexOf("/"));
}

/** The last component of a clean path. */
export function baseName(path: ByteString): ByteString {
	return path.slice(path.lastIndexOf("/") + 1);
}

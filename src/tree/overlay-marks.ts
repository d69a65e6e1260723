import { type ByteString, byteStringOf, displayPath } from "../binary/byte-string.ts";
import type { TarEntry } from "../formats/tar/entry.ts";
import { WHITEOUT_PREFIX } from "./layer-changes.ts";
import { Oddity } from "./oddities.ts";
import { baseName } from "./path.ts";

// Documentation/filesystems/overlayfs.rst: what the kernel's overlay keeps in the directories below it, for itself. The live system's root is such an overlay, with the
// root file system below: what the image's files are marked with, it obeys.

const OWN_PREFIX = "trusted.overlay.";
/** "Nesting overlayfs mounts": seen through an overlay as `trusted.overlay.`, which is what container storage below it needs. */
const NESTED_PREFIX = "trusted.overlay.overlay.";
export const OPAQUE = "trusted.overlay.opaque";
const REDIRECT = "trusted.overlay.redirect";
/** On regular files: overlay looks for their content elsewhere and then refuses to open them, or shows nothing. */
const FILE_MARKS = new Set(["trusted.overlay.metacopy", REDIRECT, "trusted.overlay.whiteout"]);
/** On directories, where what they mean is done here. */
const DIRECTORY_MARKS = new Set([OPAQUE, REDIRECT]);
const YES = 0x79;

/** What an entry's marks come to. */
interface Unmarked {
	/** Those that stay. */
	readonly xattrs: TarEntry["xattrs"];
	/** Nothing is there, nor anything of lower layers. */
	readonly isWhiteout: boolean;
	/** Nothing of lower layers is left in the directory. */
	readonly isOpaque: boolean;
}

/**
 * Takes overlay's marks off a layer's entries and gives them the meaning that they have where podman and docker mount the layers: a character device 0:0 is a whiteout, and
 * a directory that is opaque, or redirected, does not show what lower layers have at its path. Container storage that an image carries keeps its marks.
 */
export class OverlayMarks {
	readonly #whiteouts = new Oddity(
		(count, paths) =>
			`${count} character devices 0:0, overlay's whiteouts, were left out and hide what is below them: ${paths}`,
	);
	readonly #dropped = new Oddity(
		(count, paths) =>
			`${count} of overlay's own attributes were left out, which the live system's overlay would obey: ${paths}`,
	);
	readonly #opaque = new Oddity(
		(count, paths) =>
			`${count} directories do not show what lower layers have in them, because of overlay's marks: ${paths}`,
	);
	readonly #inert = new Oddity(
		(count, paths) => `${count} of overlay's own attributes were kept, which do nothing where they are: ${paths}`,
	);
	readonly #storage = new Oddity(
		(count, paths) =>
			`${count} of overlay's marks were kept as container storage's; the live system's overlay obeys and hides them, so that such storage is whole only in the ` +
			`root file system below: ${paths}`,
	);

	take({ type, xattrs, major, minor }: TarEntry, path: ByteString): Unmarked {
		const isDevice = type === "character-device" && major === 0 && minor === 0;
		const own = xattrs.size === 0 || type === "hard-link" ? [] : [...xattrs.keys()].filter(isOwn);
		const unchanged = { xattrs, isWhiteout: false, isOpaque: false };
		if ((!isDevice && own.length === 0) || baseName(path).startsWith(WHITEOUT_PREFIX)) return unchanged;
		const place = path === "" ? "/" : path;
		if (isInContainerStorage(path)) {
			if (isDevice) this.#storage.add(place, " (0:0)");
			for (const name of own) this.#storage.add(place, ` (${displayPath(name)})`);
			return unchanged;
		}
		if (isDevice) {
			this.#whiteouts.add(place);
			return { ...unchanged, isWhiteout: true };
		}
		const marks = type === "directory" ? DIRECTORY_MARKS : type === "file" ? FILE_MARKS : undefined;
		const kept = new Map(xattrs);
		for (const name of own) {
			const isDropped = marks?.has(name) === true && kept.delete(name);
			(isDropped ? this.#dropped : this.#inert).add(place, ` (${displayPath(name)})`);
		}
		// Layers' roots are merged whatever they are marked as.
		const isOpaque = type === "directory" && path !== "" && (isYes(xattrs.get(OPAQUE)) || xattrs.has(REDIRECT));
		if (isOpaque) {
			const target = xattrs.get(REDIRECT);
			const more =
				target === undefined ? "" : ` (redirected to ${displayPath(byteStringOf(target))}, which is not followed)`;
			this.#opaque.add(place, more);
		}
		return { xattrs: kept, isWhiteout: false, isOpaque };
	}

	/** What was done, in sentences for people. */
	get notes(): string[] {
		return [this.#whiteouts, this.#opaque, this.#dropped, this.#inert, this.#storage].flatMap(({ notes }) => notes);
	}
}

function isOwn(name: ByteString): boolean {
	return name.startsWith(OWN_PREFIX) && !name.startsWith(NESTED_PREFIX);
}

function isYes(value: Uint8Array | undefined): boolean {
	return value?.byteLength === 1 && value[0] === YES;
}

/** In a layer that podman's, docker's or containerd's overlay driver keeps unpacked. */
function isInContainerStorage(path: ByteString): boolean {
	const names = path.split("/");
	return names.some((name, at) => {
		if (at === 0) return false;
		if (name === "diff") return names[at - 2] === "overlay" || names[at - 2] === "overlay2";
		return (
			name === "fs" && names[at - 2] === "snapshots" && names[at - 3]?.startsWith("io.containerd.snapshotter.") === true
		);
	});
}

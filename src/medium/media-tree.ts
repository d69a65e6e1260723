import type { ByteString } from "../binary/byte-string.ts";
import { assert } from "../errors.ts";
import type { IsoAttributes, IsoDirectory, IsoFile, IsoNode } from "../formats/iso9660/tree.ts";

/** A directory of the ISO while it is being put together. */
interface MutableIsoDirectory extends IsoDirectory {
	readonly entries: Map<ByteString, IsoNode>;
}

/** What converters give everything that they make themselves: root's, 0755 and 0644, stamped with the epoch. */
export function generatedAttributes(mode: number, epochSeconds: number): IsoAttributes {
	return { mode, uid: 0, gid: 0, mtimeSeconds: epochSeconds };
}

/** Puts files at their paths (no leading slash), creating the directories on the way. */
export function buildMediaTree(
	files: Iterable<readonly [path: ByteString, file: IsoFile]>,
	epochSeconds: number,
): IsoDirectory {
	const directory = (): MutableIsoDirectory => ({
		...generatedAttributes(0o755, epochSeconds),
		type: "directory",
		entries: new Map(),
	});
	const root = directory();
	for (const [path, file] of files) {
		const names = path.split("/");
		const last = names.pop();
		assert(last !== undefined && last !== "", `no file name in ${path}`);
		let parent = root;
		for (const name of names) {
			const known = parent.entries.get(name);
			assert(known === undefined || known.type === "directory", `${path} lies below a file`);
			const next = (known as MutableIsoDirectory | undefined) ?? directory();
			parent.entries.set(name, next);
			parent = next;
		}
		assert(!parent.entries.has(last), `two files at ${path}`);
		parent.entries.set(last, file);
	}
	return root;
}

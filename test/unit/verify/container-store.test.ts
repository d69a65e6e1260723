import { describe, expect, it } from "vitest";
import { NO_XATTRS } from "../../../src/binary/xattrs.ts";
import { linkNameOf } from "../../../src/oci/storage/store-names.ts";
import type { RootDirectory, RootInode } from "../../../src/rootfs/root-inode.ts";
import { storeInRoot, withoutStore } from "../../../src/verify/container-store.ts";

const inode = { mode: 0, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 }, xattrs: NO_XATTRS };
const identity = { ...inode, inodeNumber: 1, linkCount: 1, number: 0 };
const directory = (entries: Readonly<Record<string, RootInode>> = {}): RootDirectory => {
	return { type: "directory", ...identity, entries: new Map(Object.entries(entries)) };
};
const link = (target: string): RootInode => ({ type: "symlink", ...identity, target });
const layout = { byteLength: 0, firstBlock: 0, async *extents() {} };
const store = directory({
	overlay: directory({ l: directory({ [linkNameOf("ab")]: link("../ab/diff") }) }),
	"overlay-images": directory({
		"images.json": { type: "file", ...identity, byteLength: 0, sparseBytes: 0, layout },
	}),
});

describe("container storage of a live root", () => {
	it("is found where a link of the image leads, as it was put there", () => {
		const root = directory({
			srv: directory({ storage: store }),
			var: directory({ lib: directory({ containers: link("/srv") }) }),
		});
		const found = storeInRoot(root);
		expect(found).toEqual({ store, path: "srv/storage" });
		if (found !== undefined) expect(withoutStore(root, found, () => true).entries.get("srv")).toEqual(directory());
	});

	it("is not found through links that lead nowhere, or round", () => {
		const [a, b] = [link("b"), link("a")];
		const at = (containers: RootInode) => directory({ a, b, var: directory({ lib: directory({ containers }) }) });
		for (const target of ["/a", "/nowhere"]) expect(storeInRoot(at(link(target)))).toBeUndefined();
	});
});

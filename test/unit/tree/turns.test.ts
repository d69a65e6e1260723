import { describe, expect, it } from "vitest";
import { atOnce, inTurns, type Steps } from "../../../src/binary/turns.ts";
import type { TarEntry } from "../../../src/formats/tar/entry.ts";
import { leavingOut } from "../../../src/layers/filter.ts";
import type { DirectoryInode } from "../../../src/tree/inode.ts";
import { TreeMerger } from "../../../src/tree/merge.ts";

const ENTRIES = 60_000;
const attributes = { mode: 0o755, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 }, xattrs: new Map() };

function entry(index: number): TarEntry {
	const path = `d${index % 100}/d${index % 1000}/f${index}`;
	return {
		...attributes,
		type: "file",
		path,
		index,
		byteLength: 0,
		linkTarget: "",
		major: 0,
		minor: 0,
	} as unknown as TarEntry;
}

function merger(): TreeMerger {
	const merging = new TreeMerger({ layerCount: 1 });
	const layer = merging.layer(0);
	for (let i = 0; i < ENTRIES; i++) layer.entry(entry(i));
	atOnce(layer.finishing());
	return merging;
}

/** An abort that comes once the work has begun, as a signal would. */
async function stopped(work: Steps<unknown>): Promise<unknown> {
	const controller = new AbortController();
	setImmediate(() => controller.abort());
	return inTurns(work, controller.signal).catch((error: unknown) => error);
}

describe("work on a whole tree", () => {
	it("ends when it is asked to, and does the same where it is not", async () => {
		expect(await stopped(merger().settling())).toMatchObject({ code: "INTERRUPTED" });
		const { root } = await inTurns(merger().settling());
		const count = (directory: DirectoryInode): number =>
			[...directory.entries.values()].reduce((sum, inode) => sum + (inode.type === "directory" ? count(inode) : 1), 0);
		expect(count(root)).toBe(ENTRIES);
		expect(await stopped(leavingOut(root, (path) => path.endsWith("7")))).toMatchObject({ code: "INTERRUPTED" });
		const { root: kept, excludedPaths } = await inTurns(leavingOut(root, (path) => path.endsWith("7")));
		expect([count(root), excludedPaths > 0, count(kept) < ENTRIES]).toEqual([ENTRIES, true, true]);
	});
});

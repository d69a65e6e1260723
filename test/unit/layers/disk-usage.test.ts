import { describe, expect, it } from "vitest";
import { atOnce } from "../../../src/binary/turns.ts";
import { createCompressor } from "../../../src/codec/compressor.ts";
import { type DiskUsage, measuringUsage } from "../../../src/layers/disk-usage.ts";
import type { DirectoryInode, FileInode } from "../../../src/tree/inode.ts";
import { noise } from "../../support/noise.ts";
import { MemorySink, TreeBuilder, writeTree } from "../../support/trees.ts";

const BLOCK_BYTES = 4096;

async function measure(tree: TreeBuilder, root: DirectoryInode) {
	const compressor = await createCompressor({ codec: "zstd", level: 1, blockBytes: BLOCK_BYTES, threads: 1 });
	const partsOf = (file: FileInode) => tree.contents.get(file) ?? [];
	const options = { blockBytes: BLOCK_BYTES };
	const { writer, stored } = await writeTree(root, partsOf, new MemorySink(), compressor, options);
	await compressor.close();
	const { data } = writer;
	const usage = atOnce(
		measuringUsage(root, { stored: (file) => stored.get(file), layoutOf: (file) => data.layoutOf(file) }),
	);
	return { usage, statistics: data.statistics };
}

const sum = (parts: readonly DiskUsage[]): number => parts.reduce((total, { storedBytes }) => total + storedBytes, 0);
const count = ({ children }: DiskUsage): number => children.reduce((total, child) => total + count(child), 1);

describe("measuringUsage", () => {
	it("gives every byte of the data to one layer, one file, and names what is shared", async () => {
		const tree = new TreeBuilder();
		const inLayer = (layer: number, content: Uint8Array | string | { readonly hole: number }[]) =>
			Object.assign(tree.file(content), { layer });
		const large = noise(50_000, 1);
		const linked = inLayer(2, noise(9000, 2));
		const root = tree.directory({
			usr: tree.directory({
				a: inLayer(0, large),
				b: inLayer(1, large),
				small: inLayer(0, "tail of a fragment block"),
				other: inLayer(2, "another tail"),
				hole: inLayer(1, [{ hole: 1_000_000 }]),
				empty: inLayer(1, ""),
			}),
			linked,
			again: linked,
		});
		const { usage, statistics } = await measure(tree, root);
		expect(sum(usage)).toBe(statistics.storedBytes);
		expect(usage.map(({ layer, files, sharedBytes }) => ({ layer, files, sharedBytes }))).toEqual([
			{ layer: 2, files: 3, sharedBytes: 9000 },
			{ layer: 1, files: 3, sharedBytes: 0 },
			{ layer: 0, files: 2, sharedBytes: 50_000 },
		]);
		expect(usage[1]?.children).toMatchObject([{ name: "usr", children: [{ name: "b", contentBytes: 50_000 }] }]);
		expect(usage[0]?.children.map(({ name }) => name)).toContain("again");
	});

	it("does not grow with the image, and tells the large ones apart", async () => {
		const tree = new TreeBuilder();
		const many = Array.from({ length: 30_000 }, (_, index): [string, FileInode] => [
			`f${index}`,
			tree.file(`${index}`),
		]);
		let deep = tree.directory({ file: tree.file(noise(5000, 3)) });
		for (let depth = 0; depth < 2000; depth++) deep = tree.directory({ d: deep });
		const root = tree.directory({
			many: tree.directory(Object.fromEntries(many)),
			deep,
			large: tree.file(noise(90_000, 4)),
		});
		const { usage, statistics } = await measure(tree, root);
		expect(sum(usage)).toBe(statistics.storedBytes);
		expect(usage.map(count)[0]).toBeLessThan(50);
		expect(usage[0]?.children.map(({ name }) => name)).toContain("large");
		expect(usage[0]?.files).toBe(30_002);
	});
});

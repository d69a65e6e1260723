import { readFileSync } from "node:fs";
import type { DirectoryInode, Inode } from "../../src/tree/inode.ts";
import { noise } from "./noise.ts";
import { TreeBuilder } from "./trees.ts";

/** Every type of inode, block boundaries, odd names, many sets of attributes. */
export function richTree(blockBytes: number): { tree: TreeBuilder; root: DirectoryInode } {
	const tree = new TreeBuilder();
	const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");
	const program = readFileSync(process.execPath).subarray(8_000_000, 9_500_000);
	const hard = tree.file("linked twice");
	const sizes = [0, 1, blockBytes - 1, blockBytes, blockBytes + 1, 3 * blockBytes + 5, 1_200_000];
	const files = Object.fromEntries(
		sizes.flatMap((size, i): [string, Inode][] => [
			[`noise-${size}`, tree.file(noise(size, i))],
			[`text-${size}`, tree.file(Buffer.alloc(size, `line ${i}\n`))],
			[`zeros-${size}`, tree.file(new Uint8Array(size))],
			[`holes-${size}`, tree.file([{ hole: size }, noise(10, i), { hole: size }])],
			[`twice-${size}`, tree.file(noise(size, i))],
		]),
	);
	const names = tree.directory();
	for (const name of ["\xff\xfe", "a".repeat(255), " ", "\n", "\\", "caf\xc3\xa9", "-rf", "'\"$`"])
		names.entries.set(name, tree.file(name));
	const many = Object.fromEntries(
		// More ids than one block of their table has.
		Array.from({ length: 2100 }, (_, i): [string, Inode] => [
			`number ${i}`,
			tree.file(`file ${i}`, { uid: i, gid: 70_000 + (i % 9), xattrs: i % 5 ? {} : { "user.i": `${i % 50}` } }),
		]),
	);
	const special = { "trusted.t": "t", "security.s": noise(300, 9) };
	const root = tree.directory(
		{
			program: tree.file(program, { mode: 0o4755, xattrs: { "security.capability": capability } }),
			"program again": tree.file(program, { mode: 0o755, mtime: 1 }),
			hard,
			sub: tree.directory(
				{ hard, empty: tree.directory({}, { xattrs: special }) },
				{ mode: 0o1777, uid: 4_000_000_000 },
			),
			files: tree.directory(files),
			names,
			many: tree.directory(many, { xattrs: special }),
			symlink: tree.symlink("../a/target"),
			"long symlink": tree.symlink("t/".repeat(2000), { xattrs: special }),
			null: tree.device("character-device", 1, 3),
			large: tree.device("block-device", 4095, 0xf_ffff, { xattrs: special }),
			whiteout: tree.device("character-device", 0, 0),
			fifo: tree.ipc("fifo", { xattrs: special }),
			socket: tree.ipc("socket", { mtime: 2 ** 32 - 1 }),
			value: tree.file("v", { xattrs: { "user.large": noise(60_000, 4), "user.empty": "" } }),
			"value again": tree.file("w", { xattrs: { "user.large": noise(60_000, 4), "user.b": "b" } }),
		},
		{ mtime: 1_234_567 },
	);
	return { tree, root };
}

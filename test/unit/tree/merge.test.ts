import { describe, expect, it } from "vitest";
import { atOnce } from "../../../src/binary/turns.ts";
import { TreeMerger } from "../../../src/tree/merge.ts";
import { codeOf } from "../../support/error-code.ts";
import { readTar, type TarMember, tarArchive } from "../../support/tar-fixtures.ts";
import { drawTree, type Layers, mergeLayers, neededBodies, rowsOf } from "./layers.ts";
import { scenarios } from "./scenarios.ts";

describe("TreeMerger", () => {
	for (const { name, layers, tree, error } of scenarios) {
		if (tree !== undefined) it(name, () => expect(drawTree(mergeLayers(layers).tree.root)).toEqual(tree));
		else it(`${name}: ${error}`, () => expect(codeOf(() => mergeLayers(layers))).toBe(`corrupt ${error}`));
	}

	it("gives the root its entry's attributes, and plain ones without an entry", () => {
		const later = { seconds: 7, nanoseconds: 1 };
		const named = mergeLayers([[{ path: "./", type: "directory", mode: 0o1700, uid: 5, gid: 6, mtime: later }]]);
		expect(rowsOf(named.tree.root).get("")).toMatchObject({ mode: 0o1700, owner: "5:6", mtime: "7.1" });
		const unnamed = mergeLayers([[{ path: "a" }]], { createdParentTime: { seconds: 9, nanoseconds: 0 } });
		expect(rowsOf(unnamed.tree.root).get("")).toMatchObject({ mode: 0o755, owner: "0:0", mtime: "9.0" });
	});

	describe("when a layer empties the root before anything else", () => {
		const root = { path: "./", type: "directory" as const, mode: 0o711 };
		const lower: Layers = [
			[root, { path: "lib", type: "symlink", linkTarget: "usr/lib" }, { path: "usr/lib/a" }],
			[{ path: "b" }],
		];
		const decides = (top: Layers[number]): boolean => {
			const merger = new TreeMerger({ layerCount: 3 });
			const layer = merger.layer(2);
			for (const entry of readTar(tarArchive(top))) layer.entry(entry);
			atOnce(layer.finishing());
			return merger.decidesAllBelow;
		};

		it("needs no layer below, and the tree is the same without them", () => {
			const top = [root, { path: ".wh..wh..opq" }, { path: "lib/x" }, { path: "c" }];
			expect(decides(top)).toBe(true);
			const merger = new TreeMerger({ layerCount: 3 });
			const layer = merger.layer(2);
			for (const entry of readTar(tarArchive(top))) layer.entry(entry);
			atOnce(layer.finishing());
			merger.skipRest();
			expect(rowsOf(atOnce(merger.settling()).root)).toEqual(rowsOf(mergeLayers([...lower, top]).tree.root));
		});

		it("needs them where the root's attributes, a link or an earlier entry's place may come from below", () => {
			expect(decides([{ path: ".wh..wh..opq" }, { path: "c" }])).toBe(false);
			expect(decides([root, { path: "lib/x" }, { path: ".wh..wh..opq" }])).toBe(false);
			expect(decides([root, { path: "etc/.wh..wh..opq" }])).toBe(false);
			expect(decides([root, { path: "c" }])).toBe(false);
		});
	});

	it("takes a layer that comes twice from its first reading, with links that stay apart", () => {
		const twice = [
			{ path: "a", uid: 3 },
			{ path: "l", type: "symlink" as const, linkTarget: "a" },
			{ path: "d/.wh.x" },
		];
		const layers: Layers = [twice, [{ path: "b", type: "hard-link", linkTarget: "a" }, { path: "d/x" }], twice];
		const merger = new TreeMerger({ layerCount: 3 });
		for (const index of [2, 1]) {
			const layer = merger.layer(index);
			for (const entry of readTar(tarArchive(layers[index] ?? []))) layer.entry(entry);
			atOnce(layer.finishing());
		}
		merger.repeat(0, 2);
		const { root } = atOnce(merger.settling());
		const drawn = drawTree(mergeLayers(layers).tree.root);
		expect(drawTree(root)).toEqual(drawn.map((line) => line.replace("@0:", "@2:")));
		expect(rowsOf(root).get("b")?.sameAs).toBeUndefined();
		expect(neededBodies(root)).toEqual(["2:0"]);
	});

	it("makes missing parents plain directories with the chosen time, and says so", () => {
		const { tree } = mergeLayers([[{ path: "a/b/c", uid: 3 }]], { createdParentTime: { seconds: 9, nanoseconds: 0 } });
		const plain = { type: "directory", mode: 0o755, owner: "0:0", mtime: "9.0", xattrs: "" };
		expect(rowsOf(tree.root).get("a")).toMatchObject(plain);
		expect(rowsOf(tree.root).get("a/b")).toMatchObject(plain);
		expect(tree.notes).toEqual([expect.stringContaining("2 directories have no entry of their own")]);
	});

	it("replaces all attributes of a directory that an upper layer names again, and keeps them when only children change", () => {
		const xattrs = new Map([["user.a", Buffer.from("1")]]);
		const lower = { path: "d", type: "directory" as const, mode: 0o700, uid: 1, gid: 2, xattrs };
		const mtime = { seconds: -5, nanoseconds: 999_999_999 };
		const kept = mergeLayers([[{ ...lower, mtime }], [{ path: "d/x" }, { path: "d/.wh.y" }]]);
		expect(rowsOf(kept.tree.root).get("d")).toMatchObject({ mode: 0o700, mtime: "-5.999999999", xattrs: "user.a=31" });
		const renamed = mergeLayers([[lower], [{ path: "d", type: "directory", mode: 0o755, mtime }]]);
		expect(rowsOf(renamed.tree.root).get("d")).toMatchObject({ mode: 0o755, owner: "0:0", xattrs: "" });
	});

	it("ignores the attributes of a hard link's own entry", () => {
		const { tree } = mergeLayers([
			[
				{ path: "a", mode: 0o600, uid: 1 },
				{ path: "b", type: "hard-link", linkTarget: "a", mode: 0o777 },
			],
		]);
		expect(rowsOf(tree.root).get("b")).toMatchObject({ mode: 0o600, owner: "1:0", sameAs: "a" });
	});

	it("gives symbolic links the mode that Linux shows for them", () => {
		const { tree } = mergeLayers([[{ path: "s", type: "symlink", linkTarget: "x", mode: 0o600 }]]);
		expect(rowsOf(tree.root).get("s")?.mode).toBe(0o777);
	});

	it("names what gave way to directories, and what links of lower layers led elsewhere", () => {
		const link = (path: string, linkTarget: string): TarMember => ({ path, type: "symlink", linkTarget });
		const { tree } = mergeLayers([
			[{ path: "usr/lib/old" }, link("lib", "usr/lib"), { path: "f" }, link("gone", "nowhere"), { path: "usr/x/y" }],
			[
				{ path: "lib/driver" },
				{ path: "lib/d/", type: "directory" },
				{ path: "lib/.wh.old" },
				{ path: "lib/.wh.none" },
				{ path: "f/x" },
				{ path: "gone/x" },
				{ path: "usr/own", type: "symlink", linkTarget: "x" },
				{ path: "usr/own/y" },
				{ path: "usr/own/.wh.y" },
			],
		]);
		expect(tree.notes).toEqual([
			expect.stringContaining("directories have no entry of their own"),
			expect.stringMatching(/^2 files or links of a lower layer gave way .*: f \(file\), gone \(symlink\)$/),
			expect.stringMatching(/^2 entries .*: lib\/driver \(at usr\/lib\/driver\), lib\/d \(at usr\/lib\/d\)$/),
			expect.stringMatching(/^1 whiteouts .*: lib\/old \(at usr\/lib\/old\)$/),
		]);
	});

	it("names no more than fifty of them", () => {
		const lower = [{ path: "t/x" }, { path: "l", type: "symlink" as const, linkTarget: "t" }];
		const { notes } = mergeLayers([lower, Array.from({ length: 70 }, (_, i) => ({ path: `l/${i}` }))]).tree;
		expect(notes.at(-1)).toMatch(/^70 entries .* l\/49 \(at t\/49\) and 20 more$/);
	});

	it("notes aufs metadata", () => {
		expect(mergeLayers([[{ path: ".wh..wh.plnk" }]]).tree.notes).toEqual([
			expect.stringContaining("1 entries of aufs"),
		]);
	});

	it("names the layer and the path in errors", () => {
		const merger = () => mergeLayers([[], [{ path: "a" }, { path: "a/\xff\n" }]]);
		expect(merger).toThrow(/layer 1, a\/\\xff\\x0a/);
	});

	it("stops images whose paths multiply the work", () => {
		// Each link walks 800 components and goes on to the next.
		const linkTarget = (i: number): string => `${"d/../".repeat(400)}l${i}`;
		const links = Array.from(
			{ length: 100 },
			(_, i): TarMember => ({ path: `l${i}`, type: "symlink", linkTarget: linkTarget(i + 1) }),
		);
		const layer: TarMember[] = [
			{ path: "d", type: "directory" },
			...links,
			{ path: "l100", type: "directory" },
			{ path: "l0/x" },
		];
		expect(codeOf(() => mergeLayers([layer], { maxLookupSteps: 60_000 }))).toBe("corrupt TREE_TOO_COSTLY");
		expect(codeOf(() => mergeLayers([layer], { maxLookupSteps: 100_000 }))).toBe("no error");
		const lower = Array.from({ length: 1000 }, (_, i): TarMember => ({ path: `e/${i}` }));
		const upper = [...lower, ...Array.from({ length: 100 }, (): TarMember => ({ path: "e/.wh..wh..opq" }))];
		expect(codeOf(() => mergeLayers([lower, upper], { maxLookupSteps: 60_000 }))).toBe("corrupt TREE_TOO_COSTLY");
	});

	it("shares equal extended attributes", () => {
		const label = (path: string) => ({ path, xattrs: new Map([["security.selinux", Buffer.from("x\0")]]) });
		const { entries } = mergeLayers([[label("a"), label("b")]]).tree.root;
		expect(entries.get("a")?.xattrs).toBe(entries.get("b")?.xattrs);
	});
});

describe("what need not be kept", () => {
	const verdicts = (layers: Layers): string[] => [...mergeLayers(layers).skipped].sort();

	it("is what upper layers replace, white out or make opaque", () => {
		const lower = ["same", "gone", "dir/deep/x", "opaque/x", "file/x", "kept", "opaque-sibling"].map((path) => ({
			path,
		}));
		const upper = [
			{ path: "same" },
			{ path: ".wh.gone" },
			{ path: ".wh.dir" },
			{ path: "opaque/.wh..wh..opq" },
			{ path: "file" },
		];
		expect(verdicts([lower, upper])).toEqual(["0:0", "0:1", "0:2", "0:3", "0:4", "1:1", "1:2", "1:3"]);
	});

	it("is never decided by the same layer", () => {
		expect(
			verdicts([[{ path: "a" }, { path: ".wh.a" }, { path: "a" }, { path: "d/x" }, { path: "d/.wh..wh..opq" }]]),
		).toEqual(["0:1", "0:4"]);
	});

	it("is not what lies below an upper symbolic link, which may lead to it", () => {
		expect(verdicts([[{ path: "lib/x" }], [{ path: "lib", type: "symlink", linkTarget: "usr/lib" }]])).toEqual(["1:0"]);
	});

	it("is not the target of an upper hard link", () => {
		const upper = [{ path: "b", type: "hard-link" as const, linkTarget: "./a" }, { path: ".wh.a" }];
		expect(verdicts([[{ path: "a" }], upper])).toEqual(["1:0", "1:1"]);
	});

	/** Cases that the guess gets wrong: the tree has what was skipped, so that the layer is read again. */
	const wrong: Record<string, Layers> = {
		"another link of the replaced file": [
			[{ path: "a" }, { path: "b", type: "hard-link", linkTarget: "a" }],
			[{ path: "a" }],
		],
		"the whited-out name was a symbolic link to where the file is": [
			[
				{ path: "usr/lib", type: "directory" },
				{ path: "lib", type: "symlink", linkTarget: "usr/lib" },
				{ path: "lib/x" },
			],
			[{ path: ".wh.lib" }],
		],
		"a hard link names its target through a symbolic link": [
			[{ path: "usr/x" }, { path: "s", type: "symlink", linkTarget: "usr" }],
			[{ path: "y", type: "hard-link", linkTarget: "s/x" }, { path: "usr/.wh.x" }],
		],
	};
	for (const [name, layers] of Object.entries(wrong))
		it(`is put right when ${name}`, () => {
			const { tree, skipped } = mergeLayers(layers);
			const needed = neededBodies(tree.root);
			expect(needed.filter((body) => skipped.has(body)).length).toBe(1);
		});
});

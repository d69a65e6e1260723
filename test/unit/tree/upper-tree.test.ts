import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { atOnce } from "../../../src/binary/turns.ts";
import { Oci2isoError } from "../../../src/errors.ts";
import type { DirectoryInode, Inode } from "../../../src/tree/inode.ts";
import { createLookup } from "../../../src/tree/lookup.ts";
import { TreeMerger } from "../../../src/tree/merge.ts";
import { LowerLayersNeeded } from "../../../src/tree/unknown-below.ts";
import { readTar, type TarMember, tarArchive } from "../../support/tar-fixtures.ts";
import { arbitraryLayers, type Layers, mergeEntries } from "./layers.ts";
import { applicableLayers } from "./model.ts";

/** The tree of the `count` uppermost layers, or why there is none. */
function upperTree(layers: Layers, count: number): DirectoryInode | LowerLayersNeeded | Oci2isoError {
	const merger = new TreeMerger({ layerCount: layers.length });
	try {
		for (let index = layers.length - 1; index >= layers.length - count; index--) {
			const layer = merger.layer(index);
			for (const entry of readTar(tarArchive(layers[index] ?? []))) layer.entry(entry);
			atOnce(layer.finishing());
		}
		return atOnce(merger.growingUpperTree());
	} catch (error) {
		if (error instanceof LowerLayersNeeded || error instanceof Oci2isoError) return error;
		throw error;
	}
}

function describeInode(inode: Inode | undefined): string {
	if (inode === undefined) return "nothing";
	const attributes = `${inode.type} ${inode.mode} ${inode.uid}`;
	if (inode.type === "directory") return inode.type;
	if (inode.type === "symlink") return `${attributes} ${inode.target}`;
	return inode.type === "file" ? `${attributes} ${inode.layer}:${inode.entry}` : attributes;
}

/** What is at a path, or in a directory; undefined where that cannot be known. */
function ask(root: DirectoryInode, path: string, followLast: boolean): string | undefined {
	try {
		if (path.endsWith("/*")) {
			const found = createLookup(root)(path.slice(0, -2));
			return found?.inode.type === "directory" ? [...found.inode.entries.keys()].sort().join(" ") : "none";
		}
		const found = createLookup(root)(path, { followLast });
		return `${found?.path} ${describeInode(found?.inode)}`;
	} catch (error) {
		if (error instanceof LowerLayersNeeded) return undefined;
		if (error instanceof Oci2isoError) return error.code;
		throw error;
	}
}

const names = ["a", "b", "c", "d"];
const paths = names.flatMap((x) => [x, ...names.flatMap((y) => [`${x}/${y}`, ...names.map((z) => `${x}/${y}/${z}`)])]);
const questions = [...paths, ...["", ...paths].map((path) => `${path}/*`)];

const file = (path: string): TarMember => ({ path, content: Buffer.from(path) });
const directory = (path: string): TarMember => ({ path, type: "directory" });

/** Asks the tree of the upper layer of two. */
function known(upper: readonly TarMember[], path: string): string | undefined {
	const tree = upperTree([[], upper], 1);
	return "type" in tree ? ask(tree, path, true) : undefined;
}

describe("the tree of the upper layers", () => {
	it("answers nothing that the whole tree does not", () => {
		let answered = 0;
		let refused = 0;
		fc.assert(
			fc.property(arbitraryLayers, fc.nat(2), fc.boolean(), (random, cut, hasParents) => {
				// As most archives have it, every directory has an entry of its own.
				const parents = hasParents ? names.map((name) => directory(`${name}/`)) : [];
				const layers = applicableLayers([[], ...random.map((members) => [...parents, ...members])]);
				const upper = upperTree(layers, Math.min(layers.length - 1, cut + 1));
				const whole = mergeEntries(layers.map((members) => readTar(tarArchive(members)))).tree.root;
				expect(upper).not.toBeInstanceOf(Oci2isoError);
				if (!("type" in upper)) {
					refused++;
					return;
				}
				for (const question of questions)
					for (const followLast of [true, false]) {
						const answer = ask(upper, question, followLast);
						if (answer === undefined) refused++;
						else {
							answered++;
							expect(`${question}: ${answer}`).toBe(`${question}: ${ask(whole, question, followLast)}`);
						}
					}
			}),
			{ seed: 20240917, numRuns: 300 },
		);
		expect(answered).toBeGreaterThan(5000);
		expect(refused).toBeGreaterThan(5000);
	});

	it("knows what it has, whatever is below", () => {
		const upper = [directory("a/"), file("a/b")];
		expect(known(upper, "a/b")).toContain("file");
		expect(known(upper, "a/c")).toBeUndefined();
		expect(known(upper, "a/*")).toBeUndefined();
		expect(known(upper, "b")).toBeUndefined();
	});

	it("knows what whiteouts, opaque directories and files in their place leave nothing of", () => {
		const upper = [
			{ path: ".wh.d" },
			directory("a/"),
			{ path: "a/.wh..wh..opq" },
			directory("a/b/"),
			file("c"),
			directory("b/"),
			{ path: "b/.wh.a" },
		];
		expect(known(upper, "d")).toContain("nothing");
		expect(known(upper, "d/a")).toContain("nothing");
		expect(known(upper, "a/*")).toBe("b");
		expect(known(upper, "a/b/*")).toBe("");
		expect(known(upper, "c/a")).toContain("nothing");
		expect(known(upper, "b/a")).toContain("nothing");
		expect(known(upper, "b/b")).toBeUndefined();
	});

	it("knows everything once the root is opaque", () => {
		const upper = [{ path: ".wh..wh..opq" }, file("a/b")];
		expect(known(upper, "a/b")).toContain("file");
		expect(known(upper, "/*")).toBe("a");
	});
});

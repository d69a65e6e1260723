import { rmSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ByteString } from "../../src/binary/byte-string.ts";
import { Oci2isoError } from "../../src/errors.ts";
import { requires } from "../support/requires.ts";
import { roundsOf } from "../support/slow.ts";
import { readTar, type TarMember, tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { diskRows, NOW, unpackLayers } from "../support/unpacked-rows.ts";
import { arbitraryLayers, type Layers, mergeLayers, type Row, rowsOf } from "../unit/tree/layers.ts";
import { applicableLayers, runModel } from "../unit/tree/model.ts";
import { scenarios } from "../unit/tree/scenarios.ts";

const reason = requires("umoci", "getfattr", "root");
const RANDOM_CASES = roundsOf(600);
const scratch = temporaryDirectory("tree");
let imageCount = 0;

/** Every file's content says which entry it came from. */
function withTellingContents(layers: Layers): Layers {
	return layers.map((members, layer) =>
		members.map((member, entry): TarMember => {
			const isFile = (member.type ?? "file") === "file";
			return isFile ? { ...member, content: Buffer.from(`body ${layer}:${entry}`) } : member;
		}),
	);
}

/** What umoci makes of the layers, or undefined where it fails. */
function unpack(layers: Layers): Map<ByteString, Row> | undefined {
	const root = join(scratch, `root-${imageCount++}`);
	try {
		return unpackLayers(layers, join(scratch, "image"), root) === undefined ? diskRows(root) : undefined;
	} finally {
		rmSync(root, { recursive: true, force: true });
	}
}

/** Our rows, with contents instead of where they are stored, and without the times that umoci leaves to the clock. */
function ours(layers: Layers, theirs: ReadonlyMap<ByteString, Row>): Map<ByteString, Row> {
	const rows = rowsOf(mergeLayers(layers).tree.root);
	for (const [path, row] of rows) {
		row.detail = row.detail.replace(/^(body \S+), .*$/, "$1");
		if (theirs.get(path)?.mtime === NOW) row.mtime = NOW;
	}
	return rows;
}

describe.skipIf(reason !== undefined)("merge against umoci raw unpack", () => {
	for (const { name, layers, tree, unlikeUmoci } of scenarios) {
		if (unlikeUmoci !== undefined) continue;
		it(name, () => {
			const telling = withTellingContents(layers);
			const theirs = unpack(telling);
			if (tree === undefined) expect(theirs).toBeUndefined();
			else {
				expect(theirs).toBeDefined();
				if (theirs !== undefined) expect(ours(telling, theirs)).toEqual(theirs);
			}
		});
	}

	it("gives the same tree for random layers that can be applied", () => {
		let names = 0;
		let unclocked = 0;
		fc.assert(
			fc.property(arbitraryLayers, (layers) => {
				const telling = withTellingContents(applicableLayers(layers, (model) => !model.isUnlikeUmoci));
				const theirs = unpack(telling);
				if (theirs === undefined) throw new Error("umoci refuses what we accept");
				expect(ours(telling, theirs)).toEqual(theirs);
				names += theirs.size;
				unclocked += [...theirs.values()].filter(({ mtime }) => mtime !== NOW).length;
			}),
			{ seed: 31_415, numRuns: RANDOM_CASES },
		);
		expect(unclocked / names).toBeGreaterThan(0.5);
	});

	it("refuses the same random layers", () => {
		let refused = 0;
		fc.assert(
			fc.property(arbitraryLayers, (layers) => {
				const telling = withTellingContents(layers);
				if (runModel(layers.map((members) => readTar(tarArchive(members))))?.isUnlikeUmoci === true) return;
				const theirs = unpack(telling);
				if (theirs !== undefined) {
					expect(ours(telling, theirs)).toEqual(theirs);
					return;
				}
				refused++;
				expect(() => mergeLayers(telling)).toThrow(Oci2isoError);
			}),
			{ seed: 27_182, numRuns: RANDOM_CASES / 2 },
		);
		expect(refused).toBeGreaterThan(RANDOM_CASES / 15);
	});
});

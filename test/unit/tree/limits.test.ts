import { describe, expect, it } from "vitest";
import { atOnce } from "../../../src/binary/turns.ts";
import type { TarEntry } from "../../../src/formats/tar/entry.ts";
import { TreeMerger, type TreeMergerOptions } from "../../../src/tree/merge.ts";
import { codeOf } from "../../support/error-code.ts";

const entry = (path: string, more: Partial<TarEntry> = {}): TarEntry => ({
	index: 0,
	type: "file",
	path,
	linkTarget: "",
	mode: 0o644,
	uid: 0,
	gid: 0,
	byteLength: 0,
	mtime: { seconds: 0, nanoseconds: 0 },
	major: 0,
	minor: 0,
	xattrs: new Map(),
	archiveOffset: 0,
	...more,
});

function merge(limits: Partial<TreeMergerOptions>, entries: readonly TarEntry[]): string {
	return codeOf(() => {
		const merger = new TreeMerger({ layerCount: 2, ...limits });
		const layer = merger.layer(1);
		for (const one of entries) layer.entry(one);
		atOnce(layer.finishing());
		merger.repeat(0, 1);
		atOnce(merger.settling());
	});
}

describe("limits of the tree", () => {
	const ten = Array.from({ length: 10 }, (_, i) => entry(`f${i}`));

	it("count whiteouts, layers that come twice, and directories that no entry names", () => {
		expect(merge({ maxInodes: 20 }, ten)).toBe("no error");
		expect(merge({ maxInodes: 19 }, ten)).toBe("corrupt TOO_MANY_ENTRIES");
		const whiteouts = Array.from({ length: 11 }, (_, i) => entry(`.wh.f${i}`));
		expect(merge({ maxInodes: 10 }, whiteouts)).toBe("corrupt TOO_MANY_ENTRIES");
		expect(merge({ maxInodes: 10 }, [entry("a/b/c/d/e/f/g/h/i/j/k/l")])).toBe("corrupt TOO_MANY_ENTRIES");
	});

	it("count names, link targets and attributes as memory, equal attributes once", () => {
		expect(merge({ maxMetadataBytes: 20_000 }, ten)).toBe("no error");
		expect(merge({ maxMetadataBytes: 10_000 }, ten)).toBe("corrupt TREE_TOO_LARGE");
		const attributed = (value: (i: number) => string): TarEntry[] =>
			ten.map((one, i) => ({ ...one, xattrs: new Map([["user.a", Buffer.from(value(i))]]) }));
		expect(
			merge(
				{ maxMetadataBytes: 20_000 },
				attributed(() => "v".repeat(1000)),
			),
		).toBe("no error");
		expect(
			merge(
				{ maxMetadataBytes: 20_000 },
				attributed((i) => `${i}${"v".repeat(1000)}`),
			),
		).toBe("corrupt TREE_TOO_LARGE");
		expect(merge({ maxMetadataBytes: 20_000 }, [entry("a", { type: "symlink", linkTarget: "t".repeat(4000) })])).toBe(
			"no error",
		);
	});
});

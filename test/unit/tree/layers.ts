import fc from "fast-check";
import type { ByteString } from "../../../src/binary/byte-string.ts";
import { atOnce } from "../../../src/binary/turns.ts";
import type { TarEntry } from "../../../src/formats/tar/entry.ts";
import type { DirectoryInode, Inode } from "../../../src/tree/inode.ts";
import { type MergedTree, TreeMerger, type TreeMergerOptions } from "../../../src/tree/merge.ts";
import { walk } from "../../../src/tree/walk.ts";
import { readTar, type TarMember, tarArchive } from "../../support/tar-fixtures.ts";

/** Layers from the bottom, each a list of members in archive order. */
export type Layers = readonly (readonly TarMember[])[];

export interface MergeRun {
	readonly tree: MergedTree;
	/** What the merger said for each entry, "LAYER:ENTRY". */
	readonly stored: ReadonlySet<string>;
	readonly skipped: ReadonlySet<string>;
}

/** Writes the layers as archives, reads them, merges them. */
export function mergeLayers(layers: Layers, options: Omit<TreeMergerOptions, "layerCount"> = {}): MergeRun {
	return mergeEntries(
		layers.map((members) => readTar(tarArchive(members))),
		options,
	);
}

export function mergeEntries(
	layers: readonly (readonly TarEntry[])[],
	options: Omit<TreeMergerOptions, "layerCount"> = {},
): MergeRun {
	const merger = new TreeMerger({ layerCount: layers.length, ...options });
	const stored = new Set<string>();
	const skipped = new Set<string>();
	for (let index = layers.length - 1; index >= 0; index--) {
		const layer = merger.layer(index);
		for (const entry of layers[index] ?? [])
			(layer.entry(entry) === "store" ? stored : skipped).add(`${index}:${entry.index}`);
		atOnce(layer.finishing());
	}
	return { tree: atOnce(merger.settling()), stored, skipped };
}

/** The contents that a tree has, "LAYER:ENTRY", each once. */
export function neededBodies(root: DirectoryInode): string[] {
	const files = [...walk(root)].flatMap(({ inode }) => (inode.type === "file" ? [inode] : []));
	return [...new Set(files.map(({ layer, entry }) => `${layer}:${entry}`))];
}

/** Everything there is to know about one name, comparable. */
export interface Row {
	type: string;
	mode: number;
	owner: string;
	mtime: string;
	detail: string;
	xattrs: string;
	/** The first name of the same inode, for what has several. */
	sameAs: string | undefined;
}

/** The tree as rows by path ("" is the root), in byte order. */
export function rowsOf(root: DirectoryInode): Map<ByteString, Row> {
	const firstNames = new Map<Inode, ByteString>();
	const rows = new Map<ByteString, Row>();
	for (const { path, inode } of walk(root)) {
		const first = firstNames.get(inode);
		if (first === undefined) firstNames.set(inode, path);
		rows.set(path, {
			type: inode.type,
			mode: inode.mode,
			owner: `${inode.uid}:${inode.gid}`,
			mtime: `${inode.mtime.seconds}.${inode.mtime.nanoseconds}`,
			detail: detailOf(inode),
			xattrs: xattrsText(inode.xattrs),
			sameAs: first,
		});
	}
	return rows;
}

function detailOf(inode: Inode): string {
	switch (inode.type) {
		case "file":
			return `body ${inode.layer}:${inode.entry}, ${inode.byteLength} bytes`;
		case "symlink":
			return `-> ${inode.target}`;
		case "block-device":
		case "character-device":
			return `${inode.major}, ${inode.minor}`;
		default:
			return "";
	}
}

export function xattrsText(xattrs: ReadonlyMap<ByteString, Uint8Array> | undefined): string {
	return [...(xattrs ?? [])]
		.map(([name, value]) => `${name}=${Buffer.from(value).toString("hex")}`)
		.sort()
		.join(" ");
}

/** The tree drawn as one line for each name: `usr/ 755`, `usr/x @1:0`, `y -> x`, with `= FIRST` for further hard links. */
export function drawTree(root: DirectoryInode): string[] {
	return [...rowsOf(root)].slice(1).map(([path, row]) => {
		if (row.sameAs !== undefined) return `${path} = ${row.sameAs}`;
		if (row.type === "directory") return `${path}/`;
		if (row.type === "symlink") return `${path} ${row.detail}`;
		return row.type === "file"
			? `${path} @${/body (\S+),/.exec(row.detail)?.[1]}`
			: `${path} ${row.type} ${row.detail}`;
	});
}

const names = ["a", "b", "c", "d"];
const name = fc.constantFrom(...names);
const plainPath = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const decorate = fc.constantFrom<(path: string) => string>(
	(path) => path,
	(path) => path,
	(path) => path,
	(path) => `./${path}`,
	(path) => `/${path}`,
	(path) => `../${path}`,
	(path) => path.replace("/", "//"),
	(path) => path.replace("/", "/./"),
	(path) => `c/../${path}`,
	(path) => `${path}/`,
);
const path = fc.tuple(plainPath, decorate).map(([text, change]) => change(text));
const linkText = fc.oneof(
	plainPath,
	plainPath.map((text) => `/${text}`),
	plainPath.map((text) => `../${text}`),
	fc.constantFrom(".", "..", "/", "missing", "missing/../a", "a/missing", "../../../b"),
);
const mtime = fc.record({
	seconds: fc.constantFrom(0, 1, -1, 1_700_000_000, 2 ** 31, 2 ** 33, 1_600_000_000),
	nanoseconds: fc.constantFrom(0, 0, 1, 500_000_000, 123_456_789),
});
const attributes = fc.record({
	mode: fc.constantFrom(0o644, 0o755, 0o4755, 0o1777, 0o2750, 0, 0o600),
	uid: fc.constantFrom(0, 1, 70_000, 4_000_000_000),
	gid: fc.constantFrom(0, 5, 65_535, 4_000_000_000),
	mtime,
});
const xattrs = fc.constantFrom<ReadonlyMap<string, Uint8Array>>(
	new Map(),
	new Map(),
	new Map([["trusted.one", Buffer.from("1\0\n2")]]),
	new Map([
		["security.capability", Buffer.from("0100000200040000000000000000000000000000", "hex")],
		["trusted.b", Buffer.from([0xff])],
	]),
);
const content = fc.integer({ min: 0, max: 3 }).map((length) => Buffer.alloc(length, "x"));

/** With these weights most sequences of entries apply, and every rule is met often. */
const member: fc.Arbitrary<TarMember> = fc.oneof(
	{
		weight: 6,
		arbitrary: fc
			.tuple(path, attributes, xattrs, content)
			.map(([path, attributes, xattrs, content]) => ({ path, ...attributes, xattrs, content })),
	},
	{
		weight: 6,
		arbitrary: fc
			.tuple(path, attributes, xattrs)
			.map(([path, attributes, xattrs]) => ({ path, type: "directory" as const, ...attributes, xattrs })),
	},
	{
		weight: 3,
		arbitrary: fc
			.tuple(path, attributes, linkText)
			.map(([path, attributes, linkTarget]) => ({ path, type: "symlink" as const, ...attributes, linkTarget })),
	},
	{
		weight: 3,
		arbitrary: fc
			.tuple(path, path, attributes)
			.map(([path, linkTarget, attributes]) => ({ path, type: "hard-link" as const, linkTarget, ...attributes })),
	},
	{
		weight: 1,
		arbitrary: fc
			.tuple(path, attributes, fc.constantFrom("character-device", "block-device", "fifo"))
			.map(([path, attributes, type]) =>
				type === "fifo"
					? { path, type: "fifo" as const, ...attributes }
					: { path, type: type as "block-device", major: 8, minor: 300, ...attributes },
			),
	},
	{
		weight: 3,
		arbitrary: fc
			.tuple(fc.constantFrom("", "a/", "b/", "a/b/", "c/d/", "./a/"), name)
			.map(([parent, name]) => ({ path: `${parent}.wh.${name}` })),
	},
	{
		weight: 2,
		arbitrary: fc.constantFrom("", "a/", "b/", "a/b/", "c/").map((parent) => ({ path: `${parent}.wh..wh..opq` })),
	},
	{ weight: 1, arbitrary: attributes.map((attributes) => ({ path: "./", type: "directory" as const, ...attributes })) },
);

export const arbitraryLayers: fc.Arbitrary<Layers> = fc.array(fc.array(member, { minLength: 1, maxLength: 12 }), {
	minLength: 1,
	maxLength: 4,
});

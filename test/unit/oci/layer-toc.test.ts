import { describe, expect, it } from "vitest";
import { Oci2isoError } from "../../../src/errors.ts";
import { type BlobSource, RANGE_IGNORED } from "../../../src/oci/blob-source.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { createLayer, type Layer } from "../../../src/oci/layer.ts";
import type { LayerToc } from "../../../src/oci/toc/layer-toc.ts";
import { parseToc } from "../../../src/oci/toc/toc-entries.ts";
import { TocFault } from "../../../src/oci/toc/toc-fault.ts";
import { noise } from "../../support/noise.ts";
import { readTar, type TarMember } from "../../support/tar-fixtures.ts";
import {
	estargzFooter,
	estargzLayer,
	type TocLayer,
	type TocRecord,
	zstdChunkedLayer,
} from "../../support/toc-layers.ts";

const KINDS = [
	["eStargz", estargzLayer],
	["zstd:chunked", zstdChunkedLayer],
] as const;

const members: TarMember[] = [
	{ path: "etc/", type: "directory", mode: 0o755 },
	{ path: "etc/name-\xc3\xa9", content: noise(700, "small"), mtime: { seconds: 1_600_000_000, nanoseconds: 0 } },
	{ path: "etc/empty" },
	{ path: "usr/bin/tool", mode: 0o4755, uid: 7, gid: 8, content: noise(300_000, "large") },
	{ path: "usr/bin/link", type: "symlink", linkTarget: "tool" },
	{ path: "usr/bin/hard", type: "hard-link", linkTarget: "usr/bin/tool" },
	{ path: "dev/sda", type: "block-device", major: 8, minor: 1 },
	{ path: "etc/.wh.gone" },
	{
		path: "etc/capable",
		content: Buffer.from("x"),
		xattrs: new Map([["security.capability", Buffer.from([1, 0, 255])]]),
	},
	{ path: "zeros", content: Buffer.alloc(100_000) },
];

interface Opened {
	readonly layer: Layer;
	readonly notes: string[];
	readonly reads: { readonly offset: number; readonly byteLength: number }[];
	toc(): Promise<LayerToc | undefined>;
}

function open({ tar, blob, annotations }: TocLayer, changes: { bytes?: Buffer; withoutParts?: boolean } = {}): Opened {
	const bytes = changes.bytes ?? blob;
	const notes: string[] = [];
	const reads: { offset: number; byteLength: number }[] = [];
	const source: BlobSource = {
		async *blob() {
			yield bytes;
		},
		has: () => Promise.resolve(true),
		async *part(_, { start, end }) {
			reads.push({ offset: start, byteLength: end - start });
			expect(end).toBeLessThanOrEqual(bytes.byteLength);
			expect(end).toBeGreaterThan(start);
			if (changes.withoutParts === true)
				throw new Oci2isoError({ code: RANGE_IGNORED, kind: "registry", what: "whole blobs only" });
			const buffer = Buffer.from(bytes.subarray(start, end));
			yield buffer;
			buffer.fill(0xee);
		},
	};
	const descriptor = { mediaType: "", digest: digestOf(blob), size: bytes.byteLength, annotations };
	const layer = createLayer(source, descriptor, {
		index: 0,
		diffId: digestOf(tar),
		maxLayerBytes: 2 ** 30,
		note: (text) => notes.push(text),
	});
	return { layer, notes, reads, toc: () => layer.tableOfContents() };
}

const entriesOf = (tar: Buffer) =>
	readTar(tar)
		.filter(({ path }) => path !== "stargz.index.json")
		.map(({ content: _, holeBytes: __, archiveOffset: ___, ...entry }) => entry);

describe.each(KINDS)("a layer with a table of contents, %s", (format, make) => {
	it.each([
		["whole files", {}],
		["chunks", { chunkBytes: 7000 }],
		["chunks without digests of files", { chunkBytes: 7000, withoutFileDigests: true }],
		["no digests of files", { withoutFileDigests: true }],
	])("gives the archive's entries and contents, and reads no more than it needs: %s", async (_, options) => {
		const written = make(members, options);
		const { toc, reads, layer, notes } = open(written);
		const table = await toc();
		expect(table?.format).toBe(format);
		expect(table?.entries.map(({ archiveOffset: _, ...entry }) => entry)).toEqual(entriesOf(written.tar));
		for (const { path, type, content = Buffer.alloc(0) } of readTar(written.tar)) {
			const index = table?.entries.findIndex((entry) => entry.path === path) ?? -1;
			if (type === "file" && index >= 0) expect((await table?.content(index))?.equals(content), path).toBe(true);
		}
		const small = reads.filter(({ byteLength }) => byteLength < 5000);
		expect(small.length).toBeGreaterThan(1);
		expect(notes).toEqual([]);
		// The same layer is an ordinary one too.
		const pieces: Buffer[] = [];
		for await (const piece of layer.tar()) pieces.push(Buffer.from(piece));
		expect(Buffer.concat(pieces).equals(written.tar)).toBe(true);
	});

	it("is none without the manifest's word for it", async () => {
		const { toc, reads, notes } = open({ ...make(members), annotations: {} });
		expect(await toc()).toBeUndefined();
		expect([reads, notes]).toEqual([[], []]);
	});

	it("is none, with a note, where parts cannot be had", async () => {
		const { toc, notes } = open(make(members), { withoutParts: true });
		expect(await toc()).toBeUndefined();
		expect(notes).toEqual([expect.stringContaining("does not give parts")]);
	});

	const set = (key: string, value: unknown) => (records: TocRecord[]) => {
		const record = records.find(({ name }) => name === "usr/bin/tool");
		if (record !== undefined) record[key] = value;
		return undefined;
	};
	const LIES: readonly (readonly [string, (records: TocRecord[]) => unknown])[] = [
		["no object", () => [1, 2]],
		["another version", (entries) => ({ version: 2, entries })],
		["no entries", () => ({ version: 1 })],
		["an entry that is no object", () => ({ version: 1, entries: ["x"] })],
		["an unknown type", set("type", "whatever")],
		["a name with NUL", set("name", "a\0b")],
		["no name", set("name", "")],
		["a name that was not UTF-8", set("name", "caf\ufffd")],
		["half a character", set("name", "\ud800")],
		["a negative size", set("size", -1)],
		["a size beyond all numbers", set("size", 1e300)],
		["a fraction as mode", set("mode", 0.5)],
		["an owner that is no integer", set("uid", 2 ** 64)],
		["an offset behind the contents", set("offset", 2 ** 40)],
		["no offset", set("offset", undefined)],
		[
			"no digest at all",
			(records) => {
				for (const record of records) {
					record["digest"] = undefined;
					record["chunkDigest"] = undefined;
				}
			},
		],
		[
			"a link to nowhere",
			(records) => {
				for (const record of records) record["linkName"] = undefined;
			},
		],
		["a chunk before its file", (records) => ({ version: 1, entries: [{ type: "chunk", name: "x" }, ...records] })],
		[
			"chunks with a gap",
			(records) => {
				for (const record of records) {
					record["digest"] = undefined;
					if (record["type"] === "chunk") record["chunkOffset"] = Number(record["chunkOffset"]) + 1;
				}
			},
		],
		["a whole blob skipped for one file", set("innerOffset", 2 ** 40)],
		["a name that is an array", set("name", [])],
		["a type that is an object", set("type", {})],
		["attributes that are no text", set("xattrs", { a: 5 })],
	];

	it.each(LIES)("is not used when it has %s", async (_, change) => {
		const { toc, notes } = open(make(members, { chunkBytes: 7000, change }));
		expect(await toc()).toBeUndefined();
		expect(notes).toEqual([expect.stringContaining("its table of contents is not used: ")]);
	});

	it.each([
		[
			"another file's place",
			(records: TocRecord[]) => {
				const [small, tool] = ["etc/name-é", "usr/bin/tool"].map((wanted) =>
					records.find(({ name }) => name === wanted),
				);
				if (small === undefined || tool === undefined) throw new Error("no such records");
				tool["offset"] = small["offset"];
				if (small["endOffset"] !== undefined) tool["endOffset"] = small["endOffset"];
			},
		],
		["a larger size", set("size", 300_001)],
		["a smaller size", set("size", 299_999)],
		[
			"a place in the middle of a stream",
			(records: TocRecord[]) => {
				const tool = records.find(({ name }) => name === "usr/bin/tool");
				if (tool !== undefined) tool["offset"] = Number(tool["offset"]) + 9;
			},
		],
		["another digest", set("digest", `sha256:${"0".repeat(64)}`)],
	])("is a lie that is noticed when a file is read: %s", async (_, change) => {
		const table = await open(make(members, { change })).toc();
		const index = table?.entries.findIndex(({ path }) => path === "usr/bin/tool") ?? -1;
		await expect(table?.content(index)).rejects.toMatchObject({ code: "LAYER_TOC_MISMATCH", exitStatus: 5 });
	});

	it("has no say about a blob in which any byte of it is another", async () => {
		const written = make(members);
		for (let at = written.blob.byteLength - 900; at < written.blob.byteLength; at += 13) {
			const bytes = Buffer.from(written.blob);
			bytes[at] = (bytes[at] ?? 0) ^ 0x40;
			const table = await open(written, { bytes }).toc();
			// The bytes that matter are covered by its digest; of those around it some say nothing.
			if (table !== undefined) expect(table.entries.length).toBe(entriesOf(written.tar).length);
		}
	});
});

describe("parsing a table of contents", () => {
	const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

	it.each([
		["too many objects", `{"version":1,"entries":[${"{},".repeat(2_100_000)}{}]}`, "objects"],
		["too many values", `{"version":1,"entries":[${"0,".repeat(16_100_000)}0]}`, "values"],
		["a name nested deeply", `{"version":1,"entries":[{"type":"reg","name":${nested(100_000)}}]}`, "name"],
		["a type nested deeply", `{"version":1,"entries":[{"name":"a","type":${nested(100_000)}}]}`, "type"],
		["a version nested deeply", `{"version":${nested(100_000)}}`, "version"],
	])("refuses %s", (_, json, reason) => {
		expect(() => parseToc(Buffer.from(json), 1000)).toThrow(TocFault);
		expect(() => parseToc(Buffer.from(json), 1000)).toThrow(reason);
	});
});

describe("the place of a table of contents", () => {
	it.each([
		["beyond the blob", (position: string) => position.replace(/^\d+/, "99999999")],
		["of no bytes", (position: string) => position.replace(/:\d+:/, ":0:")],
		["of another type", (position: string) => position.replace(/1$/, "2")],
		["of too many bytes", (position: string) => position.replace(/:\d+:1$/, ":999999999999:1")],
		["in words", () => "near the end"],
		[
			"of another size",
			(position: string) => position.replace(/:(\d+):1$/, (_, size: string) => `:${Number(size) + 1}:1`),
		],
	])("is not believed: zstd:chunked, %s", async (_, change) => {
		const written = zstdChunkedLayer(members);
		const name = "io.github.containers.zstd-chunked.manifest-position";
		const annotations = { ...written.annotations, [name]: change(written.annotations[name] ?? "") };
		const { toc, notes } = open({ ...written, annotations });
		expect(await toc()).toBeUndefined();
		expect(notes.length).toBe(1);
	});

	it.each([0, 2 ** 40, 5])("is not believed: an eStargz footer that says %d", async (offset) => {
		const written = estargzLayer(members);
		const bytes = Buffer.concat([written.blob.subarray(0, -51), estargzFooter(offset)]);
		const { toc, notes } = open(written, { bytes });
		expect(await toc()).toBeUndefined();
		expect(notes.length).toBe(1);
	});

	it("is found under the older name too", async () => {
		const written = zstdChunkedLayer(members);
		const annotations = Object.fromEntries(
			Object.entries(written.annotations).map(([name, value]) => [name.replace("io.github.", "io."), value]),
		);
		expect((await open({ ...written, annotations }).toc())?.entries.length).toBe(members.length);
	});
});

import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../../src/binary/byte-writer.ts";
import { atOnce } from "../../../src/binary/turns.ts";
import { ByteCursor, writeSignedVarint, writeVarint } from "../../../src/cache/byte-cursor.ts";
import { BrokenIndex } from "../../../src/cache/failures.ts";
import type { IndexedEntry } from "../../../src/cache/layer-index-format.ts";
import { openingLayerIndex } from "../../../src/cache/layer-index-reader.ts";
import { LayerIndexWriter } from "../../../src/cache/layer-index-writer.ts";
import {
	decodingPackHead,
	encodingPackHead,
	PACK_HEADER_BYTES,
	type PackEntry,
	packHeadBytes,
	packHeadLength,
} from "../../../src/cache/pack-format.ts";
import { settingsId } from "../../../src/cache/settings.ts";
import { STORED_RAW } from "../../../src/content/block-size.ts";
import type { TarEntry, TarEntryType } from "../../../src/formats/tar/entry.ts";

const BLOCK = 4096;
const RUNS = { seed: 20261121, numRuns: 150 };
const openLayerIndex = (bytes: Buffer) => atOnce(openingLayerIndex(bytes));
const encodePackHead = (...args: Parameters<typeof encodingPackHead>) => atOnce(encodingPackHead(...args));
const decodePackHead = (...args: Parameters<typeof decodingPackHead>) => atOnce(decodingPackHead(...args));
const hashOf = (text: string): Buffer => createHash("sha256").update(text).digest();

describe("numbers", () => {
	it("come back, and one that is cut short or too large is an error of ours", () => {
		fc.assert(
			fc.property(fc.maxSafeNat(), fc.integer(), (natural, integer) => {
				const out = new ByteWriter();
				writeVarint(out, natural);
				writeSignedVarint(out, integer);
				const cursor = new ByteCursor(Buffer.from(out.view()));
				expect([cursor.varint(), cursor.signedVarint(), cursor.left]).toEqual([natural, integer, 0]);
			}),
			RUNS,
		);
		for (const bytes of [[], [0x80], Array(8).fill(0xff), [...Array(7).fill(0xff), 0x7f]])
			expect(() => new ByteCursor(Buffer.from(bytes)).varint()).toThrow(BrokenIndex);
	});
});

describe("settings", () => {
	it("have ids of their own for everything that shapes a block", () => {
		const base = { codec: "zstd", level: 3, blockBytes: BLOCK, encoder: "zstd 1.5.7 (native addon)" } as const;
		const others = [base, { ...base, level: 4 }, { ...base, blockBytes: 8192 }, { ...base, codec: "lz4" as const }];
		const ids = [...others, { ...base, encoder: "zstd 1.5.6 (native addon)" }].map((settings) => settingsId(settings));
		expect(new Set(ids).size).toBe(5);
	});
});

describe("a pack's head", () => {
	const description = { diffId: "sha256:00", settings: "[1]" };
	const entries: PackEntry[] = [
		{ kind: "block", key: hashOf("a"), checksum: hashOf("A"), offset: 0, storedSize: 100, rawBytes: BLOCK },
		{
			kind: "fragment",
			key: hashOf("b"),
			checksum: hashOf("B"),
			offset: 100,
			storedSize: 50 | STORED_RAW,
			rawBytes: 50,
		},
		{ kind: "content", key: hashOf("c"), checksum: hashOf("C"), offset: 150, storedSize: 2 ** 25, rawBytes: 2 ** 25 },
	];
	const dataBytes = 150 + 2 ** 25;
	const head = encodePackHead(description, entries, dataBytes);

	it("says what it was given, and how long it is", () => {
		expect(head.byteLength).toBe(packHeadBytes(description, entries.length));
		expect(packHeadLength(head.subarray(0, PACK_HEADER_BYTES))).toBe(head.byteLength);
		const decoded = decodePackHead(head, head.byteLength + dataBytes);
		expect(decoded).toMatchObject({ description, entryCount: 3, dataOffset: head.byteLength, dataBytes });
		const plain = (list: Iterable<PackEntry>) =>
			Array.from(list, (entry) => ({ ...entry, key: Buffer.from(entry.key), checksum: Buffer.from(entry.checksum) }));
		expect(plain(decoded?.entries ?? [])).toEqual(plain(entries));
	});

	it("is none when any byte is another, or the file has another length", () => {
		for (let at = 0; at < head.byteLength; at++) {
			const hurt = Buffer.from(head);
			hurt[at] = (hurt[at] ?? 0) ^ 1;
			const length = packHeadLength(hurt);
			expect(length === hurt.byteLength && decodePackHead(hurt, head.byteLength + dataBytes) !== undefined).toBe(false);
		}
		expect(decodePackHead(head, head.byteLength + dataBytes - 1)).toBeUndefined();
		expect(decodePackHead(head.subarray(0, -1), head.byteLength + dataBytes)).toBeUndefined();
	});

	it("leaves out entries that point beyond its data or are larger than their kind", () => {
		const wrong: Partial<PackEntry>[] = [
			{ offset: dataBytes },
			{ storedSize: 0 },
			{ storedSize: 2 ** 20 + 1, rawBytes: 2 ** 20 },
			{ storedSize: 60 | STORED_RAW, rawBytes: 61 },
			{ storedSize: 2 ** 26 },
			{ rawBytes: 2 ** 20 + 1 },
		];
		const first = entries[0] as PackEntry;
		const bytes = encodePackHead(description, [...wrong.map((part) => ({ ...first, ...part })), first], dataBytes);
		expect([...(decodePackHead(bytes, bytes.byteLength + dataBytes)?.entries ?? [])]).toHaveLength(1);
	});
});

const byteString = fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
const types: TarEntryType[] = [
	"file",
	"hard-link",
	"symlink",
	"character-device",
	"block-device",
	"directory",
	"fifo",
	"socket",
];
const entryArbitrary: fc.Arbitrary<Omit<TarEntry, "index" | "archiveOffset">> = fc
	.record({
		type: fc.constantFrom(...types),
		path: byteString,
		linkTarget: byteString,
		mode: fc.nat({ max: 0o7777 }),
		uid: fc.nat({ max: 2 ** 32 - 1 }),
		gid: fc.nat({ max: 2 ** 32 - 1 }),
		byteLength: fc.nat({ max: 5 * BLOCK }),
		mtime: fc.record({
			seconds: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
			nanoseconds: fc.nat({ max: 999_999_999 }),
		}),
		major: fc.nat({ max: 4095 }),
		minor: fc.nat({ max: 2 ** 20 - 1 }),
		xattrs: fc
			.array(fc.tuple(byteString, fc.uint8Array({ maxLength: 20 })), { maxLength: 3 })
			.map((list) => new Map(list)),
	})
	.map((entry) => {
		const isDevice = entry.type.endsWith("device");
		const isLink = entry.type.endsWith("link");
		return {
			...entry,
			linkTarget: isLink ? entry.linkTarget : "",
			byteLength: entry.type === "file" ? entry.byteLength : 0,
			major: isDevice ? entry.major : 0,
			minor: isDevice ? entry.minor : 0,
		};
	});

/** What a file of this length could be stored as: the second block is zeros. */
function storedAs(byteLength: number, name: string) {
	const hasTail = byteLength < BLOCK && byteLength > 0;
	const blocks = hasTail ? 0 : Math.ceil(byteLength / BLOCK);
	const zeroRuns = blocks > 1 ? [1, 1] : [];
	const blockHashes = Buffer.concat(
		Array.from({ length: blocks - zeroRuns.length / 2 }, (_, i) => hashOf(`${name}${i}`)),
	);
	const tailHash = hasTail ? hashOf(name) : undefined;
	const recipe = { byteLength, hasHoles: byteLength % 2 === 1, zeroRuns, blockHashes, tailHash };
	return { recipe, place: hasTail ? { fragment: byteLength % 3, offset: byteLength } : undefined };
}

const IDENTITY = { digest: "sha256:cd", compressedBytes: 2 ** 40, diffId: "sha256:ab", compression: "gzip" };

describe("a layer index", () => {
	const keyOf = (fragment: number): Buffer => hashOf(`fragment ${fragment}`);

	function write(
		entries: readonly TarEntry[],
		known: (entry: TarEntry) => "stored" | "whole" | "skipped",
		previous?: Buffer,
	) {
		const earlier = previous === undefined ? undefined : openLayerIndex(previous);
		const writer = new LayerIndexWriter({ blockBytes: BLOCK }, earlier);
		for (const entry of entries) {
			writer.entry(entry);
			if (entry.type !== "file") continue;
			const kind = known(entry);
			const { recipe, place } = storedAs(entry.byteLength, entry.path);
			if (kind === "stored") writer.stored(recipe, place);
			else if (kind === "whole") writer.whole(hashOf(entry.path));
			else writer.skipped();
		}
		return atOnce(writer.encoding(IDENTITY, 12_345, ["a note", "ein Hinweis: é"], keyOf));
	}

	const layer = fc
		.array(entryArbitrary, { maxLength: 12 })
		.map((list) => list.map((entry, index): TarEntry => ({ ...entry, index, archiveOffset: index * 512 })));
	const kindOf = ({ index }: TarEntry) => (["stored", "whole", "skipped"] as const)[index % 3] ?? "skipped";

	it("says of every entry what the archive said, and what became of its content", () => {
		fc.assert(
			fc.property(layer, (entries) => {
				const index = openLayerIndex(write(entries, kindOf));
				expect(index).toMatchObject({
					layer: IDENTITY,
					blockBytes: BLOCK,
					entryCount: entries.length,
					tarBytes: 12_345,
				});
				expect(index?.notes).toEqual(["a note", "ein Hinweis: é"]);
				const decoded = [...(index?.entries() ?? [])];
				expect(decoded.map(({ entry }) => entry)).toEqual(entries);
				for (const { entry, content } of decoded) expectContent(entry, content, kindOf(entry));
				expect([...(index?.files() ?? [])]).toEqual(filesOf(decoded));
			}),
			RUNS,
		);
	});

	it("keeps what earlier readings knew of contents that are passed over now", () => {
		fc.assert(
			fc.property(layer, (entries) => {
				const earlier = write(entries, (entry) => (entry.index % 2 === 0 ? "stored" : "skipped"));
				const later = openLayerIndex(write(entries, (entry) => (entry.index % 4 === 2 ? "whole" : "skipped"), earlier));
				for (const { entry, content } of later?.entries() ?? []) {
					const isKnown = entry.type === "file" && entry.index % 2 === 0;
					expect([content.stored !== undefined, content.whole !== undefined]).toEqual([
						isKnown,
						isKnown && entry.index % 4 === 2,
					]);
					const { recipe, place } = storedAs(entry.byteLength, entry.path);
					if (isKnown) expect(content.stored?.recipe).toEqual(recipe);
					if (isKnown && place !== undefined)
						expect(content.stored?.tail).toEqual({ fragment: keyOf(place.fragment), offset: place.offset });
				}
			}),
			RUNS,
		);
	});

	const filesOf = (decoded: readonly IndexedEntry[]) =>
		decoded
			.filter(({ entry }) => entry.type === "file")
			.map(({ entry: { index, byteLength }, content }) => ({ index, byteLength, content }));

	function expectContent(
		entry: TarEntry,
		content: IndexedEntry["content"],
		kind: "stored" | "whole" | "skipped",
	): void {
		const isFile = entry.type === "file";
		if (isFile && kind === "stored")
			expect(content.stored?.recipe).toEqual(storedAs(entry.byteLength, entry.path).recipe);
		else expect(content.stored).toBeUndefined();
		if (isFile && kind === "whole") expect(content.whole).toEqual(hashOf(entry.path));
		else expect(content.whole).toBeUndefined();
	}

	const sample = write(
		types.map((type, index) => ({
			index,
			type,
			path: `path ${index}`,
			linkTarget: type.endsWith("link") ? "x" : "",
			mode: 0o644,
			uid: 1,
			gid: 2,
			byteLength: type === "file" ? 9000 : 0,
			mtime: { seconds: 3, nanoseconds: 4 },
			major: 0,
			minor: 0,
			xattrs: new Map([["user.a", Buffer.from("b")]]),
			archiveOffset: index * 512,
		})),
		() => "stored",
	);

	it("is none when any byte is another or it is cut short", () => {
		for (let at = 0; at < sample.byteLength; at++) {
			const hurt = Buffer.from(sample);
			hurt[at] = (hurt[at] ?? 0) ^ 0x10;
			expect(openLayerIndex(hurt)).toBeUndefined();
			expect(openLayerIndex(sample.subarray(0, at))).toBeUndefined();
		}
	});

	it("with a right checksum over any bytes ends, in entries or an error of ours", () => {
		let broken = 0;
		fc.assert(
			fc.property(
				fc.nat({ max: sample.byteLength - 81 }),
				fc.uint8Array({ minLength: 1, maxLength: 8 }),
				(at, bytes) => {
					const hurt = Buffer.from(sample);
					hurt.set(bytes.subarray(0, hurt.byteLength - 80 - at), 80 + at);
					const index = openLayerIndex(sealed(hurt));
					const decoded = attempt(() => [...(index?.entries() ?? [])]);
					const files = attempt(() => [...(index?.files() ?? [])]);
					// what is only stepped over may hold a number that is none
					if (decoded === undefined) broken++;
					else expect(files).toEqual(filesOf(decoded));
				},
			),
			{ seed: 20261121, numRuns: 2000 },
		);
		expect(broken).toBeGreaterThan(100);
	});
});

/** Undefined where the index is broken. */
function attempt<Value>(decode: () => Value): Value | undefined {
	try {
		return decode();
	} catch (error) {
		if (error instanceof BrokenIndex) return undefined;
		throw error;
	}
}

/** With the checksum that its bytes should have. */
function sealed(index: Buffer): Buffer {
	const bytes = Buffer.from(index);
	bytes.fill(0, 48, 80);
	bytes.set(createHash("sha256").update(bytes).digest(), 48);
	return bytes;
}

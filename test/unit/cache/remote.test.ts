import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { atOnce } from "../../../src/binary/turns.ts";
import { encodingPackHead, type PackEntry, storedBytes } from "../../../src/cache/pack-format.ts";
import {
	type ArtifactEntry,
	decodeArtifact,
	encodeArtifact,
	type PackBlob,
	sha256,
} from "../../../src/cache/remote/artifact.ts";
import { coalesce } from "../../../src/cache/remote/block-ranges.ts";
import { CacheKey } from "../../../src/cache/remote/cache-key.ts";
import { openRemotePack } from "../../../src/cache/remote/remote-pack.ts";
import { parseManifest } from "../../../src/oci/manifest.ts";
import type { RegistrySource } from "../../../src/oci/registry/registry-source.ts";
import { TEST_SETTINGS, type TestLayer, testLayer } from "../../support/cache-store.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const digest = sha256(Buffer.from("blob"));

function decoded(bytes: Uint8Array): readonly ArtifactEntry[] | undefined {
	const manifest = parseManifest(bytes, sha256(bytes), "application/vnd.oci.image.manifest.v1+json");
	if (manifest.kind !== "manifest") throw new Error("an index");
	return decodeArtifact(manifest.config, manifest.layers);
}

const entry = fc.oneof(
	fc.record({
		kind: fc.constant("index" as const),
		digest: fc.constant(digest),
		size: fc.integer({ min: 1, max: 2 ** 40 }),
		layer: fc.string({ minLength: 1 }),
		blockBytes: fc.integer({ min: 4096, max: 2 ** 20 }),
	}),
	fc.record({
		kind: fc.constant("pack" as const),
		digest: fc.constant(digest),
		size: fc.integer({ min: 2 ** 31, max: 2 ** 40 }),
		diffId: fc.string({ minLength: 1 }),
		settings: fc.string(),
		headBytes: fc.nat(),
		headDigest: fc.constant(digest),
	}),
);

describe("the artifact", () => {
	it("decodes what it encodes, and is an image manifest", () => {
		fc.assert(
			fc.property(fc.array(entry), (entries) => {
				expect(decoded(encodeArtifact(entries))).toEqual(entries);
			}),
			{ seed: 1, numRuns: 100 },
		);
	});

	it("leaves out what it does not understand, and is nothing where the manifest is of something else", () => {
		const pack = {
			kind: "pack",
			digest,
			size: 10,
			diffId: "d",
			settings: "s",
			headBytes: 9,
			headDigest: digest,
		} as const;
		const text = encodeArtifact([pack, { kind: "index", digest, size: 5, layer: "d", blockBytes: 4096 }]).toString();
		const changed = (from: string, to: string) => decoded(Buffer.from(text.replace(from, to)));
		expect(changed('"size":10', '"size":8')).toHaveLength(1);
		expect(changed('"4096"', '"-1"')).toHaveLength(1);
		expect(changed('"4096"', '"1e3"')).toHaveLength(1);
		expect(changed('"4096"', '"4096-all-tails"')).toHaveLength(2);
		expect(changed('"4096"', '"4096-small-files"')).toHaveLength(1);
		expect(changed('"4096"', '"4096-other"')).toHaveLength(1);
		expect(changed('"size":5', '"size":0')).toHaveLength(1);
		expect(changed(".pack", ".other")).toHaveLength(1);
		expect(changed(".config+json", ".other+json")).toBeUndefined();
	});
});

describe("a sealed entry", () => {
	const keyOf = (secret: string): CacheKey => {
		const directory = temporaryDirectory("cache-key");
		writeFileSync(join(directory, "key"), secret);
		return CacheKey.read(join(directory, "key"));
	};
	const key = keyOf("k".repeat(40));

	it("is what someone with the key wrote, through the manifest and with white space after the key", () => {
		const other = keyOf("j".repeat(40));
		const again = keyOf(`${"k".repeat(40)} \n`);
		fc.assert(
			fc.property(entry, (plain) => {
				const [sealed] = decoded(encodeArtifact([key.seal(plain)])) ?? [];
				if (sealed === undefined) throw new Error("it does not decode");
				expect([key, again, other].map((some) => some.isSealed(sealed))).toEqual([true, true, false]);
				expect(key.isSealed(plain)).toBe(false);
			}),
			{ seed: 1, numRuns: 50 },
		);
	});

	it("has no field that can be changed", () => {
		const blob = { digest, size: 100 };
		for (const plain of [
			{ kind: "index", ...blob, layer: "l", blockBytes: 4096 },
			{ kind: "pack", ...blob, diffId: "d", settings: "s", headBytes: 9, headDigest: digest },
		] as const) {
			const sealed: ArtifactEntry = key.seal(plain);
			for (const field of Object.keys(sealed) as (keyof ArtifactEntry)[]) {
				if (field === "kind") continue;
				const value: unknown = sealed[field];
				const changed = { ...sealed, [field]: typeof value === "number" ? value + 1 : `${String(value)}0` };
				expect([field, key.isSealed(changed)]).toEqual([field, false]);
			}
		}
	});
});

describe("stretches of a pack", () => {
	it("hold every block once, are short enough and far enough apart", () => {
		const limits = { maxGapBytes: 100, maxBytes: 1000 };
		fc.assert(
			fc.property(fc.array(fc.tuple(fc.nat(300), fc.integer({ min: 1, max: 700 }))), (steps) => {
				let at = 0;
				const blocks = steps.map(([gap, length]): PackEntry => {
					const block = { kind: "block", offset: at + gap, storedSize: length } as PackEntry;
					at = block.offset + length;
					return block;
				});
				const ranges = coalesce(blocks, limits);
				expect(ranges.flatMap((range) => range.blocks)).toEqual(blocks);
				const endOf = (block: PackEntry): number => block.offset + storedBytes(block);
				for (const [i, { start, end, blocks: inside }] of ranges.entries()) {
					expect([start, end]).toEqual([inside[0]?.offset, Math.max(...inside.map(endOf))]);
					if (inside.length > 1) expect(end - start).toBeLessThanOrEqual(limits.maxBytes);
					for (const next of ranges[i + 1]?.blocks.slice(0, 1) ?? [])
						expect(next.offset - end > limits.maxGapBytes || endOf(next) - start > limits.maxBytes).toBe(true);
				}
			}),
			{ seed: 2, numRuns: 300 },
		);
	});
});

/** A pack in memory, as a registry gives it. */
function remote(
	bytes: Buffer,
	blob: PackBlob,
): { source: Pick<RegistrySource, "blob" | "part">; blob: PackBlob; fetched: () => number } {
	let fetched = 0;
	const source: Pick<RegistrySource, "blob" | "part"> = {
		async *blob() {
			fetched += bytes.byteLength;
			yield bytes;
		},
		async *part(_, { start, end }) {
			fetched += end - start;
			yield bytes.subarray(start, end);
		},
	};
	return { source, blob, fetched: () => fetched };
}

function packOf({ diffId, blocks }: TestLayer, change: (entries: PackEntry[]) => PackEntry[] = (entries) => entries) {
	let offset = 0;
	const entries = blocks.map((block): PackEntry => {
		const at = offset;
		offset += block.bytes.byteLength;
		return { ...block, offset: at, checksum: Buffer.from(sha256(block.bytes).slice(7), "hex") };
	});
	const data = Buffer.concat(blocks.map(({ bytes }) => bytes));
	const settings = JSON.stringify(TEST_SETTINGS);
	const head = atOnce(encodingPackHead({ diffId, settings }, change(entries), data.byteLength));
	const bytes = Buffer.concat([head, data]);
	const blob: PackBlob = {
		...{ kind: "pack", digest: sha256(bytes), size: bytes.byteLength, diffId, settings },
		...{ headBytes: head.byteLength, headDigest: sha256(head) },
	};
	return { bytes, blob };
}

describe("a pack in a registry", () => {
	const layer = testLayer("remote pack", 12);

	it("is refused where entries overlap, point beyond the data or need too much memory", async () => {
		const refusals: ((entries: PackEntry[]) => PackEntry[])[] = [
			(entries) => entries.map((item) => ({ ...item, offset: 0 })),
			(entries) => entries.toReversed(),
			(entries) => [...entries, ...entries],
		];
		for (const change of refusals) {
			const { bytes, blob } = packOf(layer, change);
			await expect(openRemotePack(remote(bytes, blob).source, blob)).rejects.toMatchObject({
				code: "CACHE_REMOTE_DAMAGED",
			});
		}
		const { bytes, blob } = packOf(layer);
		const huge = { ...blob, size: 2 ** 40, headBytes: 2 ** 31 };
		const { source, fetched } = remote(bytes, huge);
		await expect(openRemotePack(source, huge)).rejects.toMatchObject({ code: "CACHE_REMOTE_DAMAGED" });
		expect(fetched()).toBe(0);
	});
});

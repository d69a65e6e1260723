import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { atOnce } from "../../../src/binary/turns.ts";
import { BlockStore } from "../../../src/cache/block-store.ts";
import { listStore, type StoreFault, verifyStore } from "../../../src/cache/examine.ts";
import { pruneStore } from "../../../src/cache/prune.ts";
import type { StoreDirectory } from "../../../src/cache/store-directory.ts";
import { createDecompressor } from "../../../src/codec/decompressor.ts";
import { fillStore, openStore, TEST_SETTINGS, testLayer } from "../../support/cache-store.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

function newStore() {
	const path = temporaryDirectory("examine");
	const layer = testLayer("a", 12);
	const { directory } = fillStore(path, [layer, testLayer("b", 3)]);
	const files = (kind: "layers" | "packs"): string[] =>
		readdirSync(join(directory.path, kind)).map((name) => join(directory.path, kind, name));
	return { path, layer, directory, packs: files("packs"), layers: files("layers") };
}

const statesOf = (faults: readonly StoreFault[]): Record<string, string> =>
	Object.fromEntries(faults.map(({ path, state }) => [path, state]));

/** Reading the file at `path` fails, as on a disk with bad blocks. */
function failReading(directory: StoreDirectory, path: string): void {
	const tryOpen = directory.tryOpen.bind(directory);
	directory.tryOpen = (kind, name) => {
		const file = tryOpen(kind, name);
		if ("state" in file || file.path !== path) return file;
		const read = (): number => {
			throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
		};
		return { ...file, read };
	};
}

describe("examining a store", () => {
	it("tells damaged files from those of others and those that cannot be read, and removes the former only", () => {
		const { directory, packs, layers } = newStore();
		const [damagedPack = "", foreignPack = ""] = packs;
		const [damagedLayer = "", unreadableLayer = ""] = layers;
		for (const path of [damagedPack, damagedLayer]) {
			const bytes = readFileSync(path);
			bytes[bytes.byteLength - 1] = (bytes.at(-1) ?? 0) ^ 1;
			writeFileSync(path, bytes);
		}
		chmodSync(foreignPack, 0o666);
		const notes = `${foreignPack}.notes`;
		writeFileSync(notes, "somebody's");
		failReading(directory, unreadableLayer);
		const expected = {
			[damagedPack]: "damaged",
			[foreignPack]: "foreign",
			[notes]: "foreign",
			[damagedLayer]: "damaged",
			[unreadableLayer]: "unreadable",
		};
		const faults = atOnce(verifyStore(directory));
		expect(statesOf(faults)).toEqual(expected);
		expect(faults.find(({ path }) => path === unreadableLayer)?.reason).toBe("EIO");
		expect([damagedPack, damagedLayer].map((path) => existsSync(path))).toEqual([false, false]);
		expect([foreignPack, unreadableLayer].map((path) => existsSync(path))).toEqual([true, true]);
		expect(atOnce(listStore(directory)).map(({ path, state }) => [path, state])).toEqual(
			expect.arrayContaining([
				[foreignPack, "foreign"],
				[unreadableLayer, "unreadable"],
			]),
		);
		chmodSync(foreignPack, 0o600);
		atOnce(pruneStore(directory, 0, 0));
		expect([foreignPack, notes].map((path) => existsSync(path))).toEqual([false, true]);
		rmSync(notes);
		expect(atOnce(verifyStore(openStore(join(directory.path, ".."))))).toEqual([]);
	});

	it("counts no file that somebody removes meanwhile", () => {
		const { directory, packs } = newStore();
		const list = atOnce(directory.listing());
		directory.listing = function* () {
			yield;
			return list;
		};
		rmSync(packs[0] ?? "");
		let files = 0;
		expect(atOnce(verifyStore(directory, () => files++))).toEqual([]);
		expect(files).toBe(list.length - 1);
	});
});

describe("a build's store", () => {
	const open = (directory: StoreDirectory) =>
		atOnce(BlockStore.opening(directory, TEST_SETTINGS, createDecompressor(TEST_SETTINGS.codec)));

	it("leaves a pack whose head cannot be read, and does without it", () => {
		const { directory, packs, layer } = newStore();
		for (const pack of packs) failReading(directory, pack);
		const [block] = layer.blocks;
		const store = open(directory);
		expect(store.hasBlock(block?.key ?? Buffer.alloc(32))).toBe(false);
		store.close();
		expect(packs.map((path) => existsSync(path))).toEqual(packs.map(() => true));
	});

	it("leaves a pack whose data cannot be read, and does not ask it again", () => {
		const { directory, packs, layer } = newStore();
		const { key, rawBytes } = layer.blocks[0] ?? { key: Buffer.alloc(32), rawBytes: 0 };
		const store = open(directory);
		const stored = store.block(key, rawBytes);
		const file = stored.place?.file;
		if (file === undefined) throw new Error("no place");
		expect(file.unreadable("EIO")).toMatchObject({ code: "CACHE_DAMAGED", what: "a file cannot be read: EIO" });
		store.close();
		const again = open(directory);
		expect(again.hasBlock(key)).toBe(false);
		again.close();
		expect(packs.map((path) => existsSync(path))).toEqual(packs.map(() => true));
	});
});

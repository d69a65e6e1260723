import { mkdirSync, mkdtempSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openingLayerIndex } from "../../../src/cache/layer-index-reader.ts";
import { LayerIndexWriter } from "../../../src/cache/layer-index-writer.ts";
import { StoreDirectory } from "../../../src/cache/store-directory.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

it("a store is made with every directory above it, for its owner alone, and is not used where there can be none", () => {
	const scratch = temporaryDirectory("store");
	for (let round = 0; round < 2; round++)
		expect(StoreDirectory.open(join(scratch, "a", "b", "c"), { create: true })).toBeInstanceOf(StoreDirectory);
	expect(statSync(join(scratch, "a", "b")).mode & 0o777).toBe(0o700);
	for (const path of ["/dev/null", "/dev/null/x"])
		expect(StoreDirectory.open(path, { create: true })).toMatch(/^the cache \/dev\/null.* cannot be used: /);
});

it("a relative one is not used where the working directory is gone", () => {
	const before = process.cwd();
	const scratch = mkdtempSync(join(tmpdir(), "oci2iso-store-"));
	try {
		mkdirSync(join(scratch, "gone"));
		process.chdir(join(scratch, "gone"));
		rmdirSync(join(scratch, "gone"));
		expect(StoreDirectory.open("cache", { create: true })).toBe("the cache cache cannot be used: ENOENT");
	} finally {
		process.chdir(before);
		rmSync(scratch, { recursive: true, force: true });
	}
});

/** What steps give, and how many there were. */
function counted<Result>(steps: Generator<undefined, Result>): { result: Result; count: number } {
	for (let count = 0; ; count++) {
		const { done, value } = steps.next();
		if (done === true) return { result: value, count };
	}
}

it("many files are looked at a file a step, and a large index in pieces of at most 256 KiB", () => {
	const scratch = temporaryDirectory("store");
	const store = StoreDirectory.open(scratch, { create: true });
	if (typeof store === "string") throw new Error(store);
	for (let i = 0; i < 600; i++) writeFileSync(join(store.path, "layers", `${i}.index`), "");
	const listed = counted(store.listing());
	expect(listed.result).toHaveLength(600);
	expect(listed.count).toBeGreaterThanOrEqual(600);
	const writer = new LayerIndexWriter(4096);
	const note = "n".repeat(4 << 20);
	const identity = { digest: "sha256:0", diffId: "sha256:1", compression: "none", compressedBytes: 1 };
	const written = counted(writer.encoding(identity, 512, [note], () => Buffer.alloc(32)));
	expect(written.count).toBeGreaterThanOrEqual(16);
	const opened = counted(openingLayerIndex(written.result));
	expect(opened.result?.notes).toEqual([note]);
	expect(opened.count).toBeGreaterThanOrEqual(16);
});

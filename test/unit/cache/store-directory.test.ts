import { mkdirSync, rmdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
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
	const scratch = temporaryDirectory("store");
	try {
		mkdirSync(join(scratch, "gone"));
		process.chdir(join(scratch, "gone"));
		rmdirSync(join(scratch, "gone"));
		expect(StoreDirectory.open("cache", { create: true })).toBe("the cache cache cannot be used: ENOENT");
	} finally {
		process.chdir(before);
	}
});

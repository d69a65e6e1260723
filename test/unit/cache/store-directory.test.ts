import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { StoreDirectory } from "../../../src/cache/store-directory.ts";

it("a store is made with every directory above it, for its owner alone, and is not used where there can be none", () => {
	const scratch = mkdtempSync(join(tmpdir(), "oci2iso-store-"));
	try {
		for (let round = 0; round < 2; round++)
			expect(StoreDirectory.open(join(scratch, "a", "b", "c"), { create: true })).toBeInstanceOf(StoreDirectory);
		expect(statSync(join(scratch, "a", "b")).mode & 0o777).toBe(0o700);
		for (const path of ["/dev/null", "/dev/null/x"])
			expect(StoreDirectory.open(path, { create: true })).toMatch(/^the cache \/dev\/null.* cannot be used: /);
	} finally {
		rmSync(scratch, { recursive: true, force: true });
	}
});

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SharedCache } from "../../../src/build/shared-cache.ts";
import type { Oci2isoError } from "../../../src/errors.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const options = {
	cacheFrom: [],
	cacheTo: undefined,
} as unknown as ConstructorParameters<typeof SharedCache>[0];

function refusal(given: { cacheFrom?: string[]; cacheTo?: string; cacheKeyFile?: string }): Oci2isoError {
	try {
		new SharedCache({ ...options, ...given });
	} catch (error) {
		return error as Oci2isoError;
	}
	throw new Error("it was accepted");
}

test.each([
	"type=registry,ref=registry.example/live",
	"./cache",
	"oci:cache",
	"registry.example/Live",
	"docker-daemon:live",
	"",
])("%j names no cache, and the advice names nothing that cannot be one", (text) => {
	for (const [option, given] of [
		["--cache-from", { cacheFrom: [text] }],
		["--cache-to", { cacheTo: text }],
	] as const) {
		const error = refusal(given as { cacheFrom?: string[]; cacheTo?: string });
		expect(error).toMatchObject({ code: "REFERENCE_INVALID", kind: "usage", where: option });
		expect(error.remedy).toBe("give [docker://]HOST/NAME[:TAG]");
	}
});

test("a key that is short, missing or for nothing is refused", () => {
	const directory = temporaryDirectory("cache-key");
	const path = join(directory, "key");
	writeFileSync(path, `${"k".repeat(31)}\n`);
	const cacheTo = "registry.example/live/cache";
	expect(refusal({ cacheTo, cacheKeyFile: path })).toMatchObject({ code: "CACHE_KEY_INVALID", where: path });
	expect(refusal({ cacheTo, cacheKeyFile: directory })).toMatchObject({ code: "CACHE_KEY_INVALID", exitStatus: 2 });
	writeFileSync(path, `${"k".repeat(32)}\n`);
	expect(refusal({ cacheKeyFile: path })).toMatchObject({ code: "INVALID_OPTION", where: "--cache-key-file" });
	new SharedCache({ ...options, cacheTo, cacheKeyFile: path });
});

import { expect, test } from "vitest";
import { SharedCache } from "../../../src/assemble/shared-cache.ts";
import type { Oci2isoError } from "../../../src/errors.ts";

const options = {
	cacheFrom: [],
	cacheTo: undefined,
} as unknown as ConstructorParameters<typeof SharedCache>[0];

function refusal(given: { cacheFrom?: string[]; cacheTo?: string }): Oci2isoError {
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

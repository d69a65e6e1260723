import { expect, test } from "vitest";
import { compareVersions } from "../../../src/contract/version-order.ts";

test.each([
	["2.9", "2.10"],
	["9.8-3", "16.1-5"],
	["2.12-60.fc44", "1:2.06-1.fc43"],
	["15", "15.8"],
	["a", "b"],
	["0099", "100"],
])("%s is older than %s", (a, b) => {
	expect(compareVersions(a, b)).toBeLessThan(0);
	expect(compareVersions(b, a)).toBeGreaterThan(0);
	expect(compareVersions(a, a)).toBe(0);
});

import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";

const script = resolve(import.meta.dirname, "../../scripts/build-native.mjs");

describe("build-native", () => {
	it("says in one line what it needs where there is no compiler", () => {
		const { status, stdout, stderr } = spawnSync(process.execPath, [script], { env: { PATH: "" }, encoding: "utf8" });
		expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
		expect(stderr).toMatch(/^build:native: needs a C\+\+ compiler and make .*\n$/);
	});
});

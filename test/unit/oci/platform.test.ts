import { describe, expect, it } from "vitest";
import { formatPlatform, hostPlatform, parsePlatform, platformRank } from "../../../src/oci/platform.ts";

describe("parsePlatform", () => {
	it.each([
		["linux/amd64", "linux/amd64"],
		["linux/arm64/v8", "linux/arm64/v8"],
		["Linux/AMD64/V3", "linux/amd64/v3"],
		["linux/x86_64", "linux/amd64"],
		["linux/aarch64", "linux/arm64"],
		["linux/armhf", "linux/arm/v7"],
		["linux/i686", "linux/386"],
		["linux/armv7l", "linux/arm/v7"],
		["linux/ppc64el", "linux/ppc64le"],
		["linux/loongarch64", "linux/loong64"],
		["linux/arm/7", "linux/arm/v7"],
		["linux/arm64/8", "linux/arm64/v8"],
		["linux/armhf/v6", "linux/arm/v6"],
	])("reads %s as %s", (text, expected) => {
		expect(formatPlatform(parsePlatform(text))).toBe(expected);
	});

	it.each(["", "linux", "linux/", "/amd64", "linux/amd64/", "linux/amd64/v1/x", "linux amd64", "linux/am\nd64"])(
		"refuses %j",
		(text) => {
			expect(() => parsePlatform(text)).toThrow(expect.objectContaining({ code: "PLATFORM_INVALID", kind: "usage" }));
		},
	);

	it("takes this machine's architecture under its Go name", () => {
		expect(hostPlatform().os).toBe("linux");
		expect(["x64", "ia32", "mipsel"]).not.toContain(hostPlatform().architecture);
	});
});

describe("platformRank", () => {
	/** Best first; those that do not serve are left out. */
	const order = (wanted: string, offered: string[]): string[] =>
		offered
			.map((name) => ({ name, rank: platformRank(parsePlatform(name), parsePlatform(wanted)) }))
			.filter((entry): entry is { name: string; rank: number } => entry.rank !== undefined)
			.sort((a, b) => a.rank - b.rank)
			.map(({ name }) => name);

	it.each([
		["linux/amd64", ["linux/arm64", "linux/amd64", "windows/amd64"], ["linux/amd64"]],
		[
			"linux/amd64",
			["linux/amd64/v3", "linux/amd64/v2", "linux/amd64"],
			["linux/amd64", "linux/amd64/v2", "linux/amd64/v3"],
		],
		["linux/amd64/v1", ["linux/amd64/v2", "linux/amd64"], ["linux/amd64"]],
		["linux/amd64/v3", ["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], ["linux/amd64/v2", "linux/amd64"]],
		["linux/arm64", ["linux/arm64/v8"], ["linux/arm64/v8"]],
		["linux/arm64/v8", ["linux/arm64"], ["linux/arm64"]],
		[
			"linux/arm/v7",
			["linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/arm64"],
			["linux/arm/v7", "linux/arm/v6", "linux/arm/v5"],
		],
		["linux/arm/v6", ["linux/arm/v7", "linux/arm/v5"], ["linux/arm/v5"]],
		["linux/riscv64", ["linux/riscv64"], ["linux/riscv64"]],
		["linux/riscv64/x", ["linux/riscv64", "linux/riscv64/x"], ["linux/riscv64/x"]],
	])("serves %s from %j by %j", (wanted, offered, expected) => {
		expect(order(wanted, offered)).toEqual(expected);
	});
});

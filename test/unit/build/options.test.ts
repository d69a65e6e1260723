import { describe, expect, it } from "vitest";
import packageJson from "../../../package.json" with { type: "json" };
import { resolveOptions, resolvePlanOptions } from "../../../src/build/options.ts";
import { VERSION } from "../../../src/build/version.ts";
import type { Oci2isoError } from "../../../src/errors.ts";

const base = { image: "oci:x", output: "x.iso" };

describe("build options", () => {
	it("fills in the defaults", () => {
		expect(resolvePlanOptions(base)).toMatchObject({
			comp: "zstd",
			level: 6,
			blockSize: 1048576,
			defaultExcludes: true,
			tools: "builtin",
		});
		const { work } = resolveOptions(base);
		expect(work).toMatchObject({ overwrite: false, requireSecureBoot: false, force: false });
		expect(work.jobs).toBeGreaterThanOrEqual(1);
	});

	it("takes compressor, level and block size from the preset, unless they are given", () => {
		const chosen = (given: object) => {
			const { comp, level, blockSize } = resolvePlanOptions({ ...base, ...given });
			return [comp, level, blockSize];
		};
		expect(chosen({})).toEqual(["zstd", 6, 1048576]);
		expect(chosen({})).toEqual(chosen({ preset: "balanced" }));
		expect(chosen({ comp: "zstd" })).toEqual(["zstd", 6, 1048576]);
		expect(chosen({ comp: "xz" })).toEqual(["xz", undefined, 1048576]);
		expect(chosen({ blockSize: 131072 })).toEqual(["zstd", 6, 131072]);
		expect(chosen({ preset: "reference" })).toEqual(["zstd", 15, 131072]);
		expect(chosen({ preset: "small" })).toEqual(["zstd", 19, 1048576]);
		expect(chosen({ preset: "small", level: 22 })).toEqual(["zstd", 22, 1048576]);
		expect(chosen({ preset: "small", comp: "zstd", blockSize: 4096 })).toEqual(["zstd", 19, 4096]);
		expect(chosen({ preset: "small", comp: "lz4" })).toEqual(["lz4", undefined, 1048576]);
		expect(() => resolveOptions({ ...base, preset: "best" as "small" })).toThrow("preset");
	});

	it.each([
		[{ compressor: "xz" }, "compressor", "did you mean comp?"],
		[{ blocksize: 4096 }, "blocksize", "did you mean blockSize?"],
		[{ lable: "X" }, "lable", "did you mean label?"],
		[{ tlsverify: false }, "tlsverify", "did you mean tlsVerify?"],
		[{ "--label": "X" }, "--label", "did you mean label?"],
		[{ frobnicate: 1 }, "frobnicate", "there are image, platform"],
		[{ toString: 1 }, "toString", "there are"],
		[{ label: "A".repeat(33) }, "label", "1 to 32 bytes"],
		[{ label: "\u00e4".repeat(17) }, "label", "1 to 32 bytes"],
		[{ label: "A\nB" }, "label", "control characters"],
		[{ kernel: "../x" }, "kernel", "a directory"],
		[{ vendor: "" }, "vendor", "a directory"],
		[{ exclude: "x" }, "exclude", "an array"],
		[{ exclude: [""] }, "exclude", "an array"],
		[{ force: "yes" }, "force", "true or false"],
		[{ onEvent: {} }, "onEvent", "a function"],
		[{ signal: {} }, "signal", "an AbortSignal"],
		[{ rootfs: "ext4" }, "rootfs", "squashfs, erofs"],
		[{ rootfs: "erofs", comp: "xz" }, "comp", "zstd, gzip, lz4, none"],
		[{ rootfs: "erofs", exports: false }, "exports", "squashfs"],
		[{ rootfs: "erofs", comp: "none", alwaysUseFragments: true }, "alwaysUseFragments", "another compressor"],
		[{ output: undefined }, "output", "the path of the ISO"],
		[{ image: "" }, "image", "an image reference"],
		[{ maxInodes: 1.5 }, "maxInodes", "a whole number"],
		[{ comp: "lzo" }, "comp", "zstd, xz, gzip, lz4, none"],
		[{ platform: "amd64" }, "platform", "OS/ARCHITECTURE"],
		[{ sourceDateEpoch: -1 }, "sourceDateEpoch", "a whole number"],
		[{ blockSize: 2048 }, "blockSize", "a power of two from 4096"],
		[{ jobs: Number.NaN }, "jobs", "a whole number"],
		[{ payloadFormat: "oci" }, "payloadFormat", "name it with --payload IMAGE"],
		[{ payloadPlace: "root" }, "payloadPlace", "no image to carry"],
	])("refuses %j by its property, and says what it may be", (wrong, where, words) => {
		try {
			resolveOptions({ ...base, ...wrong } as never);
			expect.unreachable();
		} catch (error) {
			expect(error).toMatchObject({ code: "INVALID_OPTION", exitStatus: 2, where });
			expect((error as Error).message).toContain(words);
			expect((error as Error).message).not.toMatch(/Invalid input|received/);
		}
	});

	it.each([undefined, null, 5, "oci:x", []])("refuses %j in place of options", (given) => {
		expect(() => resolveOptions(given as never)).toThrow("INVALID_OPTION: the options are");
	});

	it("never shows credentials", () => {
		const attempt = () => resolveOptions({ ...base, creds: ["user:secret"] as never });
		expect(attempt).toThrow(/^(?!.*secret)INVALID_OPTION: what was given is not accepted/);
	});

	it("reports every fault at once", () => {
		try {
			resolveOptions({ ...base, jobs: 0, blockSize: 5 });
			expect.unreachable();
		} catch (error) {
			expect((error as Oci2isoError).problems.map((problem) => problem.where)).toEqual(
				expect.arrayContaining(["jobs", "blockSize"]),
			);
			expect((error as Oci2isoError).exitStatus).toBe(2);
		}
	});
});

it("states the version of package.json", () => expect(VERSION).toBe(packageJson.version));

import { describe, expect, it } from "vitest";
import packageJson from "../../../package.json" with { type: "json" };
import { deriveIdentifiers } from "../../../src/assemble/identifiers.ts";
import { epochSeconds, resolveOptions } from "../../../src/assemble/options.ts";
import { VERSION } from "../../../src/assemble/version.ts";
import { Oci2isoError } from "../../../src/errors.ts";

const base = { image: "oci:x", output: "x.iso" };

describe("build options", () => {
	it("fills in the defaults of the reference converter", () => {
		const options = resolveOptions(base);
		expect(options).toMatchObject({
			comp: "zstd",
			blockSize: 131072,
			defaultExcludes: true,
			tools: "auto",
			force: false,
		});
		expect(options.jobs).toBeGreaterThanOrEqual(1);
	});

	it.each([
		[{ blockSize: 100_000 }, "--block-size"],
		[{ blockSize: 2048 }, "--block-size"],
		[{ comp: "lzo" as "xz" }, "--comp"],
		[{ jobs: 0 }, "--jobs"],
		[{ platform: "amd64" }, "--platform"],
		[{ sourceDateEpoch: -1 }, "--source-date-epoch"],
	])("refuses %j", (wrong, where) => {
		const attempt = () => resolveOptions({ ...base, ...wrong });
		expect(attempt).toThrow(Oci2isoError);
		expect(attempt).toThrow(where);
	});

	it("reports every fault at once", () => {
		try {
			resolveOptions({ ...base, jobs: 0, blockSize: 5 });
			expect.unreachable();
		} catch (error) {
			expect((error as Oci2isoError).problems.map((problem) => problem.where)).toEqual(
				expect.arrayContaining(["--jobs", "--block-size"]),
			);
			expect((error as Oci2isoError).exitStatus).toBe(2);
		}
	});
});

describe("the epoch", () => {
	it("comes from the option, the environment, the image, in this order", () => {
		expect(epochSeconds(5, "6", "1970-01-01T00:00:07Z")).toBe(5);
		expect(epochSeconds(undefined, "6", "1970-01-01T00:00:07Z")).toBe(6);
		expect(epochSeconds(undefined, undefined, "1970-01-01T00:00:07.9Z")).toBe(7);
		expect(epochSeconds(undefined, "", undefined)).toBe(0);
		expect(epochSeconds(undefined, undefined, "1960-01-01T00:00:00Z")).toBe(0);
		expect(epochSeconds(undefined, undefined, "not a date")).toBe(0);
	});

	it("refuses an environment that is no number of seconds", () => {
		for (const text of ["now", "-1", "1e9", "99999999999"])
			expect(() => epochSeconds(undefined, text, undefined)).toThrow("SOURCE_DATE_EPOCH");
	});
});

describe("identifiers", () => {
	it("depend on the ingredients and the purpose alone, and are version 8 GUIDs", () => {
		const a = deriveIdentifiers({ digest: "x" });
		expect(a.guid("disk")).toEqual(deriveIdentifiers({ digest: "x" }).guid("disk"));
		expect(a.guid("disk")).not.toEqual(a.guid("partition 1"));
		expect(a.guid("disk")).not.toEqual(deriveIdentifiers({ digest: "y" }).guid("disk"));
		expect((a.guid("disk")[7] ?? 0) >> 4).toBe(8);
		expect((a.guid("disk")[8] ?? 0) >> 6).toBe(2);
	});
});

it("states the version of package.json", () => expect(VERSION).toBe(packageJson.version));

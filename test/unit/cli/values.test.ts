import { describe, expect, it } from "vitest";
import { formatSize } from "../../../src/binary/format-size.ts";
import { outputNameFor } from "../../../src/cli/output-name.ts";
import { parseInteger, parseSize } from "../../../src/cli/values.ts";

describe("sizes on the command line", () => {
	it.each([
		["131072", 131072],
		["128K", 131072],
		["128k", 131072],
		["1M", 1048576],
		["1MiB", 1048576],
		["4G", 4 * 1024 ** 3],
	])("reads %s", (text, bytes) => expect(parseSize(text)).toBe(bytes));

	it.each(["", "K", "1.5M", "-1", "1T", "12 34", "0x10"])("refuses %j", (text) =>
		expect(() => parseSize(text)).toThrow("expected a size"),
	);

	it.each([
		[0, "0 B"],
		[1023, "1023 B"],
		[1024, "1.0 KiB"],
		[1.5 * 1024 ** 3, "1.5 GiB"],
		[5 * 1024 ** 5, "5120.0 TiB"],
	])("prints %d", (bytes, text) => expect(formatSize(bytes)).toBe(text));

	it("reads whole numbers only", () => {
		expect(parseInteger("-7")).toBe(-7);
		for (const text of ["", "1e3", "7.0", "x"]) expect(() => parseInteger(text)).toThrow("whole number");
	});
});

describe("the output's name without -o", () => {
	it.each([
		["oci:/srv/images/bazzite:43", "bazzite-43.iso"],
		["oci:fixtures/out/debian", "debian.iso"],
		["oci-archive:image.tar", "image.iso"],
		["docker-archive:/tmp/a b.tar:localhost/x:1", "x-1.iso"],
		["docker://quay.io/org/name:latest", "name-latest.iso"],
		[`oci:dir@sha256:${"0".repeat(64)}`, "dir.iso"],
		["dir:..", "image.iso"],
		["containers-storage:[overlay@/var/lib/containers/storage]localhost/x:1", "x-1.iso"],
		["containers-storage:[vfs@/srv/store+/run/x]x", "x.iso"],
	])("%s becomes %s", (image, name) => expect(outputNameFor(image)).toBe(name));
});

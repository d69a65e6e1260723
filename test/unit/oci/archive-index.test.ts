import { describe, expect, it } from "vitest";
import { memorySource } from "../../../src/binary/byte-source.ts";
import { indexArchive } from "../../../src/oci/archive-index.ts";
import { tarOf } from "../../support/oci-archive.ts";
import { paxHeader, tarArchive, tarHeader } from "../../support/tar-fixtures.ts";

async function contentOf(archive: Uint8Array, path: string): Promise<string | undefined> {
	const index = await indexArchive(memorySource(archive), "a.tar");
	const member = index.find(path);
	if (member === undefined) return undefined;
	return Buffer.from(archive.subarray(member.position, member.position + member.byteLength)).toString();
}

const file = (name: string, text: string) => ({ name, bytes: Buffer.from(text) });

describe("indexArchive", () => {
	it("finds files by clean path, however they are spelled", async () => {
		const archive = await tarOf([
			{ name: "./", type: "directory" },
			file("./a", "1"),
			file("b//c/./d", "2"),
			file("/e", "3"),
			file("b/../f", "4"),
			file("../g", "5"),
			file("empty", ""),
		]);
		const all = ["a", "b/c/d", "e", "f", "g", "empty", "b", "missing"];
		const contents = await Promise.all(all.map((path) => contentOf(archive, path)));
		expect(contents).toEqual(["1", "2", "3", "4", undefined, "", undefined, undefined]);
		expect(await contentOf(archive, "./b/c/../c/d")).toBe("2");
	});

	it("takes the last of several members of one name", async () => {
		expect(await contentOf(await tarOf([file("a", "old"), file("a", "new")]), "a")).toBe("new");
	});

	it("follows links inside the archive, and no others", async () => {
		const archive = await tarOf([
			file("0/layer.tar", "layer"),
			{ name: "1/layer.tar", type: "symlink", linkname: "../0/layer.tar" },
			{ name: "2/layer.tar", type: "symlink", linkname: "../1/layer.tar" },
			{ name: "3/layer.tar", type: "link", linkname: "0/layer.tar" },
			{ name: "4", type: "symlink", linkname: "/0/layer.tar" },
			{ name: "out", type: "symlink", linkname: "../../etc/passwd" },
			{ name: "loop", type: "symlink", linkname: "pool" },
			{ name: "pool", type: "symlink", linkname: "loop" },
			{ name: "dangling", type: "symlink", linkname: "nothing" },
		]);
		for (const path of ["1/layer.tar", "2/layer.tar", "3/layer.tar", "4"])
			expect(await contentOf(archive, path)).toBe("layer");
		for (const path of ["out", "loop", "dangling"]) expect(await contentOf(archive, path)).toBeUndefined();
	});

	it("accepts an archive without its end blocks, and an empty one", async () => {
		const archive = await tarOf([file("a", "1")]);
		expect(await contentOf(archive.subarray(0, 1024), "a")).toBe("1");
		expect(await contentOf(archive.subarray(0, 513), "a")).toBe("1");
		for (const empty of [0, 10240]) await indexArchive(memorySource(Buffer.alloc(empty)), "a.tar");
	});

	const whole = tarArchive([{ path: "a", content: Buffer.alloc(2000, "x") }]);
	it.each<[string, Uint8Array, string]>([
		...[1, 511, 512, 1000, 2511].map((end): [string, Uint8Array, string] => [
			`that ends after ${end} bytes`,
			whole.subarray(0, end),
			end < 512 ? "ARCHIVE_INVALID" : "ARCHIVE_TRUNCATED",
		]),
		["with a size beyond it", tarHeader({ name: "a", size: 2 ** 32 }), "ARCHIVE_TRUNCATED"],
		["with a negative size", tarHeader({ name: "a", size: -1 }), "ARCHIVE_INVALID"],
		[
			"with a sparse member",
			tarArchive([{ path: "a", content: Buffer.alloc(2000), sparse: "gnu" }]),
			"ARCHIVE_INVALID",
		],
		["with a malformed extended header", paxHeader([Buffer.from("xx")]), "ARCHIVE_INVALID"],
		["that is none", Buffer.alloc(2048, "no tar at all"), "ARCHIVE_INVALID"],
	])("refuses an archive %s", async (_, archive, code) => {
		await expect(indexArchive(memorySource(archive), "a.tar")).rejects.toMatchObject({ code, kind: "corrupt" });
	});

	it("reads headers only", async () => {
		const archive = await tarOf([file("a", "x".repeat(300_000)), file("b", "y".repeat(300_000))]);
		const whole = memorySource(archive);
		let bytesRead = 0;
		const counting = {
			byteLength: whole.byteLength,
			read: (position: number, length: number) => {
				bytesRead += length;
				return whole.read(position, length);
			},
		};
		await indexArchive(counting, "a.tar");
		expect(bytesRead).toBeLessThanOrEqual(4 * 512);
	});
});

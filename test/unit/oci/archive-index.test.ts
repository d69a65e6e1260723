import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memorySource } from "../../../src/binary/byte-source.ts";
import { Oci2isoError } from "../../../src/errors.ts";
import { indexArchive } from "../../../src/oci/archive-index.ts";
import { tarOf } from "../../support/oci-archive.ts";

async function contentOf(archive: Uint8Array, path: string): Promise<string | undefined> {
	const index = await indexArchive(memorySource(archive), "a.tar");
	const member = index.find(path);
	if (member === undefined) return undefined;
	return Buffer.from(archive.subarray(member.position, member.position + member.byteLength)).toString();
}

async function codeOf(archive: Uint8Array): Promise<string> {
	try {
		await indexArchive(memorySource(archive), "a.tar");
		return "no error";
	} catch (error) {
		if (error instanceof Oci2isoError) return `${error.kind} ${error.code}`;
		throw error;
	}
}

/** Recomputes the checksum after `edit` has changed the header at `offset`. */
function edited(archive: Uint8Array, offset: number, edit: (header: Buffer) => void): Buffer {
	const copy = Buffer.from(archive);
	const header = copy.subarray(offset, offset + 512);
	edit(header);
	header.fill(" ", 148, 156);
	const sum = header.reduce((total, byte) => total + byte, 0);
	header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
	return copy;
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

	it("reads long names from PAX and GNU headers", async () => {
		const long = `${"d".repeat(120)}/${"f".repeat(180)}`;
		expect(await contentOf(await tarOf([file(long, "pax"), file("next", "n")]), long)).toBe("pax");

		const gnu = await tarOf([file("././@LongLink", `${long}\0`), file("short", "gnu"), file("next", "n")]);
		const archive = edited(gnu, 0, (header) => header.write("L", 156));
		expect(await contentOf(archive, long)).toBe("gnu");
		expect(await contentOf(archive, "short")).toBeUndefined();
		expect(await contentOf(archive, "next")).toBe("n");
	});

	it("reads sizes in base 256 and from PAX", async () => {
		const archive = await tarOf([file("a", "four"), file("b", "x")]);
		const base256 = edited(archive, 0, (header) => {
			header.fill(0, 124, 136);
			header[124] = 0x80;
			header[135] = 4;
		});
		expect(await contentOf(base256, "a")).toBe("four");
		expect(await contentOf(base256, "b")).toBe("x");

		const pax = await tarOf([file("pax", "10 size=4\n"), file("a", "four"), file("b", "x")]);
		const withPax = edited(
			edited(pax, 0, (header) => header.write("x", 156)),
			1024,
			(header) => header.write("00000000000", 124),
		);
		expect(await contentOf(withPax, "a")).toBe("four");
		expect(await contentOf(withPax, "b")).toBe("x");
	});

	it("passes over directories whose size field is not zero", async () => {
		const archive = await tarOf([{ name: "d/", type: "directory" }, file("a", "1")]);
		const sized = edited(archive, 0, (header) => header.write("00000010000", 124));
		expect(await contentOf(sized, "a")).toBe("1");
	});

	it("accepts an archive without its end blocks, and an empty one", async () => {
		const archive = await tarOf([file("a", "1")]);
		expect(await contentOf(archive.subarray(0, 1024), "a")).toBe("1");
		expect(await contentOf(archive.subarray(0, 513), "a")).toBe("1");
		expect(await codeOf(Buffer.alloc(0))).toBe("no error");
		expect(await codeOf(Buffer.alloc(10240))).toBe("no error");
	});

	it("refuses archives that end inside a member or a header", async () => {
		const archive = await tarOf([file("a", "x".repeat(2000))]);
		for (const byteLength of [1, 511, 512, 1000, 2511]) {
			expect(await codeOf(archive.subarray(0, byteLength))).toBe("corrupt ARCHIVE_TRUNCATED");
		}
	});

	it.each<[string, (header: Buffer) => void]>([
		["a size that is no number", (header) => header.write("abc", 124)],
		["a negative size", (header) => header.fill(0xff, 124, 136)],
		["a sparse member", (header) => header.write("S", 156)],
	])("refuses %s", async (_, edit) => {
		expect(await codeOf(edited(await tarOf([file("a", "1")]), 0, edit))).toBe("corrupt ARCHIVE_INVALID");
	});

	it("refuses a size beyond the archive, and a damaged header", async () => {
		const archive = await tarOf([file("a", "1")]);
		const beyond = edited(archive, 0, (header) => header.write("77777777777", 124));
		expect(await codeOf(beyond)).toBe("corrupt ARCHIVE_TRUNCATED");
		const damaged = Buffer.from(archive);
		damaged[3] = 0x41;
		expect(await codeOf(damaged)).toBe("corrupt ARCHIVE_INVALID");
		expect(await codeOf(Buffer.alloc(2048, "no tar at all"))).toBe("corrupt ARCHIVE_INVALID");
	});

	it("refuses extended headers that are malformed, sparse or huge", async () => {
		const withPax = async (body: string) =>
			edited(await tarOf([file("pax", body), file("a", "1")]), 0, (header) => header.write("x", 156));
		for (const body of ["8 size=4\n", "xx", "99 path=a\n", "10 size=x\n", "11 size=-4\n", "22 GNU.sparse.major=1\n"])
			expect(await codeOf(await withPax(body))).toBe("corrupt ARCHIVE_INVALID");
		expect(await codeOf(await withPax("x".repeat(2 ** 20 + 1)))).toBe("corrupt ARCHIVE_INVALID");
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

	it("gives nothing but an error of ours for mutated archives", async () => {
		const archive = await tarOf([
			file("a".repeat(150), "1"),
			file("b", "22"),
			{ name: "c", type: "symlink", linkname: "b" },
		]);
		const edit = fc.record({ at: fc.nat(archive.byteLength - 1), byte: fc.nat(255), fix: fc.boolean() });
		await fc.assert(
			fc.asyncProperty(
				fc.array(edit, { minLength: 1, maxLength: 4 }),
				fc.nat(archive.byteLength),
				async (edits, end) => {
					let bytes: Buffer = Buffer.from(archive);
					for (const { at, byte, fix } of edits) {
						bytes[at] = byte;
						if (fix) bytes = edited(bytes, at - (at % 512), () => {});
					}
					for (const input of [bytes, bytes.subarray(0, end)]) {
						expect(await codeOf(input)).toMatch(/^(no error|corrupt ARCHIVE_(INVALID|TRUNCATED))$/);
					}
				},
			),
			{ seed: 7, numRuns: 1500 },
		);
	});
});

const hasTar = spawnSync("tar", ["--version"]).status === 0;

describe.skipIf(!hasTar)("an archive that tar(1) wrote", () => {
	it.each(["v7", "ustar", "gnu", "posix"])("in the %s format is read", async (format) => {
		const made = spawnSync("tar", ["-c", `--format=${format}`, "-C", import.meta.dirname, "./archive-index.test.ts"], {
			maxBuffer: 2 ** 24,
		});
		expect(await contentOf(made.stdout, "archive-index.test.ts")).toContain("an archive that tar(1) wrote");
	});
});

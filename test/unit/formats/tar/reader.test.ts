import { describe, expect, it } from "vitest";
import { TarReader } from "../../../../src/formats/tar/reader.ts";
import { codeOf as errorCodeOf } from "../../../support/error-code.ts";
import {
	gnuLongName,
	type HeaderFields,
	padded,
	paxHeader,
	paxRecord,
	readTar,
	tarArchive,
	tarHeader,
} from "../../../support/tar-fixtures.ts";

const END = Buffer.alloc(1024);
const bytes = (text: string): Buffer => Buffer.from(text, "latin1");
const GNU = "ustar  \0";

/** The only member of an archive of these parts. */
function only(...parts: Buffer[]) {
	const members = readTar(Buffer.concat([...parts, END]));
	expect(members.length).toBe(1);
	return members[0] ?? expect.fail("no member");
}

function codeOf(archive: Buffer, options: { maxHeaderBytes?: number } = {}): string {
	return errorCodeOf(() => readTar(archive, [archive.byteLength], options));
}

function header(fields: Partial<HeaderFields>, content = ""): Buffer {
	return Buffer.concat([tarHeader({ size: content.length, ...fields }), padded(bytes(content))]);
}

describe("TarReader: header blocks", () => {
	it("knows every type, and reads targets and device numbers where they mean something", () => {
		const all = [
			header({ name: "f", typeflag: "0", linkname: "no", devmajor: 1 }),
			header({ name: "old", typeflag: "\0" }),
			header({ name: "cont", typeflag: "7" }, "c"),
			header({ name: "h", typeflag: "1", linkname: "f" }),
			header({ name: "s", typeflag: "2", linkname: "../f" }),
			header({ name: "c", typeflag: "3", devmajor: 4095, devminor: 1_048_575 }),
			header({ name: "b", typeflag: "4", devmajor: 8, devminor: 1 }),
			header({ name: "d/", typeflag: "5" }),
			header({ name: "p", typeflag: "6" }),
		];
		const members = readTar(Buffer.concat([...all, END]));
		expect(members.map((m) => `${m.index} ${m.type} ${m.path} ${m.linkTarget} ${m.major}:${m.minor}`)).toEqual([
			"0 file f  0:0",
			"1 file old  0:0",
			"2 file cont  0:0",
			"3 hard-link h f 0:0",
			"4 symlink s ../f 0:0",
			"5 character-device c  4095:1048575",
			"6 block-device b  8:1",
			"7 directory d/  0:0",
			"8 fifo p  0:0",
		]);
		expect(members[3]?.archiveOffset).toBe(2048);
	});

	it("does not take contents of links, directories and nodes from their size", () => {
		for (const typeflag of ["1", "2", "3", "4", "5", "6"]) {
			const archive = Buffer.concat([tarHeader({ name: "x", typeflag, size: 4096 }), header({ name: "y" }), END]);
			expect(readTar(archive).map(({ path, byteLength }) => `${path} ${byteLength}`)).toEqual(["x 0", "y 0"]);
		}
	});

	it("reads v7 headers: no prefix, no device numbers, a directory by its slash", () => {
		const v7 = { magic: "", prefix: "junk", devmajor: 5 };
		expect(only(header({ ...v7, name: "dir/", typeflag: "\0" }))).toMatchObject({ type: "directory", path: "dir/" });
		expect(only(header({ ...v7, name: "x", typeflag: "3" }))).toMatchObject({ path: "x", major: 0 });
		expect(only(header({ name: "x/", typeflag: "0" }))).toMatchObject({ type: "file", path: "x/" });
	});

	it("reads star's shorter prefix", () => {
		const block = tarHeader(
			{ name: "x", prefix: "p" },
			(raw) => raw.write("00000000000 00000000000 ", 476) && raw.write("tar\0", 508),
		);
		expect(only(block).path).toBe("p/x");
	});

	it("reads the prefix that Go once wrote into GNU headers, but not GNU's own times", () => {
		expect(only(header({ name: "x", prefix: "usr/share/long", magic: GNU })).path).toBe("usr/share/long/x");
		const withTimes = tarHeader({ name: "x", magic: GNU }, (raw) => raw.write("14371573530\x0014371573530\0", 345));
		expect(only(withTimes).path).toBe("x");
	});

	it.each<[string, number, number]>([
		["BSD's nobody", -2, 2 ** 32 - 2],
		["-1, which is no owner", -1, 0],
		["the same without its sign", 2 ** 32 - 1, 0],
		["more than 32 bits", 2 ** 32 + 5, 5],
		["the most that is one", 2 ** 32 - 2, 2 ** 32 - 2],
	])("takes of an owner what Linux has: %s", (_, recorded, id) => {
		expect(only(header({ name: "x", uid: recorded, gid: recorded, magic: GNU }))).toMatchObject({ uid: id, gid: id });
		const records = [paxRecord("uid", `${recorded}`), paxRecord("gid", `${recorded}`)];
		expect(only(paxHeader(records), header({ name: "x", uid: 1 }))).toMatchObject({ uid: id, gid: id });
	});

	it("takes the lowest bits of owners and device numbers of up to 64 bits, and says so", () => {
		const owner = tarHeader({ name: "base-256" }, (raw) => raw.fill(0, 108, 116).writeUInt8(0xff, 108));
		expect(only(owner).uid).toBe(0);
		const pax = ["-9223372036854775808", "+9223372036854775807"].map((id) => paxHeader([paxRecord("uid", id)]));
		const devices = { typeflag: "4", devmajor: 4096 + 259, devminor: -1 };
		const archive = [pax[0], header({ name: "a" }), pax[1], header({ name: "b" }), header({ name: "c", ...devices })];
		const reader = new TarReader({ entry() {}, data() {}, hole() {}, endEntry() {} }, { origin: "layer" });
		const bytes = Buffer.concat([...archive.map((part) => part ?? END), header({ name: "d", uid: 7 }), END]);
		reader.push(bytes);
		expect(reader.notes).toEqual([expect.stringMatching(/^3 entries have an owner or device number .*first: a\)$/)]);
		const members = readTar(bytes);
		expect(members.map(({ uid }) => uid)).toEqual([0, 0, 0, 7]);
		expect(members[2]).toMatchObject({ major: 259, minor: 2 ** 20 - 1 });
	});

	it("accepts a checksum over signed bytes", () => {
		const block = tarHeader({ name: "\xff\xff" });
		block.write(
			`${(Number.parseInt(block.toString("latin1", 148, 154), 8) - 512).toString(8).padStart(6, "0")}\0 `,
			148,
		);
		expect(only(block).path).toBe("\xff\xff");
	});
});

describe("TarReader: extended headers", () => {
	it("applies GNU's long names and targets", () => {
		const path = "d/".repeat(100) + "x".repeat(100);
		const member = only(
			gnuLongName("t".repeat(300), "K"),
			gnuLongName(path),
			header({ name: path.slice(0, 100), typeflag: "2", magic: GNU }),
		);
		expect(member).toMatchObject({ path, linkTarget: "t".repeat(300) });
	});

	it("applies PAX keywords over the header block, to one member", () => {
		const records = [
			paxRecord("path", "new/p\xff"),
			paxRecord("linkpath", "l\n="),
			paxRecord("uid", "4294967294"),
			paxRecord("gid", "70000"),
			paxRecord("mtime", "-1.25"),
			paxRecord("atime", "7"),
			paxRecord("comment", "\0\0"),
			paxRecord("hdrcharset", "BINARY"),
		];
		const members = readTar(
			Buffer.concat([
				paxHeader(records),
				header({ name: "old", typeflag: "2", uid: 1 }),
				header({ name: "next", uid: 1 }),
				END,
			]),
		);
		expect(members[0]).toMatchObject({
			index: 0,
			path: "new/p\xff",
			linkTarget: "l\n=",
			uid: 4_294_967_294,
			gid: 70_000,
			mtime: { seconds: -2, nanoseconds: 750_000_000 },
			archiveOffset: 1024,
		});
		expect(members[1]).toMatchObject({ index: 1, path: "next", uid: 1, gid: 0, mtime: { seconds: 0, nanoseconds: 0 } });
	});

	it("takes the size from PAX", () => {
		const member = only(
			paxHeader([paxRecord("size", "6")]),
			tarHeader({ name: "x", size: 0 }),
			padded(bytes("sixsix")),
		);
		expect(member.content.toString()).toBe("sixsix");
	});

	it("takes device numbers from star's keywords", () => {
		const records = [paxRecord("SCHILY.devmajor", "259"), paxRecord("SCHILY.devminor", "70000")];
		expect(only(paxHeader(records), header({ name: "x", typeflag: "4" }))).toMatchObject({ major: 259, minor: 70_000 });
	});

	it("lets the last of two records win, and an empty value take the keyword back", () => {
		const records = [paxRecord("path", "a"), paxRecord("path", "b"), paxRecord("uid", "5"), paxRecord("uid", "")];
		expect(only(paxHeader(records), header({ name: "x", uid: 1 }))).toMatchObject({ path: "b", uid: 1 });
	});

	it("applies global headers to all members that follow, below their own", () => {
		const archive = Buffer.concat([
			header({ name: "before" }),
			paxHeader([paxRecord("uid", "7"), paxRecord("gid", "8")], "g"),
			header({ name: "a" }),
			paxHeader([paxRecord("uid", "9")]),
			header({ name: "b" }),
			paxHeader([paxRecord("uid", "")]),
			header({ name: "c", uid: 3 }),
			END,
		]);
		expect(readTar(archive).map(({ path, uid, gid }) => `${path} ${uid} ${gid}`)).toEqual([
			"before 0 0",
			"a 7 8",
			"b 9 8",
			"c 3 8",
		]);
	});

	it("reads Solaris' extended headers", () => {
		expect(only(paxHeader([paxRecord("path", "long")], "X"), header({ name: "x" })).path).toBe("long");
	});

	it("keeps extended attributes as bytes", () => {
		const value = "\x01\0\n=\xff 12 a=b\n";
		const xattrs = new Map([
			["security.capability", bytes("\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0")],
			["user.\xe9=x", bytes("")],
			["user.bin", bytes(value)],
		]);
		const records = [...xattrs].map(([name, content]) => paxRecord(`SCHILY.xattr.${name}`, content.toString("latin1")));
		// An attribute's name ends at the first "=".
		const expected = new Map(
			[...xattrs].filter(([name]) => !name.includes("=")).map(([k, v]) => [k, Uint8Array.from(v)]),
		);
		expected.set("user.\xe9", Uint8Array.from(bytes("x=")));
		expect(only(paxHeader(records), header({ name: "x" })).xattrs).toEqual(expected);
	});

	it("reads libarchive's form of extended attributes, and prefers the raw one", () => {
		const records = [
			paxRecord("LIBARCHIVE.xattr.user.a%3Db%00".slice(0, -3), "AQIDBA"),
			paxRecord("LIBARCHIVE.xattr.user.c", "eHl6"),
			paxRecord("SCHILY.xattr.user.c", "raw"),
			paxRecord("LIBARCHIVE.xattr.user.d", "eA=="),
		];
		const { xattrs } = only(paxHeader(records), header({ name: "x" }));
		expect(
			Object.fromEntries([...xattrs].map(([name, value]) => [name, Buffer.from(value).toString("latin1")])),
		).toEqual({
			"user.a=b": "\x01\x02\x03\x04",
			"user.c": "raw",
			"user.d": "x",
		});
	});

	it.each([
		["user.a%25b", "user.a%b"],
		["user.a%3Db", "user.a=b"],
		["user.sp%20ace", "user.sp ace"],
		["user.caf%C3%A9", "user.caf\xc3\xa9"],
		["user.%0A", "user.\n"],
		["user.%2541", "user.%41"],
		["user.%2525", "user.%25"],
		["user.%41", "user.%41"],
		["user.100%", "user.100%"],
		["user.%2", "user.%2"],
		["user.%zz%3d", "user.%zz="],
		["user.\xc3\xa9 x\n", "user.\xc3\xa9 x\n"],
	])("reads the name that a writer of SCHILY.xattr.%s meant", (keyword, name) => {
		const { xattrs } = only(paxHeader([paxRecord(`SCHILY.xattr.${keyword}`, "v")]), header({ name: "x" }));
		expect([...xattrs.keys()]).toEqual([name]);
	});

	it("takes the two forms of one attribute that libarchive writes for one, also with a name that is encoded", () => {
		const records = [
			paxRecord("LIBARCHIVE.xattr.user.a%20%25%3D", "cmF3"),
			paxRecord("SCHILY.xattr.user.a%20%25%3D", "raw"),
		];
		const { xattrs } = only(paxHeader(records), header({ name: "x" }));
		expect([...xattrs].map(([name, value]) => [name, Buffer.from(value).toString()])).toEqual([["user.a %=", "raw"]]);
	});

	it("takes time in proportion to what it reads", () => {
		const megabyte = (record: (filler: string) => Buffer, filler: string): Buffer =>
			Buffer.concat([paxHeader([record(filler.repeat(1_000_000 / filler.length))]), header({ name: "x" }), END]);
		const archives = [
			megabyte((text) => paxRecord("LIBARCHIVE.xattr.user.x", `${text}A`), "="),
			megabyte((text) => paxRecord("LIBARCHIVE.xattr.user.x", text), "="),
			megabyte((text) => paxRecord(`LIBARCHIVE.xattr.user.${text}`, ""), "%4"),
			megabyte((text) => paxRecord(`SCHILY.xattr.user.${text}`, "x"), "%25"),
			megabyte((text) => paxRecord("mtime", `1.${text}x`), "0"),
			megabyte((text) => paxRecord("mtime", text), "0"),
			megabyte((text) => paxRecord("uid", text), "9"),
			megabyte((text) => paxRecord("GNU.sparse.map", text), ",1"),
			megabyte((text) => paxRecord("path", text), "a/"),
		];
		const before = process.cpuUsage();
		for (const archive of archives) codeOf(archive);
		const { user, system } = process.cpuUsage(before);
		expect((user + system) / 1e6).toBeLessThan(5);
	});

	it("says which attributes it leaves out", () => {
		const reader = new TarReader({ entry() {}, data() {}, hole() {}, endEntry() {} }, { origin: "layer" });
		const records = [paxRecord("SCHILY.acl.access", "user::rw-"), paxRecord("atime", "1")];
		reader.push(
			Buffer.concat([paxHeader(records), header({ name: "x" }), paxHeader(records), header({ name: "y" }), END]),
		);
		reader.finish();
		expect(reader.notes).toEqual(["PAX keyword SCHILY.acl.access of 2 entries is not applied"]);
	});

	it("skips volume labels and GNU's lists of directories' names", () => {
		const archive = Buffer.concat([
			header({ name: "label", typeflag: "V" }),
			header({ name: "d/", typeflag: "D" }, "Yx\0Yy\0\0"),
			header({ name: "x" }),
			END,
		]);
		expect(readTar(archive).map(({ index, type, path }) => `${index} ${type} ${path}`)).toEqual([
			"0 directory d/",
			"1 file x",
		]);
	});
});

describe("TarReader: ends", () => {
	const whole = tarArchive([{ path: "a", content: bytes("x".repeat(600)) }, { path: "b" }]);

	it("accepts what is after the two zero blocks, whatever it is", () => {
		expect(readTar(Buffer.concat([whole, bytes("garbage"), whole])).length).toBe(2);
	});

	it("accepts an archive without zero blocks, with one, with nothing, without the last padding", () => {
		const { byteLength } = whole;
		for (const end of [byteLength - 1024, byteLength - 512]) expect(readTar(whole.subarray(0, end)).length).toBe(2);
		expect(readTar(Buffer.alloc(0))).toEqual([]);
		expect(readTar(whole.subarray(0, 512 + 600))[0]?.content.byteLength).toBe(600);
	});

	it("refuses an archive that ends anywhere else", () => {
		for (const end of [1, 511, 512, 513, 512 + 599, 1536 + 100, 1536 + 512 + 3])
			expect(codeOf(whole.subarray(0, end)), `${end}`).toBe("corrupt TAR_TRUNCATED");
		const withExtension = Buffer.concat([paxHeader([paxRecord("path", "x")]), header({ name: "y" })]);
		for (const end of [512, 530, 1024])
			expect(codeOf(withExtension.subarray(0, end)), `${end}`).toBe("corrupt TAR_TRUNCATED");
		expect(codeOf(gnuLongName("x"))).toBe("corrupt TAR_TRUNCATED");
	});

	it("refuses a single zero block between members", () => {
		expect(codeOf(Buffer.concat([header({ name: "a" }), Buffer.alloc(512), header({ name: "b" }), END]))).toBe(
			"corrupt TAR_LONE_ZERO_BLOCK",
		);
	});
});

describe("TarReader: what it refuses", () => {
	const broken = (change: (block: Buffer) => void, fields: Partial<HeaderFields> = {}): Buffer =>
		Buffer.concat([tarHeader({ name: "x", ...fields }, change), END]);
	const withPax = (...records: Buffer[]): Buffer => Buffer.concat([paxHeader(records), header({ name: "x" }), END]);
	const wrongSum = Buffer.concat([tarHeader({ name: "x" }), END]);
	wrongSum[0] = 0x79;

	it.each<[string, Buffer, string]>([
		["a wrong checksum", wrongSum, "TAR_BAD_CHECKSUM"],
		["a checksum that is no number", Buffer.concat([Buffer.alloc(512, "x"), END]), "TAR_BAD_CHECKSUM"],
		["text instead of an archive", bytes("<html>".repeat(200)), "TAR_BAD_CHECKSUM"],
		["an unknown type", broken(() => {}, { typeflag: "Q" }), "TAR_UNSUPPORTED_TYPE"],
		["a file from another volume", broken(() => {}, { typeflag: "M" }), "TAR_MULTI_VOLUME"],
		["a size that is no number", broken((block) => block.write("12x", 124)), "TAR_BAD_NUMBER"],
		["a mode that is no number", broken((block) => block.write("rwxr-xr", 100)), "TAR_BAD_NUMBER"],
		["a negative size", broken(() => {}, { size: -1 }), "TAR_BAD_NUMBER"],
		["a size beyond 2^53", broken((block) => block.fill(0x7f, 125, 136).writeUInt8(0x80, 124)), "TAR_BAD_NUMBER"],
		["an owner that is no number", broken((block) => block.write("-000002", 108)), "TAR_BAD_NUMBER"],
		["an owner beyond 64 bits", withPax(paxRecord("uid", "9223372036854775808")), "TAR_BAD_PAX_RECORD"],
		["a group in words", withPax(paxRecord("gid", "wheel")), "TAR_BAD_PAX_RECORD"],
		["a device number in hexadecimal", withPax(paxRecord("SCHILY.devmajor", "0x10")), "TAR_BAD_PAX_RECORD"],
		["a NUL in a PAX path", withPax(paxRecord("path", "a\0b")), "TAR_NUL_IN_NAME"],
		[
			"a NUL in a link's PAX target",
			Buffer.concat([paxHeader([paxRecord("linkpath", "a\0b")]), header({ name: "x", typeflag: "2" }), END]),
			"TAR_NUL_IN_NAME",
		],
		["a malformed PAX record", Buffer.concat([paxHeader([bytes("9 path=x\n\n")]), END]), "TAR_BAD_PAX_RECORD"],
		["a PAX size that is no number", withPax(paxRecord("size", "ten")), "TAR_BAD_PAX_RECORD"],
		["a PAX time that is none", withPax(paxRecord("mtime", "yesterday")), "TAR_BAD_PAX_RECORD"],
		["an extended attribute without a name", withPax(paxRecord("SCHILY.xattr.", "x")), "TAR_BAD_PAX_RECORD"],
		["an attribute's name with NUL", withPax(paxRecord("LIBARCHIVE.xattr.user.%00", "")), "TAR_BAD_PAX_RECORD"],
		["an attribute that is not base64", withPax(paxRecord("LIBARCHIVE.xattr.user.x", "a*b")), "TAR_BAD_PAX_RECORD"],
		[
			"an extended header that is too large",
			broken(() => {}, { typeflag: "x", size: 2 ** 40 }),
			"TAR_HEADER_TOO_LARGE",
		],
		["a long name that is too large", broken(() => {}, { typeflag: "L", size: 2 ** 21 }), "TAR_HEADER_TOO_LARGE"],
	])("%s", (_, archive, code) => expect(codeOf(archive)).toBe(`corrupt ${code}`));

	it("global headers that pile up", () => {
		const global = (i: number): Buffer => paxHeader([paxRecord(`key${i}`, "v".repeat(1000))], "g");
		const archive = Buffer.concat([...Array.from({ length: 5 }, (_, i) => global(i)), header({ name: "x" }), END]);
		expect(codeOf(archive, { maxHeaderBytes: 4096 })).toBe("corrupt TAR_HEADER_TOO_LARGE");
		const same = Buffer.concat([...Array.from({ length: 5 }, () => global(1)), header({ name: "x" }), END]);
		expect(codeOf(same, { maxHeaderBytes: 4096 })).toBe("no error");
	});

	it("saying where it was", () => {
		const archive = Buffer.concat([header({ name: "ok" }), header({ name: "bad\xff\n", size: -1 })]);
		expect(() => readTar(archive)).toThrow(/TAR_BAD_NUMBER: size -1 \(test\.tar, tar offset 1024, bad\\xff\\x0a\)/);
	});
});

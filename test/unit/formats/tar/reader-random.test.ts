import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	gnuLongName,
	paxHeader,
	paxRecord,
	readTar,
	type TarMember,
	tarArchive,
	tarHeader,
	tarMember,
} from "../../../support/tar-fixtures.ts";

const rawName = fc
	.array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 150 })
	.map((codes) => String.fromCharCode(...codes));
const mtime = fc.record({
	seconds: fc.integer({ min: -(2 ** 33), max: 2 ** 34 }),
	nanoseconds: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 999_999_999 })),
});
const id = fc.oneof(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
const xattrs = fc
	.array(
		fc.tuple(
			rawName.map((name) => `user.${name.replace(/=/g, "-")}`),
			fc.uint8Array({ maxLength: 40 }),
		),
		{ maxLength: 2 },
	)
	.map((pairs) => new Map(pairs));
const member: fc.Arbitrary<TarMember> = fc.oneof(
	fc.record({
		path: rawName,
		mode: fc.integer({ min: 0, max: 0o7777 }),
		uid: id,
		gid: id,
		mtime,
		xattrs,
		content: fc.uint8Array({ maxLength: 1600 }),
	}),
	fc.record({
		path: rawName,
		type: fc.constantFrom("symlink" as const, "hard-link" as const),
		linkTarget: rawName,
		mtime,
		xattrs,
	}),
	fc.record({
		path: rawName,
		type: fc.constantFrom("character-device" as const, "block-device" as const),
		major: fc.integer({ min: 0, max: 4095 }),
		minor: fc.integer({ min: 0, max: 2 ** 20 - 1 }),
	}),
	fc.record({ path: rawName, type: fc.constantFrom("directory" as const, "fifo" as const, "socket" as const), mtime }),
);
const members = fc.array(member, { maxLength: 6 });

/** Everything that shapes how an archive is read, for tests that damage it. */
const rich = Buffer.concat([
	paxHeader([paxRecord("gid", "5")], "g"),
	tarMember({ path: "a", content: Buffer.from("content"), xattrs: new Map([["user.x", Buffer.from([0, 10, 255])]]) }),
	gnuLongName("long/".repeat(30)),
	tarHeader({ name: "long", typeflag: "5", magic: "ustar  \0" }),
	paxHeader([
		paxRecord("GNU.sparse.major", "1"),
		paxRecord("GNU.sparse.minor", "0"),
		paxRecord("GNU.sparse.name", "s"),
		paxRecord("GNU.sparse.realsize", "3000"),
	]),
	tarHeader({ name: "s", size: 515 }),
	Buffer.from("1\n1000\n3\n".padEnd(512, "\0")),
	Buffer.from("abc".padEnd(512, "\0")),
	paxHeader([paxRecord("GNU.sparse.size", "9"), paxRecord("GNU.sparse.map", "1,2,5,1")]),
	tarHeader({ name: "t", size: 3 }),
	Buffer.from("xyz".padEnd(512, "\0")),
	tarMember({ path: "l", type: "symlink", linkTarget: "t".repeat(200) }),
	Buffer.alloc(1024),
]);

describe("TarReader on random archives", () => {
	it("reads back what was written", () => {
		fc.assert(
			fc.property(members, (written) => {
				const read = readTar(tarArchive(written));
				expect(read.length).toBe(written.length);
				for (const [i, { type = "file", content = Buffer.alloc(0), ...rest }] of written.entries())
					expect(read[i]).toMatchObject({
						type,
						...rest,
						content: Buffer.from(content),
						xattrs: new Map([...(rest.xattrs ?? [])].map(([name, value]) => [name, Uint8Array.from(value)])),
					});
			}),
			{ seed: 1, numRuns: 300 },
		);
	});

	it("does not depend on how the bytes are cut", () => {
		const chunkLengths = fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 1500 })), {
			minLength: 1,
			maxLength: 40,
		});
		fc.assert(
			fc.property(members, chunkLengths, (written, lengths) => {
				for (const archive of [tarArchive(written), rich]) expect(readTar(archive, lengths)).toEqual(readTar(archive));
			}),
			{ seed: 2, numRuns: 150 },
		);
		expect(readTar(rich, [1])).toEqual(readTar(rich));
	});
});

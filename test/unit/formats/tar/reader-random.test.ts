import fc from "fast-check";
import { extract, pack } from "tar-stream";
import { describe, expect, it } from "vitest";
import { Oci2isoError } from "../../../../src/errors.ts";
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

	it("answers damaged archives with nothing but its own errors", () => {
		let accepted = 0;
		let refused = 0;
		const damage = fc.array(fc.tuple(fc.nat(rich.byteLength - 1), fc.integer({ min: 0, max: 255 })), {
			minLength: 1,
			maxLength: 4,
		});
		const cut = fc.oneof(fc.constant(rich.byteLength), fc.nat(rich.byteLength));
		fc.assert(
			fc.property(damage, cut, fc.boolean(), (changes, end, repairSums) => {
				const archive = Buffer.from(rich.subarray(0, end));
				for (const [at, value] of changes) if (at < end) archive[at] = value;
				if (repairSums) for (let at = 0; at + 512 <= end; at += 512) repairChecksum(archive.subarray(at, at + 512));
				try {
					readTar(archive, [700]);
					accepted++;
				} catch (error) {
					if (!(error instanceof Oci2isoError) && !isCollectorLimit(error)) throw error;
					refused++;
				}
			}),
			{ seed: 3, numRuns: 3000 },
		);
		expect(accepted).toBeGreaterThan(100);
		expect(refused).toBeGreaterThan(100);
	});

	it("answers arbitrary bytes with nothing but its own errors", () => {
		const block = fc.uint8Array({ minLength: 512, maxLength: 512 }).map((array) => {
			const bytes = Buffer.from(array);
			bytes.write("ustar\x0000", 257, "latin1");
			bytes.fill(0, 124, 136);
			repairChecksum(bytes, true);
			return bytes;
		});
		fc.assert(
			fc.property(fc.array(block, { maxLength: 4 }), (blocks) => {
				try {
					readTar(Buffer.concat(blocks));
				} catch (error) {
					if (!(error instanceof Oci2isoError) && !isCollectorLimit(error)) throw error;
				}
			}),
			{ seed: 4, numRuns: 1000 },
		);
	});
});

/** Blocks that look like headers get a right checksum, so that damage reaches what is behind it. */
function repairChecksum(block: Buffer, always = false): void {
	if (!always && block.toString("latin1", 257, 262) !== "ustar") return;
	block.fill(" ", 148, 156);
	const sum = block.reduce((total, byte) => total + byte, 0);
	block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}

/** The test's own collector stops at holes that it cannot hold. */
function isCollectorLimit(error: unknown): boolean {
	return error instanceof Error && error.message === "hole too large to collect";
}

describe("TarReader and tar-stream", () => {
	const text = fc
		.string({ unit: "grapheme", minLength: 1, maxLength: 60 })
		.map((name) => name.replace(/[\0/\\]/g, "_"));
	const entry = fc.record({
		name: text,
		mode: fc.integer({ min: 1, max: 0o7777 }),
		uid: fc.nat(0o777777),
		content: fc.uint8Array({ maxLength: 1100 }),
	});

	it("read the same from what tar-stream writes", async () => {
		await fc.assert(
			fc.asyncProperty(fc.array(entry, { maxLength: 5 }), async (entries) => {
				const archive = pack();
				for (const { name, mode, uid, content } of entries)
					archive.entry(
						{ name, mode, uid, mtime: new Date(1_700_000_000_000), pax: { "SCHILY.xattr.user.a": name } },
						Buffer.from(content),
					);
				archive.entry({ name: "dir", type: "directory" });
				archive.entry({ name: "link", type: "symlink", linkname: "t".repeat(150) });
				archive.finalize();
				const parts: Buffer[] = [];
				for await (const part of archive) parts.push(part as Buffer);
				const read = readTar(Buffer.concat(parts));
				expect(
					read.slice(0, -2).map(({ path, mode, uid, content, mtime, xattrs }) => ({
						path,
						mode,
						uid,
						content,
						mtime,
						attribute: xattrs.get("user.a"),
					})),
				).toEqual(
					entries.map(({ name, mode, uid, content }) => ({
						path: Buffer.from(name).toString("latin1"),
						mode,
						uid,
						content: Buffer.from(content),
						mtime: { seconds: 1_700_000_000, nanoseconds: 0 },
						attribute: Uint8Array.from(Buffer.from(name)),
					})),
				);
				expect(read.at(-2)).toMatchObject({ type: "directory", path: "dir" });
				expect(read.at(-1)).toMatchObject({ type: "symlink", linkTarget: "t".repeat(150) });
			}),
			{ seed: 5, numRuns: 60 },
		);
	});

	it("read the same from what the test's own writer writes", async () => {
		const written: TarMember[] = [
			{ path: "plain", content: Buffer.from("x".repeat(700)), uid: 70_000 },
			{ path: "p".repeat(180), mode: 0o4755 },
			{ path: "dir/", type: "directory" },
			{ path: "dev", type: "block-device", major: 8, minor: 3 },
			{ path: "soft", type: "symlink", linkTarget: "plain" },
		];
		const reader = extract();
		reader.end(tarArchive(written));
		const theirs: string[] = [];
		for await (const part of reader) {
			const chunks: Buffer[] = [];
			for await (const chunk of part) chunks.push(chunk as Buffer);
			const { name, type, mode, uid, linkname, devmajor, devminor } = part.header;
			theirs.push(
				`${type} ${name} ${mode} ${uid} ${linkname ?? ""} ${devmajor}:${devminor} ${Buffer.concat(chunks).byteLength}`,
			);
		}
		const ours = readTar(tarArchive(written)).map(
			(m) => `${m.type} ${m.path} ${m.mode} ${m.uid} ${m.linkTarget} ${m.major}:${m.minor} ${m.byteLength}`,
		);
		expect(theirs).toEqual(ours);
	});
});

import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Initramfs, readInitramfs } from "../../../../src/boot/initramfs/initramfs.ts";
import { memoryFile, type StreamedFile } from "../../../../src/boot/initramfs/streamed-file.ts";
import { encodeXzContainer } from "../../../../src/codec/xz-container.ts";
import type { DirectoryInode } from "../../../../src/tree/inode.ts";
import { newcArchive } from "../../../support/inspect-cpio.ts";
import { roundsOf } from "../../../support/slow.ts";
import { lz4Stored, lzma2Stored } from "../../../support/stored-parts.ts";
import { zstdStored } from "../../../support/zstd-stored.ts";

const PATHS = [
	"usr",
	"lib",
	"usr/lib/modules/1/modules.dep",
	"lib/modules/1/modules.dep",
	"lib/modules/1/squashfs.ko",
	"etc/cmdline",
	"kernel/x86/microcode/x.bin",
	"init",
];

const member = fc.record({
	path: fc.constantFrom(...PATHS),
	mode: fc.constantFrom(0o100755, 0o100755, 0o40755, 0o120777),
	content: fc.oneof(
		fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
		fc.constantFrom(...PATHS).map((path) => Buffer.from(path)),
		fc.integer({ min: 100, max: 9000 }).map((length) => Buffer.alloc(length, "content ")),
	),
	fields: fc.constantFrom([1], [1, 0, 0, 0, 2]),
});

const COMPRESS: readonly ((archive: Buffer) => Buffer)[] = [
	(archive) => archive,
	(archive) => gzipSync(archive),
	(archive) => {
		// with a name, a comment and a checksum in its header
		const plain = gzipSync(archive);
		plain[3] = 2 | 8 | 16;
		return Buffer.concat([plain.subarray(0, 10), Buffer.from("initrd\0made by a test\0cc"), plain.subarray(10)]);
	},
	zstdStored,
	(archive) => encodeXzContainer(lzma2Stored(archive), archive, 65_536),
	lz4Stored,
];

const part = fc
	.tuple(fc.array(member, { maxLength: 5 }), fc.nat(COMPRESS.length - 1), fc.constantFrom(0, 4, 8, 3))
	.map(([members, which, zeros]) =>
		Buffer.concat([COMPRESS[which]?.(newcArchive(members)) ?? Buffer.alloc(0), Buffer.alloc(zeros)]),
	);
const file = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => Buffer.concat(parts));

/** Everything there is to see. */
function seen({ segments, fault, refusedByKernel, isOpaque, root, content }: Initramfs): unknown {
	const list = (directory: DirectoryInode, parent: string): unknown[] =>
		[...directory.entries].flatMap(([name, inode]) => [
			[parent + name, inode.type, inode.mode],
			inode.type === "symlink" ? inode.target : undefined,
			inode.type === "file" ? content(parent + name)?.toString("hex") : undefined,
			...(inode.type === "directory" ? list(inode, `${parent}${name}/`) : []),
		]);
	return { segments, fault, refusedByKernel, isOpaque, tree: list(root, "/") };
}

const whole = async (bytes: Buffer): Promise<unknown> => seen(await readInitramfs(memoryFile(bytes, 2 ** 30)));
const inChunks = async (bytes: Buffer, chunkBytes: number): Promise<unknown> =>
	seen(await readInitramfs(memoryFile(bytes, chunkBytes)));

describe("an initramfs in chunks", () => {
	it("is the same as in one piece", async () => {
		await fc.assert(
			fc.asyncProperty(
				file,
				fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 20_000 })),
				async (bytes, chunkBytes) => {
					expect(await inChunks(bytes, chunkBytes)).toEqual(await whole(bytes));
				},
			),
			{ seed: 6, numRuns: roundsOf(400) },
		);
	});

	it("is the same damaged: bytes changed, and cut off anywhere", async () => {
		await fc.assert(
			fc.asyncProperty(
				file,
				fc.nat(),
				fc.nat(255),
				fc.nat(),
				fc.integer({ min: 1, max: 3000 }),
				async (bytes, at, value, cut, chunkBytes) => {
					const damaged = Buffer.from(bytes);
					damaged[at % bytes.byteLength] = value;
					for (const all of [damaged, bytes.subarray(0, cut % bytes.byteLength)])
						expect(await inChunks(all, chunkBytes)).toEqual(await whole(all));
				},
			),
			{ seed: 6, numRuns: roundsOf(400) },
		);
	});

	it("is the same cut off at every byte", async () => {
		const archive = newcArchive([{ path: "init", mode: 0o100755, content: Buffer.alloc(30, "#") }]);
		const all = Buffer.concat(COMPRESS.map((compress) => compress(archive)));
		for (let cut = 0; cut <= all.byteLength; cut++)
			expect(await inChunks(all.subarray(0, cut), 1 + (cut % 7))).toEqual(await whole(all.subarray(0, cut)));
	});
});

describe("a zstd part that the file does not hold whole", () => {
	const archive = newcArchive([{ path: "init", mode: 0o100755, content: Buffer.alloc(300_000, "x") }]);
	const frame = zstdStored(archive);
	const first = newcArchive([{ path: "etc/cmdline", content: Buffer.from("quiet") }]);
	const counted = (bytes: Buffer): { readonly source: StreamedFile; readonly times: () => number } => {
		let times = 0;
		const { byteLength, stream } = memoryFile(bytes, 1000);
		const open = (): AsyncIterable<Uint8Array> => {
			times++;
			return stream();
		};
		return { source: { byteLength, stream: open }, times: () => times };
	};

	it("counts for nothing, and what is before it does", async () => {
		const { source, times } = counted(Buffer.concat([first, frame.subarray(0, frame.byteLength - 1)]));
		const { segments, fault, lookup } = await readInitramfs(source);
		expect(segments.map(({ compression, entries }) => [compression, entries])).toEqual([
			["none", 1],
			["zstd", 0],
		]);
		expect(fault).toBe(`the part at byte ${first.byteLength} (zstd): it ends within a zstd frame`);
		expect(lookup("/etc/cmdline")).toBeDefined();
		expect(lookup("/init")).toBeUndefined();
		expect(times()).toBe(2);
	});

	it("says so whatever else is wrong with it", async () => {
		const junk = zstdStored(Buffer.concat([Buffer.from("no archive"), archive]));
		const { fault } = await readInitramfs(memoryFile(junk.subarray(0, junk.byteLength - 1), 1000));
		expect(fault).toContain("it ends within a zstd frame");
		expect((await readInitramfs(memoryFile(junk, 1000))).fault).toContain("no archive");
	});

	it("is the only reason to read a file twice", async () => {
		const { source, times } = counted(Buffer.concat([first, frame, gzipSync(archive).subarray(0, 200)]));
		expect((await readInitramfs(source)).fault).toContain("gzip");
		expect(times()).toBe(1);
	});
});

it("rejects as the file's stream does, in every format", async () => {
	const archive = newcArchive([{ path: "init", mode: 0o100755, content: Buffer.alloc(50_000, "#") }]);
	for (const compress of COMPRESS) {
		const bytes = compress(archive);
		const broken: StreamedFile = {
			byteLength: bytes.byteLength,
			async *stream() {
				yield bytes.subarray(0, bytes.byteLength - 20);
				throw new Error("gone");
			},
		};
		await expect(readInitramfs(broken)).rejects.toThrow("gone");
	}
});

import { describe, expect, it } from "vitest";
import * as records from "../../../../src/rootfs/squashfs/records.ts";
import { SUPERBLOCK } from "../../../../src/rootfs/squashfs/superblock.ts";
import type { Inode } from "../../../../src/tree/inode.ts";
import { TreeBuilder } from "../../../support/trees.ts";
import { makeImage, openImage } from "./harness.ts";

const { DIRECTORY_ENTRY, DIRECTORY_HEADER, DIRECTORY_INDEX_ENTRY, EXTENDED_DIRECTORY_INODE } = records;

describe("records", () => {
	it.each(Object.values({ ...records, SUPERBLOCK }).map((type) => [type.name, type] as const))(
		"%s decodes what it encodes",
		(_, type) => {
			const bytes = Buffer.from(Array.from({ length: type.byteLength }, (_, i) => i + 1));
			for (const field of Object.values(type.fields)) if (field.byteLength === 8) bytes[field.offset + 7] = 0;
			for (const field of Object.values(type.fields)) if (field.byteLength === 8) bytes[field.offset + 6] = 0;
			// biome-ignore lint/suspicious/noExplicitAny: one test for records of different types
			expect(type.encode(type.decode(bytes) as any)).toEqual(clearGaps(bytes, type.fields));
		},
	);

	it("know a superblock that mksquashfs wrote", () => {
		const bytes = Buffer.from(
			"68737173020000009ae4006b000002000100000006001100c0000100040000002000000000000000ec00000000000000" +
				"e400000000000000ffffffffffffffff63000000000000009300000000000000bc00000000000000d600000000000000",
			"hex",
		);
		const superblock = SUPERBLOCK.decode(bytes);
		expect(superblock).toMatchObject({ inodeCount: 2, compressor: 6, blockLog2: 17, idCount: 1, rootInode: 0x20n });
		expect(superblock).toMatchObject({ bytesUsed: 236, inodeTable: 0x63n, xattrTable: 0xffff_ffff_ffff_ffffn });
		expect(SUPERBLOCK.encode(superblock)).toEqual(bytes);
	});
});

function clearGaps(bytes: Buffer, fields: Readonly<Record<string, { offset: number; byteLength: number }>>): Buffer {
	const out = Buffer.alloc(bytes.byteLength);
	for (const { offset, byteLength } of Object.values(fields)) bytes.copy(out, offset, offset, offset + byteLength);
	return out;
}

/** What the kernel does with a directory's index: the last entry whose name is not beyond `name` says where to start. */
function lookupStart(index: readonly { name: string; listingPosition: number }[], name: string): number {
	return index.findLast((entry) => entry.name <= name)?.listingPosition ?? 0;
}

describe("the index of a large directory", () => {
	it("leads to a header within 8 KiB before every entry", async () => {
		const tree = new TreeBuilder();
		const children: Record<string, Inode> = {};
		for (let i = 0; i < 4000; i++) children[`entry ${i} ${"x".repeat(i % 40)}`] = tree.file("");
		const root = tree.directory({
			aaa: tree.directory({ before: tree.file("shifts the listing") }),
			large: tree.directory(children),
		});
		const { image } = await makeImage(tree, root, { stored: true });
		const { superblock } = await openImage(image);

		const inodes = metadataContent(image, Number(superblock.inodeTable), Number(superblock.directoryTable));
		const listings = metadataContent(image, Number(superblock.directoryTable), Number(superblock.fragmentTable));
		const inode = findExtendedDirectory(inodes.content);
		const index = inode.index.map((entry) => ({ ...entry, name: entry.name }));
		const start = listings.contentPosition(inode.listingBlock, inode.listingOffset);
		const headers = new Map<number, string>();
		const entryPositions = new Map<string, number>();
		for (let at = start; at < start + inode.listingSize - 3; ) {
			const headerAt = at - start;
			const { lastEntry } = DIRECTORY_HEADER.decode(listings.content, at);
			at += DIRECTORY_HEADER.byteLength;
			expect(lastEntry).toBeLessThan(256);
			for (let i = 0; i <= lastEntry; i++) {
				const { lastNameByte } = DIRECTORY_ENTRY.decode(listings.content, at);
				const name = listings.content.toString("latin1", at + 8, at + 9 + lastNameByte);
				if (i === 0) headers.set(headerAt, name);
				entryPositions.set(name, at - start);
				at += 9 + lastNameByte;
			}
		}
		expect(entryPositions.size).toBe(4000);
		expect(index.length).toBeGreaterThan(10);
		for (const entry of index) {
			expect(headers.get(entry.listingPosition)).toBe(entry.name);
			expect(listings.contentPosition(entry.directoryBlock, 0)).toBe(
				Math.floor((start + entry.listingPosition) / 8192) * 8192,
			);
		}
		for (const [name, position] of entryPositions) {
			const from = lookupStart(index, name);
			expect(from).toBeLessThanOrEqual(position);
			expect(position - from).toBeLessThan(8192 + 300);
		}
	});

	it("is not made for a directory that fits one block", async () => {
		const tree = new TreeBuilder();
		const children = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`entry ${i}`, tree.symlink("x")]));
		const { image } = await makeImage(tree, tree.directory(children), { stored: true });
		const { superblock } = await openImage(image);
		const { content } = metadataContent(image, Number(superblock.inodeTable), Number(superblock.directoryTable));
		expect(content.readUInt16LE(Number(superblock.rootInode & 0xffffn))).toBe(1);
	});
});

/** Content of a table whose blocks are all stored as they are. */
function metadataContent(image: Buffer, start: number, end: number) {
	const blocks = new Map<number, number>();
	const parts: Buffer[] = [];
	for (let at = start; at + 2 <= end; ) {
		const header = image.readUInt16LE(at);
		if ((header & 0x8000) === 0) break;
		blocks.set(at - start, 8192 * parts.length);
		parts.push(image.subarray(at + 2, at + 2 + (header & 0x7fff)));
		at += 2 + (header & 0x7fff);
	}
	return {
		content: Buffer.concat(parts),
		contentPosition: (block: number, offset: number) => (blocks.get(block) ?? Number.NaN) + offset,
	};
}

function findExtendedDirectory(content: Buffer) {
	for (let at = 0; at + EXTENDED_DIRECTORY_INODE.byteLength <= content.byteLength; at++) {
		const inode = EXTENDED_DIRECTORY_INODE.decode(content, at);
		if (inode.type !== 8 || inode.mode !== 0o755 || inode.indexCount === 0 || inode.mtimeSeconds !== 1_700_000_000)
			continue;
		const index: { name: string; listingPosition: number; directoryBlock: number }[] = [];
		let next = at + EXTENDED_DIRECTORY_INODE.byteLength;
		for (let i = 0; i < inode.indexCount; i++) {
			const entry = DIRECTORY_INDEX_ENTRY.decode(content, next);
			next += DIRECTORY_INDEX_ENTRY.byteLength;
			index.push({ ...entry, name: content.toString("latin1", next, next + entry.lastNameByte + 1) });
			next += entry.lastNameByte + 1;
		}
		return { ...inode, index };
	}
	throw new Error("no extended directory with an index");
}

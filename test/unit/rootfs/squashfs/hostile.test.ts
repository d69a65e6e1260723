import { beforeAll, describe, expect, it } from "vitest";
import { Oci2isoError } from "../../../../src/errors.ts";
import { SUPERBLOCK, type Superblock } from "../../../../src/rootfs/squashfs/superblock.ts";
import { assortedImages, imageFacts } from "./harness.ts";

let stored: Buffer;
let compressed: Buffer;
/** Where something of the stored image is. */
let superblock: Superblock;

beforeAll(async () => {
	({ stored, compressed } = await assortedImages(600));
	superblock = SUPERBLOCK.decode(stored);
});

/** Reads everything; resolves to the error's code, or undefined when it was read. */
async function readAll(image: Uint8Array): Promise<string | undefined> {
	try {
		await imageFacts(image);
		return undefined;
	} catch (error) {
		if (!(error instanceof Oci2isoError)) throw error;
		expect(error.kind).toBe("corrupt");
		return error.code;
	}
}

function withSuperblock(changes: Partial<Superblock>): Buffer {
	const image = Buffer.from(stored);
	image.set(SUPERBLOCK.encode({ ...superblock, ...changes }));
	return image;
}

function withBytes(find: Buffer, replace: Buffer): Buffer {
	const image = Buffer.from(stored);
	const at = image.indexOf(find);
	expect(at).toBeGreaterThan(0);
	image.set(replace, at);
	return image;
}

/** Positions of the root listing's entry for a directory with a name of one byte, and of its header. */
function rootEntry(name: string): { header: number; entry: number } {
	const dev = stored.indexOf("dev", Number(superblock.directoryTable));
	const [header, first] = [dev - 8 - 9 - 12, dev - 8 - 9];
	const entry = stored.indexOf(`\x01\0\0\0${name}`, first, "latin1") - 4;
	expect(stored.toString("latin1", first + 8, first + 9)).toBe("d");
	expect(entry).toBeGreaterThanOrEqual(first);
	return { header, entry };
}

describe("a hostile image", () => {
	it("is read when it is not hostile", async () => {
		expect(await readAll(stored)).toBeUndefined();
		expect(await readAll(compressed)).toBeUndefined();
	});

	it.each<[string, Partial<Superblock>, string]>([
		["magic", { magic: 1 }, "NOT_SQUASHFS"],
		["version", { versionMajor: 3 }, "CORRUPT_SUPERBLOCK"],
		["block size", { blockBytes: 4097 }, "CORRUPT_SUPERBLOCK"],
		["block size that disagrees", { blockLog2: 13 }, "CORRUPT_SUPERBLOCK"],
		["tiny block size", { blockBytes: 1, blockLog2: 0 }, "CORRUPT_SUPERBLOCK"],
		["no ids", { idCount: 0 }, "CORRUPT_SUPERBLOCK"],
		["length beyond the file", { bytesUsed: 2 ** 40 }, "CORRUPT_SUPERBLOCK"],
		["table beyond the image", { inodeTable: 2n ** 63n }, "CORRUPT_SUPERBLOCK"],
		["missing inode table", { inodeTable: 2n ** 64n - 1n }, "CORRUPT_SUPERBLOCK"],
		["tables in another order", { inodeTable: 40_000n, directoryTable: 30_000n }, "CORRUPT_SUPERBLOCK"],
		["root elsewhere", { rootInode: 0x1234_5678n }, "CORRUPT_METADATA"],
		["root that is a file", { rootInode: 0n }, "CORRUPT_METADATA"],
		["fewer inodes than there are", { inodeCount: 3 }, "CORRUPT_METADATA"],
		["fewer fragments than are used", { fragmentCount: 0 }, "CORRUPT_METADATA"],
		["no xattr table", { xattrTable: 2n ** 64n - 1n }, "CORRUPT_METADATA"],
	])("with a wrong superblock (%s)", async (_, changes, code) => {
		expect(await readAll(withSuperblock(changes))).toBe(code);
	});

	it("that is cut off", async () => {
		for (const length of [0, 4, 95, 96, 200, stored.byteLength >> 1])
			expect(await readAll(stored.subarray(0, length))).toMatch(/UNEXPECTED_END|CORRUPT_SUPERBLOCK/);
	});

	it("whose names are out of order, or paths", async () => {
		expect(await readAll(withBytes(Buffer.from("entry-599"), Buffer.from("entry-000")))).toBe("CORRUPT_METADATA");
		expect(await readAll(withBytes(Buffer.from("entry-599"), Buffer.from("entry/599")))).toBe("CORRUPT_METADATA");
	});

	it("whose directories form a loop, or share one inode", async () => {
		const rootBlock = Number(superblock.rootInode >> 16n);
		const rootOffset = Number(superblock.rootInode & 0xffffn);
		const { header, entry: d } = rootEntry("d");
		expect(stored.readUInt32LE(header + 4)).toBe(rootBlock);
		const loop = Buffer.from(stored);
		loop.writeUInt16LE(rootOffset, d);
		loop.writeInt16LE(1 - stored.readUInt32LE(header + 8), d + 2);
		expect(await readAll(loop)).toBe("CORRUPT_METADATA");

		const shared = Buffer.from(stored);
		stored.copy(shared, rootEntry("e").entry, d, d + 4);
		expect(await readAll(shared)).toBe("CORRUPT_METADATA");
	});

	it("whose header announces more entries than a header may have", async () => {
		const image = Buffer.from(stored);
		image.writeUInt32LE(256, rootEntry("d").header);
		expect(await readAll(image)).toBe("CORRUPT_METADATA");
	});
});

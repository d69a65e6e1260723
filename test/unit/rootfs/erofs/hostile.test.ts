import { beforeAll, describe, expect, it } from "vitest";
import { memorySource } from "../../../../src/binary/byte-source.ts";
import { Oci2isoError } from "../../../../src/errors.ts";
import { Findings } from "../../../../src/findings/findings.ts";
import { INCOMPATIBLE, SUPERBLOCK_OFFSET } from "../../../../src/rootfs/erofs/constants.ts";
import { EROFS } from "../../../../src/rootfs/erofs/erofs.ts";
import { SUPERBLOCK, type Superblock } from "../../../../src/rootfs/erofs/records.ts";
import { checkContents } from "../../../../src/verify/contents-check.ts";
import { roundsOf } from "../../../support/slow.ts";
import { randomNumbers } from "../../../support/verify-mutations.ts";
import { assortedTree, type ImageSettings, imageFacts, makeImage } from "./harness.ts";

const KiB = 1024;
const SETTINGS: readonly ImageSettings[] = [
	{ codec: "zstd", blockBytes: 4 * KiB },
	{ codec: "lz4", blockBytes: 16 * KiB, fragmentRule: "all-tails" },
	{ codec: "gzip", blockBytes: 16 * KiB, fragmentRule: "none" },
	{ codec: "none", blockBytes: 4 * KiB },
];
const MUTATIONS = 2000;

let images: Buffer[];
let first: Buffer;
let superblock: Superblock;

beforeAll(async () => {
	const { tree, root } = assortedTree(200);
	images = await Promise.all(SETTINGS.map((settings) => makeImage(tree, root, settings)));
	[first = Buffer.alloc(0)] = images;
	superblock = SUPERBLOCK.decode(first, SUPERBLOCK_OFFSET);
});

/** Checks everything, as `verify` does; resolves to what is wrong. */
async function faultsOf(image: Uint8Array): Promise<string[]> {
	const findings = new Findings("EROFS");
	try {
		const root = await EROFS.check(memorySource(image), findings, undefined);
		await checkContents(
			[{ start: 0, image: root }],
			() => true,
			findings,
			() => findings,
		);
	} catch (error) {
		if (!(error instanceof Oci2isoError)) throw error;
		expect(error.kind).toBe("corrupt");
		return [error.code, error.what];
	}
	return findings.list.filter(({ severity }) => severity === "fault").map(({ what }) => what);
}

async function codeOf(image: Uint8Array): Promise<string | undefined> {
	try {
		await imageFacts(image);
		return undefined;
	} catch (error) {
		if (!(error instanceof Oci2isoError)) throw error;
		return error.code;
	}
}

function withSuperblock(changes: Partial<Superblock>): Buffer {
	const image = Buffer.from(first);
	image.set(SUPERBLOCK.encode({ ...superblock, ...changes }), SUPERBLOCK_OFFSET);
	return image;
}

describe("a hostile image", () => {
	it("has no fault when it is not hostile", async () => {
		for (const image of images) expect(await faultsOf(image)).toEqual([]);
	});

	it.each<[string, Partial<Superblock>, string]>([
		["magic", { magic: 1 }, "NOT_EROFS"],
		["block size", { blockLog2: 40 }, "CORRUPT_SUPERBLOCK"],
		["directory block size", { directoryBlockLog2: 1 }, "CORRUPT_SUPERBLOCK"],
		["length beyond the file", { blocks: 2 ** 31 }, "CORRUPT_SUPERBLOCK"],
		["no length", { blocks: 0 }, "CORRUPT_SUPERBLOCK"],
		["compressed metadata", { incompatible: INCOMPATIBLE.metabox }, "UNSUPPORTED_FEATURE"],
		["another device", { incompatible: INCOMPATIBLE.deviceTable, extraDevices: 1 }, "UNSUPPORTED_FEATURE"],
		["a feature of later", { incompatible: 0x1000 }, "UNSUPPORTED_FEATURE"],
		["metadata beyond the image", { metadataBlock: 2 ** 32 - 1 }, "CORRUPT_METADATA"],
		["root elsewhere", { rootNumber: 0xfff0 }, "CORRUPT_METADATA"],
		["no packed inode", { packedNumber: 0n }, "CORRUPT_METADATA"],
		["packed inode elsewhere", { packedNumber: 2n ** 63n }, "CORRUPT_METADATA"],
		["packed inode that is the root", { packedNumber: 0n, rootNumber: 0 }, "CORRUPT_METADATA"],
		["no algorithm", { algorithms: 0 }, "CORRUPT_METADATA"],
	])("with a wrong superblock (%s)", async (_, changes, code) => {
		expect(await codeOf(withSuperblock(changes))).toBe(code);
	});

	it("whose superblock or number of inodes is not what it was", async () => {
		expect(await faultsOf(withSuperblock({ uuid: new Uint8Array(16) }))).toEqual([expect.stringContaining("checksum")]);
		const changed = await faultsOf(withSuperblock({ inodeCount: 2n ** 60n }));
		expect(changed).toContainEqual(expect.stringContaining("number of inodes"));
	});

	it("that is cut off", async () => {
		for (const length of [0, 4, 1024, 1100, 1152, first.byteLength >> 1])
			expect(await codeOf(first.subarray(0, length))).toMatch(/UNEXPECTED_END|CORRUPT_SUPERBLOCK/);
	});

	it("whose directories form a loop, or share one inode", async () => {
		// Of the directory of ".", "..", "children" and "hard".
		const block = first.indexOf("...childrenhard", superblock.metadataBlock * 4096, "latin1") - 4 * 12;
		const loop = Buffer.from(first);
		loop.writeBigUInt64LE(BigInt(superblock.rootNumber), block + 2 * 12);
		expect(await codeOf(loop)).toBe("CORRUPT_METADATA");
		const shared = Buffer.from(first);
		first.copy(shared, block + 3 * 12, block + 2 * 12, block + 2 * 12 + 8);
		shared.writeUInt8(2, block + 3 * 12 + 10);
		expect(await codeOf(shared)).toBe("CORRUPT_METADATA");
		const parent = Buffer.from(first);
		parent.writeBigUInt64LE(first.readBigUInt64LE(block), block + 12);
		expect(await codeOf(parent)).toBe("CORRUPT_METADATA");
	});

	it("whose names are out of order, or paths", async () => {
		for (const name of ["entry-000", "entry/199", "entry\x00199"]) {
			const image = Buffer.from(first);
			image.write(name, image.indexOf("entry-199"), "latin1");
			expect(await codeOf(image)).toBe("CORRUPT_METADATA");
		}
	});

	it(`is read or refused, whatever ${MUTATIONS} mutations of its structures say`, { timeout: 120_000 }, async () => {
		const random = randomNumbers(7);
		const rounds = roundsOf(MUTATIONS);
		let told = 0;
		for (let round = 0; round < rounds; round++) {
			const image = Buffer.from(images[round % images.length] ?? first);
			const metadata = SUPERBLOCK.decode(image, SUPERBLOCK_OFFSET).metadataBlock * 4096;
			for (let i = random(3); i >= 0; i--) {
				const start = random(8) === 0 ? SUPERBLOCK_OFFSET : metadata;
				const length = start === metadata ? image.byteLength - metadata : SUPERBLOCK.byteLength;
				const at = start + random(length - 4);
				if (random(2) === 0) image.writeUInt8(image.readUInt8(at) ^ (1 << random(8)), at);
				else image.writeUInt32LE([0, 0xffff_ffff, 0x7fff_ffff, random(2 ** 32), random(64)][random(5)] ?? 0, at);
			}
			const started = performance.now();
			if ((await faultsOf(image)).length > 0) told++;
			expect(performance.now() - started).toBeLessThan(5000);
		}
		expect(told).toBeGreaterThan(rounds / 3);
	});
});

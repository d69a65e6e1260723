import { execFileSync } from "node:child_process";
import { existsSync, ftruncateSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { SUPERBLOCK } from "../../src/rootfs/squashfs/superblock.ts";
import { contractLayers, HOST_GRUB } from "../support/contract-image.ts";
import { hostileRun, refusedBuild } from "../support/hostile-cli.ts";
import { writeOciLayout } from "../support/oci-layout.ts";
import { requires } from "../support/requires.ts";
import { padded, paxHeader, paxRecord, tarArchive, tarHeader } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type SmallIso, smallIso } from "../support/verify-iso-fixture.ts";

const work = temporaryDirectory("hostile");

const BLOCK = 2048;
const SQUASHFS = 64 * BLOCK;
let good: SmallIso;
beforeAll(async () => {
	good = await smallIso({ stored: true });
});

function isoWith(change: (bytes: Buffer) => Buffer | undefined): string {
	const bytes = Buffer.from(good.bytes);
	const path = join(work, "x.iso");
	writeFileSync(path, change(bytes) ?? bytes);
	return path;
}

function both32(bytes: Buffer, at: number, value: number): void {
	bytes.writeUInt32LE(value, at);
	bytes.writeUInt32BE(value, at + 4);
}

/** The extent and length of the root directory in the primary descriptor (ECMA-119 8.4.18). */
const ROOT_RECORD = 16 * BLOCK + 156;

/** Position of the first record in the root directory that is a directory of its own. */
function firstSubdirectory(bytes: Buffer): number {
	let at = bytes.readUInt32LE(ROOT_RECORD + 2) * BLOCK;
	for (let i = 0; i < 20; i++, at += bytes.readUInt8(at)) {
		const isDirectory = (bytes.readUInt8(at + 25) & 2) !== 0;
		if (isDirectory && i >= 2) return at;
	}
	throw new Error("no subdirectory");
}

function superblock(bytes: Buffer, changes: Partial<ReturnType<typeof SUPERBLOCK.decode>>): undefined {
	const values = SUPERBLOCK.decode(bytes.subarray(SQUASHFS, SQUASHFS + 96));
	bytes.set(SUPERBLOCK.encode({ ...values, ...changes }), SQUASHFS);
}

describe("verify of a medium that means harm", () => {
	it.each<[string, (bytes: Buffer) => Buffer | undefined]>([
		["nothing", () => Buffer.alloc(0)],
		["zeros", () => Buffer.alloc(1 << 20)],
		["an ISO cut before its descriptors", (bytes) => bytes.subarray(0, 16 * BLOCK)],
	])("is said in one line of what is no ISO: %s", async (_, change) => {
		const { status, code, stdout } = await hostileRun(["verify", isoWith(change)]);
		expect(`${status} ${code} ${stdout}`).toBe("8 NOT_AN_ISO ");
	});

	it.each<[string, (bytes: Buffer) => Buffer | undefined]>([
		["an ISO cut in the middle", (bytes) => bytes.subarray(0, bytes.byteLength >> 1)],
		["one cut after its descriptors", (bytes) => bytes.subarray(0, 20 * BLOCK)],
		[
			"a directory that contains the root",
			(bytes) => both32Then(bytes, firstSubdirectory(bytes) + 2, bytes.readUInt32LE(ROOT_RECORD + 2)),
		],
		["a directory of 4 GiB", (bytes) => both32Then(bytes, firstSubdirectory(bytes) + 10, 0xfffff800)],
		["a root of 4 GiB", (bytes) => both32Then(bytes, ROOT_RECORD + 10, 0xfffff800)],
		["a path table of 4 GiB", (bytes) => both32Then(bytes, 16 * BLOCK + 132, 0xffffffff)],
		["records without length", (bytes) => bytes.fill(0, firstSubdirectory(bytes), firstSubdirectory(bytes) + 1)],
		[
			"a partition table of 2^32 entries",
			(bytes) => patched(bytes, (copy) => copy.writeUInt32LE(0xffffffff, 512 + 80)),
		],
		["partition entries of 2^31 bytes", (bytes) => patched(bytes, (copy) => copy.writeUInt32LE(0x80000000, 512 + 84))],
		["a squashfs with 2^32 inodes", (bytes) => superblock(bytes, { inodeCount: 0xffffffff })],
		["a squashfs with 2^32 fragments", (bytes) => superblock(bytes, { fragmentCount: 0xffffffff })],
		["a squashfs of 2^62 bytes", (bytes) => superblock(bytes, { bytesUsed: 2 ** 52 })],
		["tables at the same place", (bytes) => superblock(bytes, { directoryTable: 96n, inodeTable: 96n })],
		["tables over all of the medium", (bytes) => bytes.fill(0xff, SQUASHFS + 96, SQUASHFS + 8192)],
		["0xff wherever there was anything", (bytes) => bytes.fill(0xff, 18 * BLOCK, 60 * BLOCK)],
	])("%s", async (_, change) => {
		const { status, code } = await hostileRun(["verify", isoWith(change)]);
		expect(`${status} ${code}`).toBe("8 VERIFICATION_FAILED");
	});

	it("a FAT whose chains are loops", async () => {
		const path = isoWith((bytes) => {
			// The boot sector of the EFI partition says where its tables are.
			const at = bytes.indexOf("FAT16   ", 0, "latin1") - 54;
			expect(at).toBeGreaterThan(0);
			const table = at + bytes.readUInt16LE(at + 14) * 512;
			for (let entry = 2; entry < 2000; entry++) bytes.writeUInt16LE(2 + ((entry - 1) % 50), table + entry * 2);
			return undefined;
		});
		const { status, code } = await hostileRun(["verify", path]);
		expect(`${status} ${code}`).toBe("8 VERIFICATION_FAILED");
	});

	it.each<[string, string]>([
		["nested without end", `${"if true; then\n".repeat(20_000)}`],
		["of quotes that never close", `menuentry '${"'\"".repeat(100_000)}`],
		["of 8000 entries", "menuentry x {\n linux /x\n}\n".repeat(8000)],
		["of variables", `set a=$${"{a}$".repeat(100_000)}\n`],
	])("a menu %s", { timeout: 120_000 }, async (_, menu) => {
		const { bytes } = await smallIso({ stored: true, menu });
		const path = join(work, "menu.iso");
		writeFileSync(path, bytes);
		const { status, code } = await hostileRun(["verify", path]);
		expect(`${status} ${code}`).toBe("8 VERIFICATION_FAILED");
	});

	it("8 GiB of nothing after a good start", async () => {
		const path = isoWith(() => undefined);
		const file = openSync(path, "r+");
		ftruncateSync(file, 8 * 2 ** 30);
		const { status, code } = await hostileRun(["verify", path]);
		expect(`${status} ${code}`).toBe("8 VERIFICATION_FAILED");
		rmSync(path);
	});

	it.skipIf(!existsSync(HOST_GRUB))(
		"a squashfs that holds 4 TiB of zeros, and its image",
		{ timeout: 400_000 },
		async () => {
			const size = 2 ** 42;
			const holes = Buffer.concat([
				paxHeader([paxRecord("GNU.sparse.map", "0,5"), paxRecord("GNU.sparse.size", String(size))]),
				tarHeader({ name: "holes", size: 5 }),
				padded(Buffer.from("start")),
			]);
			const layers = [...contractLayers(), holes].map((tar) => ({ tar, compression: "none" as const }));
			const { reference } = writeOciLayout(mkdtempSync(join(work, "image-")), { layers });
			const iso = join(work, "holes.iso");
			const build = await hostileRun([
				"build",
				reference,
				"-o",
				iso,
				"--comp",
				"none",
				"--force",
				"--tools",
				"builtin",
			]);
			expect(build.status).toBe(0);
			const { stdout } = await hostileRun(["verify", iso, "--image", reference, "--no-secure-boot", "--json"]);
			expect(stdout).toContain("fidelity");
		},
	);
});

describe.skipIf(requires("mkfifo"))("files that are none", () => {
	it("a pipe where a document or an ISO should be does not wait for a writer", async () => {
		const directory = mkdtempSync(join(work, "fifo-"));
		const tar = tarArchive([{ path: "a" }]);
		const { reference } = writeOciLayout(directory, { layers: [{ tar, compression: "none" }] });
		const index = join(directory, "index.json");
		rmSync(index);
		execFileSync("mkfifo", [index]);
		expect(await refusedBuild(work, reference, [], { seconds: 30 })).toMatch(/^[25] /);
		const iso = join(work, "pipe.iso");
		execFileSync("mkfifo", [iso]);
		expect((await hostileRun(["verify", iso], { seconds: 30 })).status).not.toBe(0);
	});

	it("a document that is /dev/zero is not read to its end", async () => {
		const directory = mkdtempSync(join(work, "zero-"));
		const { reference } = writeOciLayout(directory, { layers: [{ tar: tarArchive([]), compression: "none" }] });
		rmSync(join(directory, "index.json"));
		symlinkSync("/dev/zero", join(directory, "index.json"));
		expect(await refusedBuild(work, reference, [], { seconds: 30 })).toMatch(/^[25] /);
		expect((await hostileRun(["verify", "/dev/zero"], { seconds: 30 })).status).not.toBe(0);
	});
});

function both32Then(bytes: Buffer, at: number, value: number): undefined {
	both32(bytes, at, value);
}

function patched(bytes: Buffer, change: (bytes: Buffer) => void): undefined {
	change(bytes);
}

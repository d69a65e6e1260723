import { execFileSync } from "node:child_process";
import {
	chmodSync,
	linkSync,
	lutimesSync,
	mkdirSync,
	readFileSync,
	symlinkSync,
	truncateSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { memorySource } from "../../src/binary/byte-source.ts";
import { Oci2isoError } from "../../src/errors.ts";
import { Findings } from "../../src/findings/findings.ts";
import { EROFS } from "../../src/rootfs/erofs/erofs.ts";
import { openErofs } from "../../src/rootfs/erofs/erofs-reader.ts";
import type { Stretch } from "../../src/rootfs/root-file-system.ts";
import type { RootFile } from "../../src/rootfs/root-inode.ts";
import { checkContents } from "../../src/verify/contents-check.ts";
import { type MakeErofs, makeErofsOf } from "../support/erofs-programs.ts";
import { withLoopMount } from "../support/loop.ts";
import { noise } from "../support/noise.ts";
import { requires } from "../support/requires.ts";
import { roundsOf } from "../support/slow.ts";
import { diskFacts } from "../support/squashfs-images.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { treeFacts } from "../support/trees.ts";
import { randomNumbers } from "../support/verify-mutations.ts";

const EXACT = { nanoseconds: true };
/** For all images of one program together. */
const MUTATIONS = 300;

/** By release of Debian; undefined is this machine's (1.5 in Debian 12). */
const OPTIONS: readonly (readonly [suite: string | undefined, options: readonly string[]])[] = [
	[
		undefined,
		[
			"",
			"-zlz4 -C65536 -Efragments",
			"-zlz4hc,12 -Eztailpacking",
			"-zlz4 -C16384 -Eall-fragments,dedupe,ztailpacking",
			"--chunksize=4096",
		],
	],
	[
		"trixie",
		[
			"-zlz4hc -Eztailpacking",
			"-zdeflate -C65536 -Efragments",
			"-zzstd,3 -C1048576 -Eall-fragments,dedupe",
			"-zlzma,1 -C65536 -Efragments",
			"-zlz4 -Ededupe",
			"--chunksize=65536 -Eforce-chunk-indexes",
			"-zzstd -C65536 -Eforce-inode-extended",
		],
	],
	[
		"sid",
		[
			"-zzstd,3 -C131072 -E48bit",
			"-zlz4 -C65536 -E48bit,all-fragments,dedupe",
			"-zdeflate -E48bit,ztailpacking",
			"-E48bit --chunksize=65536",
			"-zlz4 --xattr-prefix=user.sh --xattr-prefix=trusted.",
		],
	],
];

/** Contents that compress well, not at all and in part, in lengths about those of blocks; equal and shifted ones; every type of inode. */
function makeTree(at: string): void {
	const path = (name: string): string => join(at, name);
	mkdirSync(path("many"), { recursive: true });
	mkdirSync(path("odd"));
	const words = (length: number, seed: number): Buffer => {
		const text = [...noise((length >> 2) + 1, seed)].map((byte) => `w${byte % 61} `).join("");
		return Buffer.from(text.slice(0, length).padEnd(length, "-"));
	};
	for (const [i, size] of [0, 1, 100, 4095, 4096, 4097, 5000, 65_536, 65_537, 200_000].entries()) {
		writeFileSync(path(`text-${size}`), words(size, i));
		writeFileSync(path(`noise-${size}`), noise(size, i));
		writeFileSync(path(`zeros-${size}`), Buffer.alloc(size));
		const third = Math.floor(size / 3);
		const parts = [words(third, i + 50), noise(third, i + 50), words(size - 2 * third, i + 90)];
		writeFileSync(path(`mixed-${size}`), Buffer.concat(parts));
	}
	writeFileSync(path("long"), words(1_200_000, 300));
	const text = words(150_000, 200);
	for (const [name, before] of Object.entries({ same: 0, "same again": 0, shifted: 5003 }))
		writeFileSync(path(name), Buffer.concat([Buffer.alloc(before, "x"), text]));
	writeFileSync(path("sparse"), "begin");
	truncateSync(path("sparse"), 3_000_000);
	for (let i = 0; i < 300; i++) writeFileSync(path(`many/entry-${i}`), words(i * 9, 1000 + i));
	// mkfs.erofs 1.5 fails on names of 255 bytes.
	for (const name of ["a".repeat(250), " ", "\n", "-rf", "!", "~", "café", ".hidden"])
		writeFileSync(path(`odd/${name}`), name);
	symlinkSync("x", path("link"));
	symlinkSync("target/".repeat(500), path("long link"));
	linkSync(path("text-5000"), path("odd/hard"));
	for (const special of ["null c 1 3", "disk b 4095 1048575", "fifo p"])
		execFileSync("mknod", [path(special.split(" ")[0] ?? ""), ...special.split(" ").slice(1)]);
	for (let i = 0; i < 12; i++) {
		const file = path(`many/entry-${i}`);
		for (const [name, value] of [
			["user.shared", "one value for all of them"],
			[`user.own${i}`, `${i}`],
			["trusted.t", "t"],
		] as const)
			execFileSync("setfattr", ["-n", name, "-v", value, file]);
	}
	execFileSync("setfattr", ["-n", "user.large", "-v", "v".repeat(3500), path("many")]);
	execFileSync("setfattr", ["-n", "system.posix_acl_access", "-v", ACL, path("text-100")]);
	lutimesSync(path("text-100"), 1_234_567_890, 1_234_567_890.123);
	execFileSync("chown", ["4000000000:70000", path("text-1")]);
	chmodSync(path("odd"), 0o1777);
}

const ACL = "0x0200000001000600ffffffff02000400e803000004000400ffffffff10000400ffffffff20000000ffffffff";

async function faultsOf(image: Buffer): Promise<{ faults: string[]; occupied: readonly Stretch[] }> {
	const findings = new Findings();
	const root = await EROFS.check(memorySource(image), findings, undefined);
	await checkContents(
		[{ start: 0, image: root }],
		() => true,
		findings,
		() => findings,
	);
	const faults = findings.list.filter(({ severity }) => severity === "fault").map(({ what }) => what);
	return { faults, occupied: root.occupied ?? [] };
}

describe.skipIf(requires("root", "mount", "getfattr", "setfattr", "mkfs.erofs", "apt-get", "dpkg-deb"))(
	"an image of mkfs.erofs",
	() => {
		const scratch = temporaryDirectory("erofs-programs");
		const tree = join(scratch, "tree");

		beforeAll(() => makeTree(tree));

		it.each(OPTIONS)("of %s is read as the kernel reads it, and mutations are read or refused", async (suite, all) => {
			const program: MakeErofs =
				suite === undefined ? ["mkfs.erofs"] : await makeErofsOf(suite, join(scratch, "packages"));
			const random = randomNumbers(3);
			for (const options of all) {
				const path = join(scratch, "image.erofs");
				const [command = "", ...before] = program;
				execFileSync(command, [...before, ...options.split(" ").filter(Boolean), path, tree], { stdio: "pipe" });
				const image = readFileSync(path);
				const reader = await openErofs(memorySource(image));
				const root = await reader.readTree();
				const actual = await treeFacts<RootFile>(root, (file) => reader.contents.read(file.layout), EXACT);
				const expected = await withLoopMount(path, "erofs", {}, (mountPoint) => diskFacts(mountPoint, EXACT));
				expect(Object.fromEntries(actual), options).toEqual(Object.fromEntries(expected));
				const { faults, occupied } = await faultsOf(image);
				expect(faults, options).toEqual([]);
				await mutate(image, occupied, Math.ceil(roundsOf(MUTATIONS) / all.length), random);
			}
		});
	},
);

/** Changes a structure a round, and asks; what is no error of ours is thrown. */
async function mutate(image: Buffer, occupied: readonly Stretch[], rounds: number, random: (below: number) => number) {
	for (let round = 0; round < rounds; round++) {
		const { start, end } = occupied[random(occupied.length)] ?? { start: 0, end: 4096 };
		const at = start + random(Math.max(1, end - start - 4));
		const before = Buffer.from(image.subarray(at, at + 4));
		if (random(2) === 0) image.writeUInt8(image.readUInt8(at) ^ (1 << random(8)), at);
		else image.writeUInt32LE([0, 0xffff_ffff, random(2 ** 32), random(64)][random(4)] ?? 0, at);
		await faultsOf(image).catch((error: unknown) => {
			if (!(error instanceof Oci2isoError && error.kind === "corrupt")) throw error;
		});
		before.copy(image, at);
	}
}

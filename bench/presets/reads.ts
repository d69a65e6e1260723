import { execFileSync } from "node:child_process";
import { closeSync, lstatSync, openSync, readdirSync, readFileSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ISO_BLOCK_BYTES, KiB } from "../../src/binary/units.ts";
import { ROOT_FS_BLOCK } from "../../src/medium/iso-layout.ts";
import { withLoopMount } from "../../test/support/loop.ts";
import { oci2iso } from "../contenders.ts";
import type { Inputs } from "../inputs.ts";
import { flushDisk } from "../machine.ts";
import { type Case, caseArguments, caseName } from "./cases.ts";
import type { ReadRow } from "./results.ts";

const RANDOM_READS = 200;
const RANDOM_BYTES = 4 * KiB;
/** Started one after the other from the mounted tree; those that an image lacks are left out. */
const PROGRAMS = [
	"bash",
	"systemctl",
	"udevadm",
	"mount",
	"grep",
	"sed",
	"tar",
	"python3",
	"perl",
	"git",
	"vim",
	"podman",
];
const DEVICE_SECTOR_BYTES = 512;

/**
 * What a live system feels of one way to compress: the kernel reads the squashfs from a loop device with nothing cached, and the device's
 * own counter says what was fetched for it. Root; programs of the image are started only where `runPrograms` says so.
 */
export async function measureReads(
	one: Case,
	inputs: Inputs,
	{ work, runPrograms }: { readonly work: string; readonly runPrograms: boolean },
): Promise<ReadRow[]> {
	const iso = join(work, "reads.iso");
	const spec = oci2iso(caseName(one), ["--overwrite", ...caseArguments(one)]).spec(inputs, {
		output: iso,
		scratch: work,
	});
	if (spec.kind !== "command") throw new Error("oci2iso is a command");
	const [program = "", ...args] = spec.command;
	execFileSync(program, args, { stdio: ["ignore", "ignore", "inherit"] });
	return withLoopMount(iso, "squashfs", { offsetBytes: ROOT_FS_BLOCK * ISO_BLOCK_BYTES }, async (root) => {
		const files = regularFiles(root);
		const everySecond = files.filter((_, i) => i % 2 === 0);
		const rows = [
			cold(root, `every second file, ${everySecond.length} of them`, () => {
				for (const { path } of everySecond) readFileSync(path);
			}),
			cold(root, `${RANDOM_READS} scattered reads of 4 KiB`, () => {
				for (const { path, position } of scattered(files)) readAt(path, position);
			}),
		];
		if (runPrograms) rows.push(cold(root, "starting programs", () => startPrograms(root)));
		return rows.map((row) => ({ ...one, ...row }));
	});
}

type Cold = Omit<ReadRow, keyof Case>;

function cold(root: string, workload: string, work: () => void): Cold {
	flushDisk();
	writeFileSync("/proc/sys/vm/drop_caches", "3");
	const before = deviceBytes(root);
	const start = performance.now();
	work();
	const wallSeconds = (performance.now() - start) / 1000;
	return { workload, deviceBytes: deviceBytes(root) - before, wallSeconds };
}

interface RegularFile {
	readonly path: string;
	readonly byteLength: number;
}

/** In order of path; each inode once. */
function regularFiles(root: string): RegularFile[] {
	const inodes = new Set<number>();
	const files: RegularFile[] = [];
	for (const path of readdirSync(root, { recursive: true, encoding: "latin1" }).sort()) {
		// Names that are not text are not worth the trouble here.
		if (/[^ -~]/.test(path)) continue;
		const status = lstatSync(join(root, path));
		if (!status.isFile() || status.size === 0 || inodes.has(status.ino)) continue;
		inodes.add(status.ino);
		files.push({ path: join(root, path), byteLength: status.size });
	}
	return files;
}

/** The same places for every block size. */
function* scattered(files: readonly RegularFile[]): Generator<{ path: string; position: number }> {
	const large = files.filter(({ byteLength }) => byteLength > RANDOM_BYTES);
	let state = 1;
	const below = (limit: number): number => {
		state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
		return Math.floor((state / 2 ** 31) * limit);
	};
	for (let i = 0; i < RANDOM_READS; i++) {
		const file = large[below(large.length)];
		if (file !== undefined) yield { path: file.path, position: below(file.byteLength - RANDOM_BYTES) };
	}
}

function readAt(path: string, position: number): void {
	const file = openSync(path, "r");
	readSync(file, Buffer.alloc(RANDOM_BYTES), 0, RANDOM_BYTES, position);
	closeSync(file);
}

function startPrograms(root: string): void {
	for (const name of PROGRAMS)
		try {
			execFileSync("chroot", [root, name, "--version"], { stdio: "ignore" });
		} catch {
			// Not in this image, or it has no --version: it was read all the same.
		}
}

/** Bytes read from the loop device below a mount point since it was set up (Documentation/block/stat.rst, third field). */
function deviceBytes(root: string): number {
	const mount = readFileSync("/proc/self/mounts", "utf8")
		.split("\n")
		.map((line) => line.split(" "))
		.find(([, mountPoint]) => mountPoint === root);
	const device = mount?.[0]?.replace("/dev/", "");
	if (device === undefined) throw new Error(`${root} is not mounted`);
	const fields = readFileSync(`/sys/block/${device}/stat`, "utf8").trim().split(/\s+/);
	return Number(fields[2]) * DEVICE_SECTOR_BYTES;
}

import { execFileSync } from "node:child_process";
import {
	chmodSync,
	closeSync,
	linkSync,
	lstatSync,
	mkdirSync,
	openSync,
	readFileSync,
	symlinkSync,
	truncateSync,
	utimesSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { bytesOf } from "../../src/binary/byte-string.ts";
import { requires } from "../support/requires.ts";
import { type ReadMember, readTar } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const reason = requires("tar");
const reasonForXattrs = reason ?? requires("setfattr", "mknod", "root");

const scratch = temporaryDirectory("tar");
let tree = "";

function tar(...options: string[]): ReadMember[] {
	const archive = execFileSync("tar", ["-C", tree, "-cf", "-", "--sort=name", ...options, "."], { maxBuffer: 2 ** 28 });
	return readTar(archive, [65_536]);
}

const longName = `${"long-directory-name/".repeat(6)}${"x".repeat(120)}`;
const sparseBytes = 3_000_000;

beforeAll(() => {
	tree = join(scratch, "tree");
	mkdirSync(join(tree, "dir"), { recursive: true });
	writeFileSync(join(tree, "dir/file"), "content of a file");
	chmodSync(join(tree, "dir/file"), 0o4751);
	utimesSync(join(tree, "dir/file"), 1, 1_234_567_890.123456);
	writeFileSync(join(tree, "empty"), "");
	writeFileSync(join(tree, "block"), "b".repeat(512));
	linkSync(join(tree, "block"), join(tree, "second-name"));
	symlinkSync("dir/../empty", join(tree, "soft"));
	writeFileSync(Buffer.concat([Buffer.from(`${tree}/caf`), bytesOf("\xe9\xff")]), "not UTF-8");
	const sparse = openSync(join(tree, "sparse"), "w");
	for (let i = 0; i < 40; i++) writeSync(sparse, `stretch ${i}`, i * 65_536);
	closeSync(sparse);
	truncateSync(join(tree, "sparse"), sparseBytes);
});

function addLongNames(): void {
	mkdirSync(join(tree, longName, ".."), { recursive: true });
	writeFileSync(join(tree, longName), "long");
	symlinkSync("t".repeat(200), join(tree, "long-target"));
}

/** Checks all members against the file system. */
function expectTree(members: readonly ReadMember[], exactTimes: boolean): void {
	const seen = new Set<string>();
	for (const member of members) {
		const real = Buffer.concat([Buffer.from(`${tree}/`), bytesOf(member.path)]);
		const stat = lstatSync(real, { bigint: true });
		seen.add(member.path);
		expect(member.uid, member.path).toBe(Number(stat.uid));
		expect(member.gid, member.path).toBe(Number(stat.gid));
		if (member.type !== "symlink") expect(member.mode, member.path).toBe(Number(stat.mode & 0o7777n));
		const nanoseconds = BigInt(member.mtime.seconds) * 10n ** 9n + BigInt(member.mtime.nanoseconds);
		expect(nanoseconds, member.path).toBe(exactTimes ? stat.mtimeNs : (stat.mtimeNs / 10n ** 9n) * 10n ** 9n);
		if (member.type === "file") expect(member.content.equals(readFileSync(real)), member.path).toBe(true);
		if (member.type === "directory") expect(stat.isDirectory()).toBe(true);
		if (member.type === "symlink") expect(stat.isSymbolicLink()).toBe(true);
		if (member.type === "hard-link")
			expect(stat.ino).toBe(lstatSync(join(tree, member.linkTarget), { bigint: true }).ino);
	}
	for (const path of [
		"./",
		"./dir/",
		"./dir/file",
		"./empty",
		"./block",
		"./second-name",
		"./soft",
		"./caf\xe9\xff",
		"./sparse",
	])
		expect(seen).toContain(path);
}

describe.skipIf(reason !== undefined)("TarReader reads what GNU tar writes", () => {
	it.each(["v7", "ustar", "oldgnu", "gnu", "posix"])("in the %s format", (format) => {
		expectTree(tar(`--format=${format}`), format === "posix");
	});

	it.each([
		["oldgnu"],
		["gnu"],
		["posix", "--sparse-version=0.0"],
		["posix", "--sparse-version=0.1"],
		["posix", "--sparse-version=1.0"],
	])("with holes left out: %s %s", (format, ...options) => {
		const members = tar(`--format=${format}`, "--sparse", ...options);
		expectTree(members, format === "posix");
		const sparse = members.find(({ path }) => path.endsWith("/sparse"));
		expect(sparse?.byteLength).toBe(sparseBytes);
		expect(sparse?.holeBytes).toBeGreaterThan(sparseBytes - 40 * 4096 - 4096);
	});

	it("with owners that octal digits cannot hold", () => {
		for (const format of ["gnu", "posix"]) {
			const members = tar(`--format=${format}`, "--owner=x:4000000000", "--group=y:3000000", "--mtime=@-86401.5");
			for (const { uid, gid, mtime } of members) {
				expect([uid, gid]).toEqual([4_000_000_000, 3_000_000]);
				if (format === "posix") expect(mtime).toEqual({ seconds: -86_402, nanoseconds: 500_000_000 });
			}
		}
	});

	it("with long names and targets", () => {
		addLongNames();
		for (const format of ["gnu", "posix"]) {
			const members = tar(`--format=${format}`);
			expectTree(members, format === "posix");
			expect(members.find(({ path }) => path === `./${longName}`)?.content.toString()).toBe("long");
			expect(members.find(({ path }) => path === "./long-target")?.linkTarget).toBe("t".repeat(200));
		}
	});

	it("with a volume label, and as an incremental dump", () => {
		expectTree(tar("--format=gnu", "--label=some volume"), false);
		const paths = tar("--format=gnu", `--listed-incremental=${join(scratch, "snapshot")}`).map(
			({ type, path }) => `${type} ${path}`,
		);
		expect(paths).toContain("directory ./dir/");
		expect(paths).toContain("file ./dir/file");
	});
});

describe.skipIf(reasonForXattrs !== undefined)("TarReader reads what GNU tar writes as root", () => {
	it("with extended attributes and device nodes", () => {
		execFileSync("setfattr", ["-n", "user.bin", "-v", "0x000aff3d0a", join(tree, "empty")]);
		const capability = "0x0100000200040000000000000000000000000000";
		execFileSync("setfattr", ["-n", "security.capability", "-v", capability, join(tree, "empty")]);
		execFileSync("mknod", [join(tree, "node"), "b", "259", "70000"]);
		const members = tar("--format=posix", "--xattrs", "--xattrs-include=*");
		const { xattrs } = members.find(({ path }) => path === "./empty") ?? expect.fail("no member");
		const shown = [...xattrs].map(([name, value]) => `${name} 0x${Buffer.from(value).toString("hex")}`).sort();
		expect(shown).toEqual([`security.capability ${capability}`, "user.bin 0x000aff3d0a"]);
		expect(members.find(({ path }) => path === "./node")).toMatchObject({
			type: "block-device",
			major: 259,
			minor: 70_000,
		});
	});
});

import { execFileSync } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gnuHeader, sparseEntry } from "../../src/formats/tar/header.ts";
import type { BuildReport } from "../../src/index.ts";
import { buildIso } from "../../src/index.ts";
import type { VerifyReport } from "../../src/verify/report.ts";
import { oci2iso } from "../support/cli.ts";
import { HOST_GRUB } from "../support/contract-image.ts";
import { writeContractLayout } from "../support/contract-layout.ts";
import { withLoopMount } from "../support/loop.ts";
import { requires } from "../support/requires.ts";
import { padded, paxHeader, paxRecord, type TarMember, tarHeader, tarMember } from "../support/tar-fixtures.ts";

const SQUASHFS_OFFSET = 64 * 2048;
const CAPABILITY = "0100000200040000000000000000000000000000";
const MAX_NAME = "n".repeat(255);
/** Names of 255 bytes and of one, both far beyond what one system call takes. */
const LONG_NAMES = Array.from({ length: 47 }, (_, i) => `${i}`.padEnd(255, "-")).join("/");
const SHORT_NAMES = "d/".repeat(2500).slice(0, -1);
const LINKS = 70_000;
const END = Buffer.alloc(1024);

const members: readonly TarMember[] = [
	{ path: `deep/${LONG_NAMES}/file`, content: Buffer.from("at the end of long names") },
	{ path: `deep/${SHORT_NAMES}/file`, content: Buffer.from("at the end of short names") },
	{ path: `deep/${SHORT_NAMES}/link`, type: "hard-link", linkTarget: `deep/${SHORT_NAMES}/file` },
	{ path: `names/${MAX_NAME}`, content: Buffer.from("255") },
	{ path: "names/\xff\xfe\x01\n", content: Buffer.from("bytes") },
	{ path: "names/caf\xe9", content: Buffer.from("latin1") },
	{ path: "ids/most", uid: 2 ** 32 - 2, gid: 2 ** 32 - 2 },
	{ path: "ids/none", uid: 2 ** 32 - 1, gid: 2 ** 32 - 1 },
	{ path: "times/negative", mtime: { seconds: -2, nanoseconds: 500_000_000 } },
	{ path: "times/late", mtime: { seconds: 2 ** 33, nanoseconds: 0 } },
	{ path: "times/last", mtime: { seconds: 2 ** 32 - 1, nanoseconds: 0 } },
	{ path: "times/fraction", mtime: { seconds: 1_700_000_000, nanoseconds: 999_999_999 } },
	{ path: "modes/setuid", mode: 0o4755 },
	{ path: "modes/setgid", mode: 0o2755 },
	{ path: "modes/sticky/", type: "directory", mode: 0o1777 },
	{ path: "modes/all", mode: 0o7777 },
	{ path: "modes/nothing", mode: 0 },
	{ path: "nodes/largest", type: "block-device", major: 4095, minor: 2 ** 20 - 1 },
	{ path: "nodes/null", type: "character-device", major: 1, minor: 3 },
	{ path: "nodes/fifo", type: "fifo" },
	{ path: "nodes/socket", type: "socket" },
	{ path: "links/target", type: "symlink", linkTarget: "t".repeat(4095) },
	{
		path: "xattrs/all",
		xattrs: new Map([
			["security.capability", Buffer.from(CAPABILITY, "hex")],
			["security.selinux", Buffer.from("system_u:object_r:bin_t:s0\0")],
			["user.binary", Buffer.from("a\0b\n=\xff", "latin1")],
			["user.empty", Buffer.alloc(0)],
			["trusted.overlay.opaque", Buffer.from("y")],
			["system.posix_acl_access", Buffer.from("02000000", "hex")],
			["security.large", Buffer.alloc(65_537, 1)],
		]),
	},
	{
		path: "xattrs/symlink",
		type: "symlink",
		linkTarget: "all",
		xattrs: new Map([["security.selinux", Buffer.from("l")]]),
	},
	{ path: "twice/file", content: Buffer.from("first"), mode: 0o600 },
	{ path: "./twice//./file", content: Buffer.from("second") },
	{ path: "twice/was-directory/", type: "directory" },
	{ path: "twice/was-directory/x" },
	{ path: "twice/was-directory", content: Buffer.from("now a file") },
	{ path: ".", type: "directory", mode: 0o711 },
];

const sparseData = Buffer.from("begin");
const SPARSE_BYTES = 3 * 2 ** 30;
const sparseMembers = [
	tarHeader({ name: "sparse/gnu", typeflag: "S", magic: "ustar  \0", size: sparseData.length }, (block) => {
		sparseEntry.encode({ offset: 2 ** 30, numbytes: sparseData.length }).copy(block, gnuHeader.fields.sparse.offset);
		block.write(SPARSE_BYTES.toString(8).padStart(11, "0"), gnuHeader.fields.realsize.offset, "latin1");
	}),
	padded(sparseData),
	paxHeader(
		Object.entries({ major: "1", minor: "0", name: "sparse/pax", realsize: String(SPARSE_BYTES) }).map(
			([name, value]) => paxRecord(`GNU.sparse.${name}`, value),
		),
	),
	tarHeader({ name: "GNUSparseFile.0/pax", size: 512 + sparseData.length }),
	padded(Buffer.from(`1\n${2 ** 30}\n${sparseData.length}\n`)),
	padded(sparseData),
];
const aclMembers = [
	paxHeader([paxRecord("SCHILY.acl.access", "user::rw-,user:alice:r--:1000,group::r--,mask::r--,other::r--")]),
	tarMember({ path: "acl/one" }),
	paxHeader([paxRecord("SCHILY.acl.default", "user::rwx"), paxRecord("SCHILY.acl.access", "user::rwx")]),
	tarMember({ path: "acl/two/", type: "directory" }),
];
const manyLinks = Array.from({ length: LINKS - 1 }, (_, i) =>
	tarMember({ path: `many/${i}`, type: "hard-link", linkTarget: "many/first" }),
);

describe.skipIf(requires("root", "mount", "find", "getfattr") !== undefined || !existsSync(HOST_GRUB))(
	"an image of everything that is hard to keep",
	() => {
		const work = mkdtempSync(join(tmpdir(), "oci2iso-extremes-"));
		const iso = join(work, "extremes.iso");
		let image = "";
		let report: BuildReport;
		/** `find`'s words about everything, by path as bytes. */
		let found: Map<string, string>;
		let xattrs = "";
		let contents = new Map<string, string>();

		beforeAll(async () => {
			const first = tarMember({ path: "many/first", content: Buffer.from("linked") });
			const parts = [...members.map(tarMember), ...sparseMembers, ...aclMembers, first, ...manyLinks, END];
			image = writeContractLayout(join(work, "image"), [Buffer.concat(parts)]);
			report = await buildIso({ image, output: iso, level: 1, blockSize: 131_072, tools: "builtin", force: true });
			const place = { offsetBytes: SQUASHFS_OFFSET, sizeBytes: report.squashfs.byteLength };
			await withLoopMount(iso, "squashfs", place, async (mountPoint) => {
				// Walks with names relative to open directories, so that no path is too long for it.
				const words = execFileSync("find", [".", "-printf", "%P\\0%y %m %U:%G %T@ %n %s %b %l\\0"], {
					cwd: mountPoint,
					encoding: "latin1",
					maxBuffer: 2 ** 31,
				}).split("\0");
				found = new Map(
					Array.from({ length: words.length >> 1 }, (_, i) => [words[2 * i] ?? "", words[2 * i + 1] ?? ""]),
				);
				const print = (directory: string, ...args: string[]): string =>
					execFileSync("find", [directory, "-type", "f", ...args, "-execdir", "cat", "{}", ";"], {
						cwd: mountPoint,
						encoding: "latin1",
					});
				contents = new Map(["deep", "names", "twice"].map((directory) => [directory, print(directory)]));
				const sparse = openSync(join(mountPoint, "sparse/gnu"), "r");
				const start = Buffer.alloc(6);
				readSync(sparse, start, 0, 6, 2 ** 30);
				closeSync(sparse);
				contents.set("sparse", start.toString("latin1"));
				xattrs = execFileSync("getfattr", ["-P", "-h", "-d", "-m", "-", "-e", "hex", "xattrs/all", "xattrs/symlink"], {
					cwd: mountPoint,
					encoding: "latin1",
				});
			});
		});
		afterAll(() => rmSync(work, { recursive: true, force: true }));

		const wordsOf = (path: string): string[] => (found.get(path) ?? expect.fail(`no ${path.slice(0, 80)}`)).split(" ");
		const column = (index: number, ...paths: string[]): (string | undefined)[] =>
			paths.map((path) => wordsOf(path)[index]);

		it("keeps paths far beyond 4096 bytes, whatever the names' length", () => {
			expect(`deep/${LONG_NAMES}/file`.length).toBeGreaterThan(12_000);
			expect(column(0, `deep/${LONG_NAMES}/file`, `deep/${SHORT_NAMES}/file`)).toEqual(["f", "f"]);
			expect(column(4, `deep/${SHORT_NAMES}/file`, `deep/${SHORT_NAMES}/link`)).toEqual(["2", "2"]);
			const text = contents.get("deep") ?? "";
			expect(text).toContain("at the end of long names");
			expect(text).toContain("at the end of short names");
		});

		it("keeps names of 255 bytes and names that are not UTF-8", () => {
			for (const name of [MAX_NAME, "\xff\xfe\x01\n", "caf\xe9"]) expect(column(0, `names/${name}`)).toEqual(["f"]);
			expect([...(contents.get("names") ?? "").matchAll(/255|bytes|latin1/g)].length).toBe(3);
		});

		it("keeps modes, owners, nodes and link counts", () => {
			expect(column(1, "modes/setuid", "modes/setgid", "modes/sticky", "modes/all", "modes/nothing")).toEqual([
				"4755",
				"2755",
				"1777",
				"7777",
				"0",
			]);
			expect(wordsOf("")[1]).toBe("711");
			// 2^32 - 1 is no id: unpacking as root leaves root, as podman shows it.
			expect(column(2, "ids/most", "ids/none")).toEqual(["4294967294:4294967294", "0:0"]);
			expect(column(0, "nodes/largest", "nodes/null", "nodes/fifo", "nodes/socket")).toEqual(["b", "c", "p", "s"]);
			expect(column(4, "many/first", "many/0", `many/${LINKS - 2}`)).toEqual([LINKS, LINKS, LINKS].map(String));
			expect(wordsOf("links/target").at(-1)).toBe("t".repeat(4095));
		});

		it("takes the last of several entries for one path", () => {
			expect(column(0, "twice/file", "twice/was-directory")).toEqual(["f", "f"]);
			expect(found.has("twice/was-directory/x")).toBe(false);
			expect(wordsOf("twice/file")[1]).toBe("644");
			expect(contents.get("twice")).toMatch(/^(secondnow a file|now a filesecond)$/);
		});

		it("keeps the holes of sparse files", () => {
			expect(column(5, "sparse/gnu", "sparse/pax")).toEqual([String(SPARSE_BYTES), String(SPARSE_BYTES)]);
			for (const blocks of column(6, "sparse/gnu", "sparse/pax")) expect(Number(blocks)).toBeLessThanOrEqual(256);
			expect(contents.get("sparse")).toBe("begin\0");
		});

		it("moves times that squashfs cannot hold, and says so", () => {
			const times = column(3, "times/negative", "times/late", "times/last", "times/fraction").map(Number);
			expect(times).toEqual([0, 2 ** 32 - 1, 2 ** 32 - 1, 1_700_000_000]);
			const losses = report.losses.filter((loss) => loss.includes("times"));
			expect(losses).toEqual([
				expect.stringMatching(/1970 to 2106 only, those of 2 inodes were moved: .*\/times\//),
				expect.stringMatching(/fractions were cut off the times of 1 inodes: \/times\/fraction/),
			]);
		});

		it("keeps every extended attribute that squashfs has a place for, and names the others", () => {
			const shown = xattrs.split("\n").filter((line) => line !== "");
			expect(shown.sort()).toEqual(
				[
					"# file: xattrs/all",
					"# file: xattrs/symlink",
					`security.capability=0x${CAPABILITY}`,
					`security.selinux=0x${Buffer.from("system_u:object_r:bin_t:s0\0").toString("hex")}`,
					"security.selinux=0x6c",
					"trusted.overlay.opaque=0x79",
					"user.binary=0x6100620a3dff",
					"user.empty=0x",
				].sort(),
			);
			expect(report.losses).toEqual(
				expect.arrayContaining([
					expect.stringMatching(
						/no place for the extended attribute system\.posix_acl_access of 1 inodes: \/xattrs\/all$/,
					),
					expect.stringMatching(/no place for the extended attribute security\.large of 1 inodes: \/xattrs\/all$/),
					expect.stringMatching(/PAX keyword SCHILY\.acl\.access of 2 entries is not applied$/),
					expect.stringMatching(/PAX keyword SCHILY\.acl\.default of 1 entries is not applied$/),
				]),
			);
			// Times of plain archives have fractions nearly always: said in the report alone.
			const noticed = report.losses.filter((loss) => !loss.includes("keeps whole seconds"));
			expect(report.notices).toEqual(expect.arrayContaining(noticed));
			expect(report.losses.length - noticed.length).toBe(1);
		});

		it("is what verify finds, and verify names what no squashfs can keep", async () => {
			const { status, notes } = await verify(iso);
			expect(status).toBe("pass");
			expect(notes).toContain("system.posix_acl_access");
			expect(notes).toContain("SCHILY.acl.default");
			expect(notes).toContain("security.large");
		});

		it("leaves out the attributes that --drop-xattr names, and verify knows", async () => {
			const dropped = join(work, "dropped.iso");
			const reportPath = join(work, "report.json");
			const patterns = ["--drop-xattr", "security.selinux", "--drop-xattr", "user.*", "--drop-xattr", "nothing"];
			const common = ["--tools", "builtin", "--force", "--comp", "lz4", "--progress", "plain", "--report", reportPath];
			const built = await oci2iso(["build", image, "-o", dropped, ...common, ...patterns]);
			expect(built.status, built.stderr).toBe(0);
			expect(built.stderr).toContain("--drop-xattr security.selinux: 2 extended attributes were left out");
			const { squashfs } = JSON.parse(execFileSync("cat", [reportPath], { encoding: "utf8" })) as BuildReport;
			expect(squashfs.droppedXattrs).toEqual([
				{ pattern: "security.selinux", count: 2 },
				{ pattern: "user.*", count: 2 },
				{ pattern: "nothing", count: 0 },
			]);
			const shown = await withLoopMount(
				dropped,
				"squashfs",
				{ offsetBytes: SQUASHFS_OFFSET, sizeBytes: squashfs.byteLength },
				async (mountPoint) =>
					execFileSync("getfattr", ["-R", "-h", "-d", "-m", "-", "xattrs"], { cwd: mountPoint }).toString(),
			);
			expect(shown.match(/^\w+\.[^=]*/gm)?.sort()).toEqual(["security.capability", "trusted.overlay.opaque"]);
			expect((await verify(dropped, ...patterns)).status).toBe("pass");
			// The other way round: attributes that should be gone and are not.
			expect((await verify(iso, "--drop-xattr", "user.*")).faults.length).toBe(2);
		});

		async function verify(path: string, ...options: string[]) {
			const { stdout } = await oci2iso(["verify", path, "--image", image, "--no-secure-boot", "--json", ...options]);
			const { checks } = JSON.parse(stdout.toString()) as VerifyReport;
			const fidelity = checks.find(({ name }) => name === "fidelity") ?? expect.fail("no fidelity check");
			const what = (severity: "fault" | "note") =>
				fidelity.findings.filter((finding) => finding.severity === severity).map((finding) => finding.what);
			return { status: fidelity.status, faults: what("fault").sort(), notes: what("note").join("\n") };
		}
	},
);

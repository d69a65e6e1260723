import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BuildReport, buildIso } from "../../src/index.ts";
import { oci2iso } from "../support/cli.ts";
import { HOST_GRUB } from "../support/contract-image.ts";
import { writeContractLayout } from "../support/contract-layout.ts";
import { withLoopMount } from "../support/loop.ts";
import { writeOciLayout } from "../support/oci-layout.ts";
import { requires } from "../support/requires.ts";
import { paxHeader, paxRecord, type TarMember, tarArchive, tarHeader, tarMember } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** Layers as they are in the wild, which readers take in different ways; below `t/`, so that podman can be asked about them alone. */

const SQUASHFS_OFFSET = 64 * 2048;
const END = Buffer.alloc(1024);
const file = (path: string, more: Partial<TarMember> = {}): TarMember => ({
	path,
	content: Buffer.from(`${path}\n`),
	mode: 0o644,
	...more,
});
const directory = (path: string, more: Partial<TarMember> = {}): TarMember => ({
	path: `${path}/`,
	type: "directory",
	mode: 0o755,
	...more,
});
const symlink = (path: string, linkTarget: string): TarMember => ({ path, type: "symlink", linkTarget });
const zero = (path: string): TarMember => ({ path, type: "character-device", major: 0, minor: 0 });
const mark = (name: string, value = "y"): Partial<TarMember> => ({
	xattrs: new Map([[`trusted.overlay.${name}`, Buffer.from(value)]]),
});

const bottom: readonly TarMember[] = [
	directory("t"),
	file("t/blocked/file"),
	symlink("t/blocked/dangling", "missing/place"),
	symlink("t/blocked/loop", "loop"),
	symlink("t/blocked/to-file", "file-too"),
	file("t/blocked/file-too"),
	{ path: "t/blocked/fifo", type: "fifo" },
	file("t/zero/gone"),
	file("t/zero/tree/a"),
	file("t/opaque/low"),
	file("t/redirected/low"),
];
const middle: readonly TarMember[] = [
	directory("t"),
	directory("t/blocked"),
	file("t/blocked/file/a/b"),
	file("t/blocked/dangling/a"),
	file("t/blocked/loop/a"),
	file("t/blocked/to-file/a"),
	directory("t/blocked/fifo/a"),
	directory("t/zero"),
	zero("t/zero/gone"),
	zero("t/zero/tree"),
	directory("t/opaque", mark("opaque")),
	file("t/opaque/new"),
	directory("t/redirected", mark("redirect", "nowhere")),
	file("t/redirected/new"),
	file("t/metacopy-empty", mark("metacopy", "")),
	file("t/origin", mark("origin")),
];
/** In nobody's eyes as here: podman cannot read the first, and pulls no layer with the second and third. */
const only: readonly TarMember[] = [
	file("u/metacopy", mark("metacopy", "\0\x04\0\0")),
	directory("u/overlay/0a/diff"),
	zero("u/overlay/0a/diff/gone"),
	directory("u/overlay/0a/diff/opaque", mark("opaque")),
	file("u/lib/file"),
	symlink("u/link", "lib"),
];
const onlyAbove: readonly TarMember[] = [file("u/link/driver")];
const ids = (path: string, uid: string, gid: string): Buffer[] => [
	paxHeader([paxRecord("uid", uid), paxRecord("gid", gid)]),
	tarMember(file(path)),
];
const top = Buffer.concat([
	...[directory("t"), directory("t/ids")].map(tarMember),
	tarHeader({ name: "t/ids/base-256", uid: -2, gid: -1, magic: "ustar  \0" }),
	...ids("t/ids/negative", "-2", "-1"),
	...ids("t/ids/most", "4294967294", "4294967295"),
	...ids("t/ids/beyond", "4294967301", "-4294967290"),
	...ids("t/ids/least", "-9223372036854775808", "9223372036854775807"),
	tarHeader({ name: "t/ids/device", typeflag: "4", devmajor: 4097, devminor: -1 }),
	END,
]);
const layers = [tarArchive(bottom), tarArchive(middle), top];

/** Type, mode, owner, device, target and content of everything below a directory, by path. */
function rowsBelow(root: string, below: string): Record<string, string> {
	const words = execFileSync("find", [below, "-printf", "%p\\0%y %m %U:%G %l\\0"], { cwd: root, encoding: "latin1" });
	const parts = words.split("\0").slice(0, -1);
	const rows: Record<string, string> = {};
	for (let i = 0; i < parts.length; i += 2) {
		const path = parts[i] ?? "";
		const row = parts[i + 1] ?? "";
		rows[path] = row.startsWith("f ") ? `${row}${readFileSync(join(root, path), "latin1")}` : row;
		if (row.startsWith("b ")) rows[path] += execFileSync("stat", ["-c", "%t %T", path], { cwd: root }).toString();
	}
	return rows;
}

describe.skipIf(requires("root", "mount", "find") !== undefined || !existsSync(HOST_GRUB))(
	"layers as others write them",
	() => {
		const work = temporaryDirectory("oddities");
		const cold = join(work, "cold.iso");
		let image = "";
		let report: BuildReport;
		const build = (output: string): Promise<BuildReport> =>
			buildIso({
				image,
				output,
				level: 1,
				blockSize: 131_072,
				tools: "builtin",
				force: true,
				cache: join(work, "cache"),
				sourceDateEpoch: 1_700_000_000,
			});

		beforeAll(async () => {
			image = writeContractLayout(join(work, "image"), [...layers, tarArchive(only), tarArchive(onlyAbove)]);
			report = await build(cold);
		});
		afterAll(() => {
			// podman mounts its storage onto itself.
			spawnSync("umount", [join(work, "storage/overlay")], { stdio: "ignore" });
		});

		const mounted = <Result>(use: (mountPoint: string) => Promise<Result>): Promise<Result> =>
			withLoopMount(cold, "squashfs", { offsetBytes: SQUASHFS_OFFSET, sizeBytes: report.squashfs.byteLength }, use);

		it("the report names what was chosen", () => {
			const notices = report.notices.join("\n");
			expect(notices).toMatch(/5 files or links of a lower layer gave way .*t\/blocked\/file \(file\)/);
			expect(notices).toMatch(/1 entries were put where .*u\/link\/driver \(at u\/lib\/driver\)/);
			expect(notices).toMatch(/2 character devices 0:0.*t\/zero\/gone, t\/zero\/tree/);
			expect(notices).toMatch(/6 entries have an owner or device number .*t\/ids\/base-256/);
			expect(notices).toMatch(/2 of overlay's marks were kept as container storage's.*diff\/gone \(0:0\)/);
		});

		it("a warm cache gives the same ISO with the same words", async () => {
			const warm = await build(join(work, "warm.iso"));
			expect(warm.layers.map(({ timesRead }) => timesRead)).toEqual(warm.layers.map(() => 0));
			expect(readFileSync(join(work, "warm.iso")).equals(readFileSync(cold))).toBe(true);
			expect(warm.notices).toEqual(report.notices);
		});

		it("verify finds the image in the ISO, and inspect reads it", async () => {
			const { stdout } = await oci2iso(["verify", cold, "--image", image, "--json"]);
			const { checks } = JSON.parse(stdout.toString()) as { checks: { name: string; status: string }[] };
			expect(checks.find(({ name }) => name === "fidelity")?.status).toBe("pass");
			expect((await oci2iso(["inspect", image])).status).toBe(3);
		});

		it("the live system's overlay shows everything but what container storage hides", async () => {
			await mounted(async (lower) => {
				const over = join(work, "over");
				mkdirSync(over);
				execFileSync("mount", ["-t", "tmpfs", "tmpfs", over]);
				try {
					for (const name of ["upper", "work", "root"]) mkdirSync(join(over, name));
					const options = `lowerdir=${lower},upperdir=${over}/upper,workdir=${over}/work`;
					execFileSync("mount", ["-t", "overlay", "overlay", "-o", options, join(over, "root")]);
					try {
						expect(rowsBelow(join(over, "root"), "t")).toEqual(rowsBelow(lower, "t"));
						expect(readFileSync(join(over, "root/u/metacopy"), "latin1")).toBe("u/metacopy\n");
						expect(existsSync(join(over, "root/u/overlay/0a/diff/gone"))).toBe(false);
						expect(existsSync(join(lower, "u/overlay/0a/diff/gone"))).toBe(true);
					} finally {
						execFileSync("umount", [join(over, "root")]);
					}
				} finally {
					execFileSync("umount", [over]);
				}
			});
		});

		it.skipIf(requires("podman") !== undefined)("podman shows the same", async () => {
			// Named relative to here, because podman makes the image's name of it.
			const alone = join(work, "alone");
			mkdirSync(alone);
			writeOciLayout(alone, {
				layers: layers.map((tar) => ({ tar, compression: "none" as const })),
			});
			const policy = join(work, "policy.json");
			writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
			const storage = ["--root", join(work, "storage"), "--runroot", join(work, "run"), "--storage-driver", "overlay"];
			const podman = (...args: string[]): string =>
				execFileSync("podman", [...storage, ...args], { cwd: work, stdio: ["ignore", "pipe", "pipe"] })
					.toString()
					.trim();
			const id = podman("pull", "-q", "--signature-policy", policy, "oci:alone:latest").split("\n").at(-1) ?? "";
			const theirs = rowsBelow(podman("image", "mount", id), "t");
			podman("image", "umount", id);
			podman("rmi", "-f", id);
			expect(await mounted(async (mountPoint) => rowsBelow(mountPoint, "t"))).toEqual(theirs);
		});
	},
);

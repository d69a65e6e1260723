import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { bytesOf } from "../../src/binary/byte-string.ts";
import { ISO_BLOCK_BYTES } from "../../src/binary/units.ts";
import { type BuildOptions, buildIso, type VerifyOptions, verifyAgainstImage } from "../../src/index.ts";
import { fileDigest } from "../support/cache-build.ts";
import { HOST_GRUB } from "../support/contract-image.ts";
import { writeContractLayout } from "../support/contract-layout.ts";
import { withLoopMount } from "../support/loop.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { type TarMember, tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const ROOTFS_BLOCK = 64;
const CONTEXTS = "etc/selinux/test/contexts/files/file_contexts";
const POLICY = [
	"/.*\tsystem_u:object_r:default_t:s0",
	"/\t-d\tsystem_u:object_r:root_t:s0",
	"/run/.*\t<<none>>",
	"/usr(/.*)?\tsystem_u:object_r:usr_t:s0",
	"/usr/bin/.*\t--\tsystem_u:object_r:bin_t:s0",
	"/usr/bin/passwd\t--\tsystem_u:object_r:passwd_exec_t:s0",
	"/etc/.*\tsystem_u:object_r:etc_t:s0",
	"/var/x\t-p\tsystem_u:object_r:fifo_t:s0",
	"",
].join("\n");

const file = (path: string, content: string, xattrs?: TarMember["xattrs"]): TarMember => ({
	path,
	content: Buffer.from(content),
	...(xattrs && { xattrs }),
});
const policy = (text: string): TarMember[] => [
	file("etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=test\n"),
	file(CONTEXTS, text),
];
const files: readonly TarMember[] = [
	file("usr/bin/passwd", "#!/bin/sh\n", new Map([["user.a", bytesOf("b")]])),
	file("usr/bin/other", "#!/bin/sh\n#\n"),
	{ type: "symlink", path: "usr/bin/link", linkTarget: "other" },
	{ type: "hard-link", path: "var/passwd", linkTarget: "usr/bin/passwd" },
	{ type: "fifo", path: "var/x" },
	file("run/none", "none\n"),
];
const LABELS: Readonly<Record<string, string | undefined>> = {
	"": "root_t",
	"usr/bin": "usr_t",
	"usr/bin/passwd": "passwd_exec_t",
	"usr/bin/other": "bin_t",
	"usr/bin/link": "usr_t",
	"var/passwd": "passwd_exec_t",
	"var/x": "fifo_t",
	"run/none": undefined,
	[CONTEXTS]: "etc_t",
};

describe.skipIf(!existsSync(HOST_GRUB))("labels of the image's SELinux policy", () => {
	const work = temporaryDirectory("selinux-image");
	const images: Record<string, string> = {};
	beforeAll(() => {
		const label = new Map([["security.selinux", bytesOf("system_u:object_r:own_t:s0\0")]]);
		const layers: Record<string, readonly TarMember[]> = {
			plain: files,
			policy: [...policy(POLICY), ...files],
			labelled: [...policy(POLICY), file("usr/own", "own\n", label)],
			broken: [...policy("/a b\n/(?=x) y\n"), ...files],
		};
		for (const [name, members] of Object.entries(layers))
			images[name] = writeContractLayout(join(work, name), [tarArchive(members)]);
	});

	async function build(name: string, options: Partial<BuildOptions> = {}) {
		const output = join(work, `${name}.iso`);
		const report = await buildIso({ image: images[name] ?? "", output, overwrite: true, force: true, ...options });
		return { output, report, labels: report.squashfs.selinux, digest: fileDigest(output) };
	}

	async function faults(image: string, output: string, options: VerifyOptions = {}): Promise<number> {
		const { checks } = await verifyAgainstImage(output, { image: images[image], ...options });
		const { detail = "" } = checks.find(({ name }) => name === "fidelity") ?? {};
		return Number(/, (\d+) differences/.exec(detail)?.[1]);
	}

	it("are on every inode, the same with a cache and without, and verify expects them", async () => {
		const { output, report, labels, digest } = await build("policy");
		expect(labels).toMatchObject({ policy: "test", library: "3.9", withoutLabel: 1, unmatched: 0, conflicts: 1 });
		expect(labels?.labelled).toBe(report.squashfs.inodes - 1);
		expect(report.notices.join("\n")).toMatch(
			/policy test, as libselinux 3\.9 chooses.*\n.*\/var\/passwd has the label/,
		);
		const cache = join(work, "cache");
		for (const jobs of [1, 3]) expect((await build("policy", { cache, jobs })).digest).toBe(digest);
		expect((await build("policy", { selinux: "policy" })).digest).toBe(digest);
		expect(await faults("policy", output)).toBe(0);
		expect(await faults("policy", output, { selinux: "image" })).toBeGreaterThan(10);
	});

	it.skipIf(requires("root", "getfattr"))("are what the kernel reads", async () => {
		const { output } = await build("policy");
		await withLoopMount(output, "squashfs", { offsetBytes: ROOTFS_BLOCK * ISO_BLOCK_BYTES }, async (mount) => {
			for (const [path, type] of Object.entries(LABELS)) {
				const shown = await run("getfattr", ["-h", "-d", "-m", "^security.selinux$", "-e", "hex", join(mount, path)]);
				const wanted = type && Buffer.from(`system_u:object_r:${type}:s0\0`).toString("hex");
				expect(/=0x(\S+)/.exec(shown)?.[1], path).toBe(wanted);
			}
		});
	});

	it("are left to layers that carry some, and left out where that is asked for", async () => {
		const own = await build("labelled");
		expect(own.labels).toBeUndefined();
		expect(own.report.notices).toContainEqual(expect.stringContaining("those that layers carry"));
		expect(await faults("labelled", own.output)).toBe(0);
		const all = await build("labelled", { selinux: "policy" });
		expect(all.labels?.labelled).toBe(all.report.squashfs.inodes);
		expect(await faults("labelled", all.output, { selinux: "policy" })).toBe(0);
		expect(await faults("labelled", all.output)).toBeGreaterThan(10);
		const off = await build("labelled", { selinux: "off" });
		expect(off.report.squashfs.droppedXattrs).toEqual([{ pattern: "security.selinux", count: 1 }]);
		expect(await faults("labelled", off.output, { selinux: "off" })).toBe(0);
	});

	it("change nothing of an image that has no policy, or where none are wanted", async () => {
		const { digest } = await build("plain");
		for (const selinux of ["auto", "image"] as const) expect((await build("plain", { selinux })).digest).toBe(digest);
		const kept = await build("policy", { selinux: "image" });
		const dropped = await build("policy", { dropXattr: ["security.*"] });
		expect([kept.labels, dropped.labels]).toEqual([undefined, undefined]);
		expect(readFileSync(kept.output).includes("object_r:usr_t")).toBe(false);
	});

	it("do not come from a policy that cannot be read", async () => {
		const { report, labels } = await build("broken");
		expect(labels).toBeUndefined();
		expect(report.notices).toContainEqual(
			expect.stringMatching(/^there are no SELinux labels: the pattern \/\(\?=x\) cannot.*file_contexts:2\)$/),
		);
		await expect(build("broken", { selinux: "policy" })).rejects.toMatchObject({
			code: "SELINUX_POLICY_INVALID",
			exitStatus: 5,
			where: `/${CONTEXTS}:2`,
		});
		await expect(build("plain", { selinux: "policy" })).rejects.toMatchObject({
			code: "SELINUX_POLICY_MISSING",
			exitStatus: 3,
		});
	});
});

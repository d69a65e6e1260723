import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildIso, verifyAgainstImage } from "../../src/index.ts";
import { contractLayers, HOST_GRUB } from "../support/contract-image.ts";
import { type HostEntry, hostTree } from "../support/host-tree.ts";
import { withLoopMount } from "../support/loop.ts";
import { noise } from "../support/noise.ts";
import { writeOciLayout } from "../support/oci-layout.ts";
import { encapsulated } from "../support/ostree-image.ts";
import { unpackImage } from "../support/reference-pipeline.ts";
import { requires } from "../support/requires.ts";
import { readTar, type TarMember, tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const SQUASHFS_OFFSET = 64 * 2048;
const CAPABILITY = Buffer.from("0100000200200000000000000000000000000000", "hex");

/** What a commit has beside the contract's files: attributes, equal files, links and what is only below usr. */
const SYSTEM: readonly TarMember[] = [
	...["usr/etc/", "usr/bin/", "sysroot/", "boot/", "var/", "proc/"].map(
		(path): TarMember => ({ type: "directory", path, mode: 0o755 }),
	),
	{ type: "directory", path: "tmp/", mode: 0o1777 },
	...(
		[
			["ostree", "sysroot/ostree"],
			["lib", "usr/lib"],
			["usr/lib64", "lib"],
		] as const
	).map(([path, linkTarget]): TarMember => ({ type: "symlink", path, linkTarget, mode: 0o777 })),
	{ path: "usr/etc/passwd", content: Buffer.from("root:x:0:0::/root:/bin/sh\n") },
	{ path: "usr/etc/shadow", mode: 0o600, content: Buffer.from("root:*:::::::\n") },
	{ path: "usr/bin/sudo", mode: 0o4755, content: noise(70_000, "sudo") },
	{
		path: "usr/bin/ping",
		mode: 0o755,
		content: noise(30_000, "ping"),
		// libarchive, which ostree reads archives with, turns their order round
		xattrs: new Map([
			["user.note", noise(300, "note")],
			["security.capability", CAPABILITY],
		]),
	},
	...["a", "b", "c"].map((name): TarMember => ({ path: `usr/share/doc/${name}`, content: Buffer.from("the same\n") })),
	{ path: "usr/share/doc/other-owner", uid: 70_000, gid: 12, content: Buffer.from("the same\n") },
	...["one", "two"].map((name): TarMember => ({ path: `usr/share/${name}.empty` })),
];

const missing = requires("ostree", "umoci", "skopeo", "getfattr", "mount", "root", HOST_GRUB);

describe.skipIf(missing)("an image of an ostree commit", () => {
	const work = temporaryDirectory("ostree");

	it("keeps the commit's repository whole, and every link into it", async () => {
		const contract = contractLayers().flatMap((layer) => readTar(layer));
		const moved = contract.map((member) => {
			const path = member.path
				.replace(/^etc\/os-release/, "usr/lib/os-release")
				.replace(/^boot\/efi/, "usr/lib/bootupd/updates");
			return { ...member, path };
		});
		const layers = encapsulated(tarArchive([...SYSTEM, ...moved]), join(work, "ostree"), 16);
		const layout = join(work, "layout");
		mkdirSync(layout);
		const { reference } = writeOciLayout(layout, { layers: layers.map((tar) => ({ tar, compression: "none" })) });

		const output = join(work, "ostree.iso");
		const report = await buildIso({ image: reference, output, level: 1, force: true, cache: undefined });
		expect(report.choices.map(({ code }) => code)).toContain("EFI_FALLBACK");
		const { checks } = await verifyAgainstImage(output, { image: reference, secureBoot: false });
		expect(checks.find(({ name }) => name === "fidelity")?.status).toBe("pass");
		expect(checks.find(({ name }) => name === "medium")?.status).toBe("pass");

		const expected = await hostTree(await unpackImage(layout, work));
		const part = { offsetBytes: SQUASHFS_OFFSET, sizeBytes: report.squashfs.byteLength };
		await withLoopMount(output, "squashfs", part, async (mounted) => {
			expect(await hostTree(mounted)).toEqual(expected);
			const repository = join(mounted, "sysroot/ostree/repo");
			const told = execFileSync("ostree", ["fsck", `--repo=${repository}`], { encoding: "utf8" });
			expect(told).toContain("object fsck of 1 commits completed successfully - no errors found");
		});
		const groupOf = (path: string): HostEntry["group"] | undefined => expected.get(path)?.group;
		expect(groupOf("usr/share/doc/a")).toMatch(/^sysroot\/ostree\/repo\/objects\/|^usr/);
		expect(groupOf("usr/share/doc/b")).toBe(groupOf("usr/share/doc/a"));
		expect(groupOf("usr/share/doc/other-owner")).not.toBe(groupOf("usr/share/doc/a"));
		expect(groupOf("lib")).not.toBe("");
		expect(expected.get("etc/shadow")?.mode).toBe("600");
	});
});

import { describe, expect, it } from "vitest";
import type { DirectoryInode } from "../../../../src/tree/inode.ts";
import { TreeBuilder } from "../../../support/trees.ts";
import { imageFacts, makeImage, openImage } from "./harness.ts";

async function codeOf(tree: TreeBuilder, root: DirectoryInode): Promise<unknown> {
	return makeImage(tree, root).then(
		() => undefined,
		(error: unknown) => error,
	);
}

describe("what squashfs cannot hold", () => {
	it("is reported for extended attributes, by name with example paths", async () => {
		const tree = new TreeBuilder();
		const acl = { "system.posix_acl_access": Buffer.alloc(28, 1) };
		const files = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i}`, tree.file("x", { xattrs: acl })]));
		const odd = tree.file("y", {
			xattrs: {
				"user.": "empty name",
				"user.ok": "1",
				"security.big": Buffer.alloc(65_537),
				nodot: "",
				[`user.${"n".repeat(251)}`]: "",
			},
		});
		const root = tree.directory({ d: tree.directory(files), odd });
		const { image, summary } = await makeImage(tree, root);
		const losses = Object.fromEntries(summary.unstorableXattrs.map((loss) => [loss.name, loss]));
		expect(losses["system.posix_acl_access"]?.count).toBe(20);
		expect(losses["system.posix_acl_access"]?.examplePaths).toHaveLength(10);
		expect(losses["system.posix_acl_access"]?.examplePaths[0]).toBe("/d/f0");
		expect(Object.keys(losses).sort()).toEqual(
			["nodot", "security.big", "system.posix_acl_access", "user.", `user.${"n".repeat(251)}`].sort(),
		);
		expect((await imageFacts(image)).get("/odd")?.["xattrs"]).toEqual(["user.ok=31"]);
		expect((await imageFacts(image)).get("/d/f0")?.["xattrs"]).toEqual([]);
	});

	it("is reported for times, which become the nearest that fits", async () => {
		const tree = new TreeBuilder();
		const root = tree.directory({
			early: tree.file("", { mtime: { seconds: -1, nanoseconds: 999_999_999 } }),
			late: tree.symlink("x", { mtime: 2 ** 33 }),
			fine: tree.file("", { mtime: { seconds: 5, nanoseconds: 5 } }),
		});
		const { image, summary } = await makeImage(tree, root);
		expect(summary.clampedTimes).toEqual({ count: 2, examplePaths: ["/early", "/late"] });
		const facts = await imageFacts(image);
		expect([facts.get("/early"), facts.get("/late"), facts.get("/fine")].map((fact) => fact?.["seconds"])).toEqual([
			0,
			2 ** 32 - 1,
			5,
		]);
	});

	it("is an error for names, targets, device numbers and ids", async () => {
		const tree = new TreeBuilder();
		for (const name of ["", ".", "..", "a/b", "a\0b", "n".repeat(256)]) {
			const root = tree.directory({ d: tree.directory() });
			root.entries.set(name, tree.file("x"));
			expect(await codeOf(tree, root)).toMatchObject({ code: "INVALID_NAME", exitStatus: 3 });
		}
		for (const target of ["", "t".repeat(4096)])
			expect(await codeOf(tree, tree.directory({ d: tree.directory({ link: tree.symlink(target) }) }))).toMatchObject({
				code: "INVALID_LINK_TARGET",
				where: "/d/link",
			});
		for (const [major, minor] of [
			[4096, 0],
			[0, 0x10_0000],
		] as const)
			expect(await codeOf(tree, tree.directory({ dev: tree.device("block-device", major, minor) }))).toMatchObject({
				code: "DEVICE_NUMBER_TOO_LARGE",
				where: "/dev",
			});
		const ids = Array.from({ length: 65_536 }, (_, i) => [`${i}`, tree.ipc("fifo", { uid: i })] as const);
		expect(await codeOf(tree, tree.directory(Object.fromEntries(ids)))).toMatchObject({ code: "TOO_MANY_IDS" });
		const { image } = await makeImage(tree, tree.directory(Object.fromEntries(ids.slice(2))));
		expect((await openImage(image)).superblock.idCount).toBe(65_535);
	});
});

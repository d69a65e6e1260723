import { describe, expect, it } from "vitest";
import type { TarMember } from "../../support/tar-fixtures.ts";
import { mergeLayers, rowsOf } from "./layers.ts";

const marked = (path: string, type: TarMember["type"] & string, ...names: string[]): TarMember => ({
	path,
	type,
	xattrs: new Map(["user.mine", ...names].map((name) => [name, Buffer.from("y")])),
});
const zero = (path: string): TarMember => ({ path, type: "character-device", major: 0, minor: 0 });

describe("overlay's own marks", () => {
	const names = (members: readonly TarMember[]): Record<string, string> => {
		const rows = rowsOf(mergeLayers([members]).tree.root);
		return Object.fromEntries(
			[...rows]
				.filter(([, { xattrs }]) => xattrs !== "")
				.map(([path, { xattrs }]) => [path, xattrs.replaceAll("=79", "")]),
		);
	};

	it("go where they change what the live system shows, and stay where they do nothing", () => {
		expect(
			names([
				marked("metacopy", "file", "trusted.overlay.metacopy", "trusted.overlay.redirect"),
				marked("whiteout", "file", "trusted.overlay.whiteout"),
				marked("opaque", "directory", "trusted.overlay.opaque", "trusted.overlay.impure"),
				marked("redirect", "directory", "trusted.overlay.redirect"),
				marked("inert", "file", "trusted.overlay.opaque", "trusted.overlay.origin"),
				{ ...marked("link", "symlink", "trusted.overlay.metacopy"), linkTarget: "x" },
				marked("nested", "directory", "trusted.overlay.overlay.opaque", "user.overlay.opaque"),
				marked("other", "file", "trusted.overlays", "security.overlay.metacopy"),
			]),
		).toEqual({
			metacopy: "user.mine",
			whiteout: "user.mine",
			opaque: "trusted.overlay.impure user.mine",
			redirect: "user.mine",
			inert: "trusted.overlay.opaque trusted.overlay.origin user.mine",
			link: "trusted.overlay.metacopy user.mine",
			nested: "trusted.overlay.overlay.opaque user.mine user.overlay.opaque",
			other: "security.overlay.metacopy trusted.overlays user.mine",
		});
	});

	it.each([
		["var/lib/containers/storage/overlay/0a1b/diff/usr", true],
		["usr/lib/bootc/storage/overlay/0a1b/diff", true],
		["var/lib/docker/overlay2/l/diff/x", true],
		["var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/12/fs/x", true],
		["overlay/x/diff", true],
		["overlay/diff/x", false],
		["srv/diff/x", false],
		["var/lib/containers/storage/overlay/0a1b/merged/x", false],
		["snapshots/1/fs/x", false],
	])("stay in container storage: %s, %s", (path, isStorage) => {
		const { tree } = mergeLayers([
			[{ path: `${path}/low` }],
			[marked(path, "directory", "trusted.overlay.opaque"), zero(`${path}/gone`), { path: `${path}/new` }],
		]);
		const rows = rowsOf(tree.root);
		expect(rows.has(`${path}/gone`)).toBe(isStorage);
		expect(rows.has(`${path}/low`)).toBe(isStorage);
		expect(rows.get(path)?.xattrs.includes("trusted.overlay.opaque")).toBe(isStorage);
		expect(tree.notes.join("\n")).toContain(isStorage ? "2 of overlay's marks were kept" : "1 character devices 0:0");
	});

	it("are named in the notes", () => {
		const { notes } = mergeLayers([
			[
				zero("a"),
				marked("f", "file", "trusted.overlay.metacopy", "trusted.overlay.origin"),
				marked("d", "directory", "trusted.overlay.redirect"),
			],
		]).tree;
		expect(notes).toEqual([
			expect.stringMatching(/^1 character devices 0:0.*: a$/),
			expect.stringMatching(/^1 directories .*: d \(redirected to y, which is not followed\)$/),
			expect.stringMatching(/^2 of .* left out.*: f \(trusted.overlay.metacopy\), d \(trusted.overlay.redirect\)$/),
			expect.stringMatching(/^1 of .* do nothing.*: f \(trusted.overlay.origin\)$/),
		]);
	});

	it("on a whiteout, a hard link, a name that is too long are nothing of their own", () => {
		const { tree } = mergeLayers([
			[{ path: "a" }, { path: "b" }],
			[zero(".wh.a"), { ...marked("c", "hard-link", "trusted.overlay.metacopy"), linkTarget: "b" }],
		]);
		expect([...rowsOf(tree.root).keys()]).toEqual(["", "b", "c"]);
		expect(tree.notes).toEqual([]);
		expect(() => mergeLayers([[zero("n".repeat(256))]])).toThrow(/NAME_TOO_LONG/);
		expect(() => mergeLayers([[zero("/")]])).toThrow(/ROOT_NOT_DIRECTORY/);
	});
});

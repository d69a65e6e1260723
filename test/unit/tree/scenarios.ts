import type { TarMember } from "../../support/tar-fixtures.ts";
import type { Layers } from "./layers.ts";

/** Small images with the tree that they are, or the error that refuses them. */
export interface Scenario {
	readonly name: string;
	readonly layers: Layers;
	/** As `drawTree` draws it; `@LAYER:ENTRY` names the content. */
	readonly tree?: readonly string[];
	/** The error's code. */
	readonly error?: string;
	/** umoci does something else here, and why we do not follow it. */
	readonly unlikeUmoci?: string;
}

const file = (path: string, more: Partial<TarMember> = {}): TarMember => ({ path, ...more });
const dir = (path: string, more: Partial<TarMember> = {}): TarMember => ({
	path,
	type: "directory",
	mode: 0o755,
	...more,
});
const symlink = (path: string, linkTarget: string): TarMember => ({ path, type: "symlink", linkTarget });
const link = (path: string, linkTarget: string): TarMember => ({ path, type: "hard-link", linkTarget });
const hide = (path: string): TarMember => ({ path: path.replace(/([^/]+)$/, ".wh.$1") });
const opaque = (path: string): TarMember => ({ path: path === "" ? ".wh..wh..opq" : `${path}/.wh..wh..opq` });

const zero = (path: string): TarMember => ({ path, type: "character-device", major: 0, minor: 0 });
const mark = (name: string, value: string): Partial<TarMember> => ({ xattrs: new Map([[name, Buffer.from(value)]]) });

const chain = Array.from({ length: 256 }, (_, i) => symlink(`l${i}`, i === 0 ? "end" : `l${i - 1}`));

export const scenarios: readonly Scenario[] = [
	{ name: "no layers", layers: [], tree: [], unlikeUmoci: "an image layout without layers is not written here" },
	{ name: "an empty layer", layers: [[]], tree: [] },
	{
		name: "paths are cleaned as text",
		layers: [[dir("d/"), file("./d//x"), file("/abs"), file("../../up"), file("d/../q/./r"), file("e/f/../../g")]],
		tree: ["abs @0:2", "d/", "d/x @0:1", "g @0:5", "q/", "q/r @0:4", "up @0:3"],
	},
	{
		name: "`..` in a path does not see symbolic links",
		layers: [[dir("d/e"), symlink("s", "d/e"), file("s/../x")]],
		tree: ["d/", "d/e/", "s -> d/e", "x @0:2"],
	},
	{
		name: "entries go through lower symbolic links, absolute ones inside the image",
		layers: [
			[dir("usr/bin"), symlink("bin", "/usr/bin"), symlink("out", "../../../usr")],
			[file("bin/sh"), file("out/x")],
		],
		tree: ["bin -> /usr/bin", "out -> ../../../usr", "usr/", "usr/bin/", "usr/bin/sh @1:0", "usr/x @1:1"],
	},
	{
		name: "entries through a dangling link create its target",
		layers: [[symlink("s", "new/place"), file("s/x")]],
		tree: ["new/", "new/place/", "new/place/x @0:1", "s -> new/place"],
	},
	{
		name: "a target's `..` after a missing name is text",
		layers: [[dir("d"), symlink("s", "none/../d"), file("s/x")]],
		tree: ["d/", "d/x @0:2", "s -> none/../d"],
	},
	{
		name: "a loop of links on the way",
		layers: [[symlink("a", "b"), symlink("b", "a"), file("a/x")]],
		error: "SYMLINK_LOOP",
	},
	{
		name: "255 links on the way",
		layers: [[dir("end"), ...chain.slice(0, 255), file("l254/x")]],
		tree: ["end/", "end/x @0:256", ...chain.slice(0, 255).map((m) => `${m.path} -> ${m.linkTarget}`)].sort(),
	},
	{ name: "256 links on the way", layers: [[dir("end"), ...chain, file("l255/x")]], error: "SYMLINK_LOOP" },
	{
		name: "a directory and a link below a lower layer's device and pipe",
		layers: [
			[
				{ path: "n", type: "character-device", major: 1, minor: 3 },
				{ path: "p", type: "fifo" },
			],
			[dir("n/d"), symlink("p/l", "x")],
		],
		tree: ["n/", "n/d/", "p/", "p/l -> x"],
		unlikeUmoci: "it refuses the layer; podman and docker show a directory",
	},
	{
		name: "an entry below a lower layer's link to nowhere, to a file, to itself",
		layers: [
			[symlink("gone", "missing/x"), file("f"), symlink("file", "f"), symlink("self", "self"), symlink("two", "gone")],
			[file("gone/a"), file("file/a"), file("self/a"), file("two/a")],
		],
		// The last goes through "two" to what is a directory by then.
		tree: ["f @0:1", "file/", "file/a @1:1", "gone/", "gone/a @1:3", "self/", "self/a @1:2", "two -> gone"],
		unlikeUmoci: "it makes the target of a link to nowhere; podman and docker put a directory in the link's place",
	},
	{
		name: "a link to nowhere on the way through another one",
		layers: [[dir("usr"), symlink("a", "usr"), symlink("usr/b", "missing")], [file("a/b/x")]],
		tree: ["a -> usr", "usr/", "usr/b/", "usr/b/x @1:0"],
		unlikeUmoci: "it makes the target of a link to nowhere",
	},
	{
		name: "a loop of links that two layers make, in the way of a third",
		layers: [[symlink("a", "b")], [symlink("b", "a")], [file("a/x"), file("b/y")]],
		tree: ["a/", "a/x @2:0", "a/y @2:1", "b -> a"],
		unlikeUmoci: "it refuses the layer",
	},
	{
		name: "a hard link to what is below a lower layer's file",
		layers: [[file("a")], [file("a/b"), link("c", "a/b")]],
		tree: ["a/", "a/b @1:0", "c = a/b"],
		unlikeUmoci: "it refuses the layer",
	},
	{
		name: "300 links of a lower layer, one after the other",
		layers: [
			[
				dir("end"),
				...Array.from({ length: 300 }, (_, i) =>
					symlink(`${i}`.padStart(3, "0"), i === 0 ? "end" : `${i - 1}`.padStart(3, "0")),
				),
			],
			[file("299/x")],
		],
		tree: [
			...Array.from(
				{ length: 299 },
				(_, i) => `${`${i}`.padStart(3, "0")} -> ${i === 0 ? "end" : `${i - 1}`.padStart(3, "0")}`,
			),
			"299/",
			"299/x @1:0",
			"end/",
		],
		unlikeUmoci: "it refuses the layer",
	},
	{
		name: "an entry far below a file of its own layer, over a directory",
		layers: [[dir("a")], [file("a"), file("a/b/c")]],
		error: "PARENT_NOT_DIRECTORY",
	},
	{
		name: "a loop that its own layer completes",
		layers: [[symlink("a", "b")], [symlink("b", "a"), file("b/x")]],
		error: "SYMLINK_LOOP",
	},
	{
		name: "whiteouts below what is no directory do nothing",
		layers: [
			[file("a"), symlink("gone", "missing"), symlink("self", "self")],
			[hide("a/x"), opaque("a"), hide("gone/x"), opaque("gone")],
		],
		tree: ["a @0:0", "gone -> missing", "self -> self"],
	},
	{
		name: "whiteouts below a loop of links do nothing",
		layers: [[symlink("self", "self")], [hide("self/x"), opaque("self")]],
		tree: ["self -> self"],
		unlikeUmoci: "it refuses the layer",
	},
	{
		name: "a hard link to a file that was whited out before",
		layers: [[file("a")], [hide("a"), link("b", "a")]],
		error: "HARD_LINK_TARGET_MISSING",
	},
	{ name: "a hard link to itself", layers: [[file("a"), link("a", "a")]], error: "HARD_LINK_TARGET_MISSING" },
	{
		name: "a hard link over its target's directory",
		layers: [[file("d/x"), link("d", "d/x")]],
		error: "HARD_LINK_TARGET_MISSING",
	},
	{ name: "a hard link to a directory", layers: [[dir("d"), link("b", "d")]], error: "HARD_LINK_TO_DIRECTORY" },
	{ name: "a hard link to the root", layers: [[link("b", "/")]], error: "HARD_LINK_TO_DIRECTORY" },
	{ name: "a hard link without a target", layers: [[link("b", "")]], error: "HARD_LINK_TO_DIRECTORY" },
	{ name: "the root as a file", layers: [[file("./")]], error: "ROOT_NOT_DIRECTORY" },
	{ name: "the root as a symbolic link", layers: [[symlink("..", "/etc")]], error: "ROOT_NOT_DIRECTORY" },
	{ name: "the root as a directory without a name", layers: [[dir(""), file("a")]], tree: ["a @0:1"] },
	{ name: "a symbolic link to nothing at all", layers: [[symlink("a", "")]], error: "SYMLINK_TARGET_INVALID" },
	{
		name: "a symbolic link of 4096 bytes",
		layers: [[symlink("a", "x".repeat(4096))]],
		error: "SYMLINK_TARGET_INVALID",
	},
	{
		name: "a symbolic link of 4095 bytes",
		layers: [[symlink("a", "x".repeat(4095))]],
		tree: [`a -> ${"x".repeat(4095)}`],
	},
	{ name: "a name of 255 bytes", layers: [[file("n".repeat(255))]], tree: [`${"n".repeat(255)} @0:0`] },
	{ name: "a name of 256 bytes", layers: [[file("n".repeat(256))]], error: "NAME_TOO_LONG" },
	{ name: "a missing parent's name of 256 bytes", layers: [[file(`${"n".repeat(256)}/x`)]], error: "NAME_TOO_LONG" },
	{
		name: "a path of 4097 bytes",
		layers: [[file(`${"d/".repeat(2048)}x`)]],
		tree: [...Array.from({ length: 2048 }, (_, i) => `${"d/".repeat(i + 1)}`), `${"d/".repeat(2048)}x @0:0`],
		unlikeUmoci: "it names whole paths to the kernel",
	},
	{ name: "a path of 16385 bytes", layers: [[file(`${"d/".repeat(8192)}x`)]], error: "PATH_TOO_LONG" },
	{
		name: "a path beyond 16383 bytes through links",
		layers: [
			[symlink("s", "e/".repeat(2000)), symlink(`${"e/".repeat(2000)}s`, "f/".repeat(2000))],
			[symlink("t", `s/s/${"g/".repeat(1500)}`), file(`t/${"h/".repeat(3000)}x`)],
		],
		error: "PATH_TOO_LONG",
	},
	{
		name: "an opaque directory with a tree as deep as paths may be, above another",
		layers: [
			[file(`${"d/".repeat(8191)}old`.slice(0, 16383))],
			[file(`${"d/".repeat(8190)}new`), file("d/.wh..wh..opq")],
		],
		tree: [...Array.from({ length: 8190 }, (_, i) => `${"d/".repeat(i + 1)}`), `${"d/".repeat(8190)}new @1:0`],
		unlikeUmoci: "it names whole paths to the kernel",
	},
	{
		name: "a whiteout without a name",
		layers: [[file("d/x")], [file("d/.wh.")]],
		error: "WHITEOUT_NAME_INVALID",
		unlikeUmoci: "it removes the directory itself",
	},
	{
		name: "a whiteout of the parent",
		layers: [[file("d/x")], [file("d/.wh...")]],
		error: "WHITEOUT_NAME_INVALID",
		unlikeUmoci: "it removes the directory above, even outside the root",
	},
	{
		name: "a whiteout marker of any type",
		layers: [
			[file("a"), file("b")],
			[dir(".wh.a"), symlink(".wh.b", "x")],
		],
		tree: [],
	},
	{
		name: "aufs' own metadata",
		layers: [[file("a"), dir(".wh..wh.plnk"), dir(".wh..wh.orph"), file(".wh..wh.aufs")]],
		tree: ["a @0:0"],
	},
	{
		name: "device nodes",
		layers: [
			[
				{ path: "null", type: "character-device", major: 1, minor: 3 },
				{ path: "disk", type: "block-device", major: 259, minor: 70_000 },
				{ path: "pipe", type: "fifo" },
				{ path: "zero", type: "block-device", major: 0, minor: 0 },
			],
		],
		tree: ["disk block-device 259, 70000", "null character-device 1, 3", "pipe fifo ", "zero block-device 0, 0"],
	},
	{
		name: "overlay's whiteouts hide what is below them, and only that",
		layers: [
			[file("a"), file("d/x"), file("e/x"), file("b")],
			[zero("a"), zero("d"), zero("new/w"), file("b"), zero("b"), zero("c"), file("c"), zero("e/x")],
			[file("d/y")],
		],
		tree: ["c @1:6", "d/", "d/y @2:0", "e/", "new/"],
		unlikeUmoci: "it keeps the devices, which podman and docker do not show",
	},
	{
		name: "directories that overlay calls opaque or redirected, as podman shows them",
		layers: [
			[file("opaque/a"), file("redirected/a"), file("q/a"), file("no/a"), file("x/a"), file("user/a")],
			[
				dir("opaque", mark("trusted.overlay.opaque", "y")),
				file("opaque/b"),
				dir("redirected", mark("trusted.overlay.redirect", "q")),
				dir("no", mark("trusted.overlay.opaque", "n")),
				dir("x", mark("trusted.overlay.opaque", "x")),
				file("x/a", mark("trusted.overlay.whiteout", "")),
				dir("user", mark("user.overlay.opaque", "y")),
				dir("./", mark("trusted.overlay.opaque", "y")),
			],
			[file("opaque/c")],
		],
		tree: [
			"no/",
			"no/a @0:3",
			"opaque/",
			"opaque/b @1:1",
			"opaque/c @2:0",
			"q/",
			"q/a @0:2",
			"redirected/",
			"user/",
			"user/a @0:5",
			"x/",
			"x/a @1:5",
		],
		unlikeUmoci: "it knows nothing of the marks",
	},
	{
		name: "names that are not UTF-8, and that look like numbers or properties",
		layers: [[file("\xff\xfe"), file("caf\xe9"), file("1"), file("__proto__"), file("constructor/toString")]],
		tree: ["1 @0:2", "__proto__ @0:3", "caf\xe9 @0:1", "constructor/", "constructor/toString @0:4", "\xff\xfe @0:0"],
	},
];

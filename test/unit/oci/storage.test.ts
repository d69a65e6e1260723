import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { openImage } from "../../../src/oci/open-image.ts";
import { parseStoredName } from "../../../src/oci/storage/storage-reference.ts";
import { findInStore } from "../../../src/oci/storage/storage-source.ts";
import { gzippedLines, type WrittenStore, writeStore } from "../../support/containers-store.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { amd64, codeOf, contentsOf, failure } from "./image-places.ts";

const LARGE = Buffer.from("0123456789abcdef".repeat(50_000));
const base = [
	{ name: "etc", type: "directory" as const },
	{ name: "etc/hello", bytes: Buffer.from("hi\n") },
	{ name: "usr/bin/large", bytes: LARGE },
	{ name: "empty", bytes: Buffer.alloc(0) },
];
const top = [
	{ name: "etc/.wh.hello", bytes: Buffer.alloc(0) },
	{ name: "new", bytes: Buffer.from("new") },
	{ name: "link", type: "symlink" as const, linkname: "/etc/hello" },
];

const fresh = (): string => join(temporaryDirectory("storage"), "store");
const overlay = (names?: string[]): Promise<WrittenStore> => writeStore(fresh(), "overlay", [base, top], names);
const at = ({ root }: WrittenStore, name = "localhost/image:1"): string => `containers-storage:[${root}]${name}`;
const diffIds = ({ layers }: WrittenStore): string[] => layers.map(({ diffId }) => diffId);

describe("an image in a store", () => {
	it.each(["overlay", "vfs"] as const)("of driver %s is read with its own manifest and archives", async (driver) => {
		const store = await writeStore(fresh(), driver, [base, top]);
		for (const place of [
			store.root,
			`${driver}@${store.root}`,
			`${driver}@${store.root}+/run/none:${driver}.imagestore=/none`,
		]) {
			const image = await openImage(`containers-storage:[${place}]localhost/image:1`, amd64);
			expect(image.manifestDigest).toBe(store.manifestDigest);
			expect(image.layers.map(({ digest }) => digest)).toEqual(diffIds(store));
			expect(await contentsOf(image)).toEqual(diffIds(store));
			expect(image.notes).toEqual([expect.stringContaining("keeps no blobs")]);
		}
	});

	it("is found by names, digests and ids", async () => {
		const store = await overlay(["localhost/image:1", "docker.io/library/debian:latest", "quay.io/a/b:2"]);
		const { imageId, manifestDigest } = store;
		const found = [
			"image:1",
			"debian",
			"docker.io/debian",
			"quay.io/a/b:2",
			`quay.io/a/b@${manifestDigest}`,
			`quay.io/a/b:other@${manifestDigest}`,
		];
		for (const name of [
			...found,
			imageId,
			`@${imageId.slice(0, 5)}`,
			imageId.slice(0, 12),
			`sha256:${imageId}`,
			`quay.io/a/b:2@${imageId}`,
		])
			expect((await openImage(at(store, name), amd64)).manifestDigest).toBe(manifestDigest);
		const absent = [
			"image",
			"image:2",
			"quay.io/library/debian",
			`quay.io/a/c@${manifestDigest}`,
			`quay.io/a/c@${imageId}`,
			"f".repeat(64),
		];
		for (const name of absent) expect(await codeOf(at(store, name))).toBe("usage IMAGE_NOT_FOUND");
		expect((await failure(at(store, "none"))).message).toContain("there is localhost/image:1");
		rmSync(join(store.root, "overlay-images/images.json"));
		expect((await failure(at(store))).message).toContain('no image "localhost/image:1" in the store');
		rmSync(join(store.root, "overlay-images"), { recursive: true });
		expect((await failure(at(store))).message).toContain("there is no store of images");
	});

	it("is found below docker.io before localhost, with a note, and not by an id that several have", async () => {
		const store = await overlay(["localhost/x:latest"]);
		store.edit("images", ([image = {}]) => [
			image,
			{ ...image, id: `${store.imageId.slice(0, 8)}${"0".repeat(56)}`, names: ["docker.io/library/x:latest"] },
		]);
		const image = openImage(at(store, "x"), amd64);
		await expect(image).rejects.toThrow("no manifest");
		expect(await codeOf(at(store, `@${store.imageId.slice(0, 6)}`))).toBe("usage IMAGE_AMBIGUOUS");
		expect((await openImage(at(store, "localhost/x"), amd64)).manifestDigest).toBe(store.manifestDigest);
	});

	it("may lie upon layers of another store, and be in another store itself", async () => {
		const store = await overlay();
		const [lower] = store.layers;
		const other = fresh();
		const moved = `overlay/${lower?.id}`;
		mkdirSync(join(other, "overlay"), { recursive: true });
		mkdirSync(join(other, "overlay-layers"));
		mkdirSync(join(other, "overlay-images"));
		renameSync(join(store.root, moved), join(other, moved));
		renameSync(lower?.tarSplit ?? "", join(other, `overlay-layers/${lower?.id}.tar-split.gz`));
		writeFileSync(join(other, "overlay-images/images.json"), "[]");
		store.edit("layers", (layers) => {
			writeFileSync(join(other, "overlay-layers/layers.json"), JSON.stringify(layers.slice(0, 1)));
			return layers.slice(1);
		});
		const both = [
			`[overlay@${store.root}:overlay.imagestore=${other}]`,
			`[overlay@${other}:.imagestore=${store.root}]`,
		];
		for (const place of both)
			expect(await contentsOf(await openImage(`containers-storage:${place}localhost/image:1`, amd64))).toEqual(
				diffIds(store),
			);
		expect(await codeOf(at(store))).toBe("corrupt LAYER_CHANGED");
	});

	it("may have no layers, one of unknown size, and layers that were identified by their table of contents", async () => {
		const none = await writeStore(fresh(), "overlay", []);
		expect((await openImage(at(none), amd64)).layers).toEqual([]);
		const store = await overlay();
		store.edit("layers", (layers) =>
			layers.map(({ "diff-digest": _, "diff-size": __, ...rest }) => ({ ...rest, "toc-digest": "sha256:0" })),
		);
		expect(await contentsOf(await openImage(at(store), amd64))).toEqual(diffIds(store));
	});

	it("is chosen from an index whose images are in the store", async () => {
		const store = await overlay();
		const manifest = readFileSync(join(store.root, "overlay-images", store.imageId, "manifest"));
		const descriptor = (architecture: string, digest: string) => ({
			mediaType: "application/vnd.oci.image.manifest.v1+json",
			digest,
			size: manifest.byteLength,
			platform: { os: "linux", architecture },
		});
		const manifests = [descriptor("amd64", store.manifestDigest), descriptor("arm64", `sha256:${"0".repeat(64)}`)];
		const index = JSON.stringify({ schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests });
		const id = "1".repeat(64);
		mkdirSync(join(store.root, "overlay-images", id));
		writeFileSync(join(store.root, "overlay-images", id, "manifest"), index);
		store.edit("images", (images) => {
			const digest = `sha256:${execFileSync("sha256sum", { input: index }).toString().slice(0, 64)}`;
			images.push({ id, digest, names: ["localhost/list:latest"], "big-data-digests": { manifest: digest } });
		});
		const image = await openImage(at(store, "list"), amd64);
		expect(image.manifestDigest).toBe(store.manifestDigest);
		expect(await contentsOf(image)).toEqual(diffIds(store));
		const error = await failure(at(store, "list"), { platform: "linux/arm64" });
		expect(error.message).toMatch(/^IMAGE_NOT_FOUND: .*podman pull --platform/);
	});
});

describe("the user's own store", () => {
	const home = () => temporaryDirectory("storage-home");
	const inStore = async (name: string, variables: Record<string, string | undefined>, systemRoot: string) =>
		await findInStore(parseStoredName(name), { environment: { variables, home: "/nowhere", systemRoot } });

	it("is where podman has it, for root and for others", async () => {
		const root = home();
		await writeStore(join(root, "var/lib/containers/storage"), "overlay", [base], ["localhost/of-root:1"]);
		await writeStore(join(root, "data/containers/storage"), "vfs", [base], ["localhost/of-user:1"]);
		const user = { _CONTAINERS_ROOTLESS_UID: "1000", XDG_DATA_HOME: join(root, "data") };
		expect(await inStore("localhost/of-root:1", { _CONTAINERS_ROOTLESS_UID: "0" }, root)).toBeDefined();
		expect(await inStore("localhost/of-user:1", { _CONTAINERS_ROOTLESS_UID: "0" }, root)).toBeUndefined();
		expect(await inStore("localhost/of-user:1", user, root)).toBeDefined();
		expect(await inStore("localhost/of-root:1", user, root)).toBeUndefined();
		expect(await inStore("localhost/of-user:1", { ...user, STORAGE_DRIVER: "overlay" }, root)).toBeUndefined();
		expect(await inStore("localhost/of-user:1", { ...user, XDG_DATA_HOME: "/none" }, root)).toBeUndefined();
	});

	it("is where storage.conf has it", async () => {
		const root = home();
		await writeStore(join(root, "one"), "overlay", [base], ["localhost/one:1"]);
		await writeStore(join(root, "two-1000"), "overlay", [top], ["localhost/two:1"]);
		await writeStore(join(root, "three"), "overlay", [top, base], ["localhost/three:1"]);
		const conf = (path: string, text: string): void => {
			mkdirSync(dirname(join(root, path)), { recursive: true });
			writeFileSync(join(root, path), text);
		};
		conf(
			"usr/share/containers/storage.conf",
			`[storage]\ndriver = ""\n[storage.options]\nadditionalimagestores = ["${root}/three", {append = true}]\n`,
		);
		conf(
			"etc/containers/storage.conf",
			`[storage]\ndriver = "overlay"\ngraphroot = "${root}/one"\nrootless_storage_path = "$TOP/two-$UID"\n`,
		);
		const found = async (variables: Record<string, string>) => {
			const names = [];
			for (const name of ["one", "two", "three"])
				if ((await inStore(`localhost/${name}:1`, variables, root)) !== undefined) names.push(name);
			return names;
		};
		const [system, user] = [{ _CONTAINERS_ROOTLESS_UID: "0" }, { _CONTAINERS_ROOTLESS_UID: "1000", TOP: root }];
		expect(await found(system)).toEqual(["one", "three"]);
		expect(await found(user)).toEqual(["two", "three"]);
		conf("xdg/containers/storage.conf", `[storage]\ngraphroot = "${root}/one"\n`);
		expect(await found({ ...user, XDG_CONFIG_HOME: join(root, "xdg") })).toEqual(["one", "three"]);
		expect(await found({ ...system, STORAGE_OPTS: `overlay.imagestore=${root}/two-1000` })).toEqual([
			"one",
			"two",
			"three",
		]);
		conf("own.conf", `[storage]\nimagestore = "${root}/three"\ngraphroot = "${root}/one"\n`);
		expect(await found({ ...user, CONTAINERS_STORAGE_CONF: join(root, "own.conf") })).toEqual(["one", "three"]);
		for (const [text, code] of [
			["[storage", "STORAGE_CONF_INVALID"],
			["storage = 1", "STORAGE_CONF_INVALID"],
			['[storage]\ngraphroot = ["/x"]', "STORAGE_CONF_INVALID"],
			['[storage]\ndriver = "btrfs"', "STORE_UNSUPPORTED"],
		] as const) {
			conf("own.conf", text);
			const lookedFor = inStore("localhost/one:1", { CONTAINERS_STORAGE_CONF: join(root, "own.conf") }, root);
			await expect(lookedFor).rejects.toMatchObject({ code });
		}
		await expect(inStore("x", { CONTAINERS_STORAGE_CONF: join(root, "none.conf") }, root)).rejects.toMatchObject({
			code: "STORAGE_CONF_INVALID",
		});
	});
});

describe("a store that was changed", () => {
	const layerOf = ({ layers }: WrittenStore) => layers[0] ?? expect.fail("there are two");
	const lines = (store: WrittenStore, ...entries: unknown[]): void =>
		writeFileSync(layerOf(store).tarSplit, gzippedLines(entries));
	const inside = (store: WrittenStore, path: string): string => join(layerOf(store).contents, path);
	const removed = (path: string): string => {
		rmSync(path, { recursive: true });
		return path;
	};
	const without = (store: WrittenStore, path: string): string => removed(inside(store, path));

	it.each<[string, (store: WrittenStore) => void, string, RegExp]>([
		[
			"a file with another content",
			(s) => writeFileSync(inside(s, "etc/hello"), "ho\n"),
			"corrupt LAYER_CHANGED",
			/etc\/hello has another content/,
		],
		[
			"a large file with another content",
			(s) => writeFileSync(inside(s, "usr/bin/large"), LARGE.toReversed()),
			"corrupt LAYER_CHANGED",
			/usr\/bin\/large has another content/,
		],
		[
			"a longer file",
			(s) => writeFileSync(inside(s, "etc/hello"), "longer"),
			"corrupt LAYER_CHANGED",
			/etc\/hello has 6 bytes, not 3/,
		],
		[
			"a shorter file",
			(s) => truncateSync(inside(s, "usr/bin/large"), 5),
			"corrupt LAYER_CHANGED",
			/usr\/bin\/large has 5 bytes/,
		],
		["no file", (s) => rmSync(inside(s, "etc/hello")), "corrupt LAYER_CHANGED", /etc\/hello is not there/],
		["a directory for a file", (s) => mkdirSync(without(s, "etc/hello")), "corrupt LAYER_CHANGED", /no regular file/],
		[
			"a fifo for a file",
			(s) => execFileSync("mkfifo", [without(s, "etc/hello")]),
			"corrupt LAYER_CHANGED",
			/no regular file/,
		],
		[
			"a link for a file",
			(s) => symlinkSync("/etc/hostname", without(s, "etc/hello")),
			"corrupt LAYER_CHANGED",
			/no regular file/,
		],
		[
			"a link for a directory",
			(s) => symlinkSync("/etc", without(s, "etc")),
			"corrupt LAYER_CHANGED",
			/hello is not there/,
		],
		[
			"links in a circle",
			(s) => symlinkSync("etc", without(s, "etc")),
			"corrupt LAYER_CHANGED",
			/hello is not there \(ELOOP\)/,
		],
		["a link for a layer", (s) => symlinkSync("/", without(s, ".")), "corrupt LAYER_CHANGED", /directory is gone/],
		["no layer", (s) => rmSync(layerOf(s).contents, { recursive: true }), "corrupt LAYER_CHANGED", /directory is gone/],
		["no tar-split", (s) => rmSync(layerOf(s).tarSplit), "usage LAYER_NOT_KEPT", /enable_partial_images/],
		[
			"files of composefs",
			(s) => {
				mkdirSync(inside(s, "../composefs-data"));
				writeFileSync(inside(s, "../composefs-data/composefs.blob"), "");
			},
			"usage LAYER_NOT_KEPT",
			/podman save/,
		],
		[
			"a fifo for tar-split",
			(s) => execFileSync("mkfifo", [removed(layerOf(s).tarSplit)]),
			"corrupt STORE_INVALID",
			/no file/,
		],
		[
			"a tar-split that is cut off",
			(s) => truncateSync(layerOf(s).tarSplit, 50),
			"corrupt LAYER_TRUNCATED",
			/tar-split/,
		],
		[
			"a tar-split that is no gzip",
			(s) => writeFileSync(layerOf(s).tarSplit, "no gzip at all"),
			"corrupt LAYER_COMPRESSION_BROKEN",
			/tar-split/,
		],
		[
			"a tar-split that is not JSON",
			(s) => writeFileSync(layerOf(s).tarSplit, gzipSync("{\n")),
			"corrupt STORE_INVALID",
			/not JSON/,
		],
		["a line of a number", (s) => lines(s, 5), "corrupt STORE_INVALID", /no object/],
		["an entry of a third type", (s) => lines(s, { type: 3 }), "corrupt STORE_INVALID", /neither/],
		["a negative size", (s) => lines(s, { type: 1, name: "a", size: -5 }), "corrupt STORE_INVALID", /size/],
		["a size beyond numbers", (s) => lines(s, { type: 1, name: "a", size: 1e300 }), "corrupt STORE_INVALID", /size/],
		["a file without a name", (s) => lines(s, { type: 1, size: 5 }), "corrupt STORE_INVALID", /name/],
		["a name with a zero", (s) => lines(s, { type: 1, name: "a\0b", size: 5 }), "corrupt STORE_INVALID", /name/],
		[
			"a way out",
			(s) => lines(s, { type: 1, name: "../../../../../../../../etc/hostname", size: 5 }),
			"corrupt LAYER_CHANGED",
			/is not there/,
		],
		[
			"an absolute path",
			(s) => lines(s, { type: 1, name: "/etc/hostname", size: 5 }),
			"corrupt LAYER_CHANGED",
			/is not there/,
		],
		[
			"a path into the depths",
			(s) => lines(s, { type: 1, name: `${"etc/../".repeat(600)}etc/hello`, size: 4 }),
			"corrupt LAYER_CHANGED",
			/has 3 bytes/,
		],
		[
			"the directory itself",
			(s) => lines(s, { type: 1, name: ".", size: 5 }),
			"corrupt LAYER_CHANGED",
			/no regular file/,
		],
		[
			"an archive without an end",
			(s) => lines(s, ...Array(20).fill({ type: 1, name: "usr/bin/large", size: LARGE.byteLength })),
			"corrupt LAYER_CHANGED",
			/another content/,
		],
		[
			"lines without an archive",
			(s) => writeFileSync(layerOf(s).tarSplit, gzipSync('{"type":2,"payload":""}\n'.repeat(1_000_000))),
			"corrupt STORE_INVALID",
			/on and on/,
		],
		[
			"a line without an end",
			(s) => writeFileSync(layerOf(s).tarSplit, gzipSync(Buffer.alloc(20_000_000, 0x20))),
			"corrupt STORE_INVALID",
			/too long/,
		],
		[
			"another archive",
			(s) => lines(s, { type: 2, payload: Buffer.alloc(1024).toString("base64") }),
			"corrupt LAYER_CHANGED",
			/another archive/,
		],
		[
			"layers in a circle",
			(s) => s.edit("layers", (layers) => layers.map((layer) => ({ ...layer, parent: layer["id"] }))),
			"corrupt STORE_INVALID",
			/without an end/,
		],
		[
			"a layer that is not finished",
			(s) => s.edit("layers", (layers) => layers.map((layer) => ({ ...layer, flags: { incomplete: true } }))),
			"corrupt LAYER_CHANGED",
			/finished/,
		],
		[
			"a layer of another image",
			(s) =>
				s.edit("layers", (layers) => layers.map((layer) => ({ ...layer, "diff-digest": `sha256:${"0".repeat(64)}` }))),
			"corrupt STORE_INVALID",
			/the one that/,
		],
		[
			"a layer less",
			(s) => s.edit("layers", ([, upper = {}]) => [{ ...upper, parent: "" }]),
			"corrupt STORE_INVALID",
			/1 layers/,
		],
		[
			"an id that is a path",
			(s) => s.edit("layers", (layers) => layers.map((layer) => ({ ...layer, id: "../../x" }))),
			"corrupt STORE_INVALID",
			/layers\.json/,
		],
		[
			"an image id that is a path",
			(s) => s.edit("images", (images) => images.map((image) => ({ ...image, id: ".." }))),
			"corrupt STORE_INVALID",
			/images\.json/,
		],
		["lists that are none", (s) => s.edit("images", () => ({})), "corrupt STORE_INVALID", /images\.json/],
		[
			"another manifest",
			(s) => writeFileSync(join(s.root, "overlay-images", s.imageId, "manifest"), "{}"),
			"corrupt BLOB_DIGEST_MISMATCH",
			/manifest/,
		],
	])("with %s is refused", async (_, change, code, words) => {
		const store = await overlay();
		change(store);
		const error = await failure(at(store));
		expect(`${error.kind} ${error.code}`).toBe(code);
		expect(error.message).toMatch(words);
		expect(error.message).not.toContain(readFileSync("/etc/hostname", "utf8").trim() || "\0");
	});

	it("may have links of directories that stay below the layer, as vfs has", async () => {
		const store = await overlay();
		renameSync(inside(store, "etc"), inside(store, "usr/etc"));
		symlinkSync("../../../../usr/etc", inside(store, "etc"));
		expect(await contentsOf(await openImage(at(store), amd64))).toEqual(diffIds(store));
		rmSync(inside(store, "etc"));
		symlinkSync("/usr/bin/../etc", inside(store, "etc"));
		expect(await contentsOf(await openImage(at(store), amd64))).toEqual(diffIds(store));
	});
});

import {
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Oci2isoError } from "../../../src/errors.ts";
import { digestHex, digestOf } from "../../../src/oci/digest.ts";
import { type OciImage, type OpenImageOptions, openImage } from "../../../src/oci/open-image.ts";
import { filesBelow, tarOf } from "../../support/oci-archive.ts";
import {
	blobPath,
	named,
	OCI_MEDIA_TYPES,
	writeBlob,
	writeImage,
	writeIndex,
	writeIndexFile,
	writeJson,
	writeOciLayout,
} from "../../support/oci-layout.ts";

const scratch = mkdtempSync(join(tmpdir(), "oci2iso-open-image-"));
afterAll(() => rmSync(scratch, { recursive: true }));
let count = 0;
const fresh = (): string => join(scratch, `${count++}`);

let tars: Buffer[] = [];
let contents: string[] = [];
beforeAll(async () => {
	tars = await Promise.all(
		["base", "middle", "top"].map((name) => tarOf([{ name, bytes: Buffer.from(name.repeat(5000)) }])),
	);
	contents = tars.map((bytes) => digestOf(bytes));
});
const layers = (...compressions: ("none" | "gzip" | "zstd")[]) =>
	compressions.map((compression, index) => ({ tar: tars[index] ?? Buffer.alloc(0), compression }));

/** Digests of the uncompressed layers, read to the end. */
async function contentsOf(image: OciImage): Promise<string[]> {
	const digests: string[] = [];
	for (const layer of image.layers) {
		const pieces: Buffer[] = [];
		for await (const chunk of layer.tar()) pieces.push(Buffer.from(chunk));
		digests.push(digestOf(Buffer.concat(pieces)));
	}
	return digests;
}

const amd64: OpenImageOptions = { platform: "linux/amd64" };

async function failure(reference: string, options: OpenImageOptions = amd64): Promise<Oci2isoError> {
	try {
		const image = await openImage(reference, options);
		await contentsOf(image);
	} catch (error) {
		if (error instanceof Oci2isoError) return error;
		throw error;
	}
	throw new Error("no error");
}

async function codeOf(reference: string, options: OpenImageOptions = amd64): Promise<string> {
	const { kind, code } = await failure(reference, options);
	return `${kind} ${code}`;
}

async function asArchive(directory: string, prefix = ""): Promise<string> {
	const file = `${fresh()}.tar`;
	writeFileSync(file, await tarOf(filesBelow(directory).map(({ name, bytes }) => ({ name: prefix + name, bytes }))));
	return file;
}

/** Copies an image layout's image the way skopeo writes `dir:`. */
function asDirectory(layout: string, image: { manifest: { digest: `sha256:${string}` | `sha512:${string}` } }): string {
	const directory = fresh();
	mkdirSync(directory);
	for (const { name, bytes } of filesBelow(join(layout, "blobs")))
		writeFileSync(join(directory, name.split("/")[1] ?? ""), bytes);
	writeFileSync(join(directory, "manifest.json"), readFileSync(blobPath(layout, image.manifest.digest)));
	writeFileSync(join(directory, "version"), "Directory Transport Version: 1.1\n");
	return directory;
}

describe("an image", () => {
	it("is the same from a layout, an archive of it and a skopeo directory", async () => {
		const layout = fresh();
		const written = writeOciLayout(layout, { layers: layers("none", "gzip", "zstd") });
		const archive = await asArchive(layout);
		const references = [
			written.reference,
			`oci:${layout}`,
			`oci:${layout}@${written.manifestDigest}`,
			`oci:${layout}:@0`,
			`oci-archive:${archive}`,
			`oci-archive:${archive}:latest`,
			`oci-archive:${await asArchive(layout, "./")}`,
			`dir:${asDirectory(layout, written)}`,
		];
		for (const reference of references) {
			const image = await openImage(reference, amd64);
			expect(image).toMatchObject({ reference, manifestDigest: written.manifestDigest, notes: [] });
			expect(image.platform).toMatchObject({ os: "linux", architecture: "amd64" });
			expect(image.config.createdSeconds).toBe(Date.UTC(2024, 1, 3, 4, 5, 6) / 1000);
			expect(
				image.layers.map(({ digest, compressedBytes, mediaType, diffId }) => ({
					digest,
					compressedBytes,
					mediaType,
					diffId,
				})),
			).toEqual(
				written.layers.map(({ digest, size, mediaType }, index) => ({
					digest,
					compressedBytes: size,
					mediaType,
					diffId: written.diffIds[index],
				})),
			);
			expect(await contentsOf(image)).toEqual(contents);
			await image.close();
		}
	});

	it("may have one layer twice, and none at all", async () => {
		const twice = [layers("gzip"), layers("gzip")].flat();
		const image = await openImage(writeOciLayout(fresh(), { layers: twice }).reference, amd64);
		expect(await contentsOf(image)).toEqual([contents[0], contents[0]]);
		expect((await openImage(writeOciLayout(fresh(), { layers: [] }).reference, amd64)).layers).toEqual([]);
	});

	it("has Docker's media types or OCI's", async () => {
		const directory = fresh();
		const docker = "application/vnd.docker";
		const image = writeImage(directory, {
			layers: [
				{ tar: tars[0] ?? Buffer.alloc(0), compression: "gzip", mediaType: `${docker}.image.rootfs.diff.tar.gzip` },
				{ tar: tars[1] ?? Buffer.alloc(0), compression: "none", mediaType: `${docker}.image.rootfs.diff.tar` },
			],
		});
		const config = { ...image.config, mediaType: `${docker}.container.image.v1+json` };
		const type = `${docker}.distribution.manifest.v2+json`;
		const manifest = writeJson(directory, type, { schemaVersion: 2, mediaType: type, config, layers: image.layers });
		const listType = `${docker}.distribution.manifest.list.v2+json`;
		const platform = { os: "linux", architecture: "amd64" };
		const list = writeJson(directory, listType, {
			schemaVersion: 2,
			mediaType: listType,
			manifests: [{ ...manifest, platform }],
		});
		writeIndexFile(directory, [list]);
		const opened = await openImage(`oci:${directory}`, amd64);
		expect(opened.manifestDigest).toBe(manifest.digest);
		expect(await contentsOf(opened)).toEqual(contents.slice(0, 2));
	});

	it("is read without the layout marker, with a note", async () => {
		const directory = fresh();
		writeOciLayout(directory, { layers: layers("none") });
		rmSync(join(directory, "oci-layout"));
		const image = await openImage(`oci:${directory}`, amd64);
		expect(image.notes).toEqual([expect.stringContaining("oci-layout is missing")]);
	});
});

describe("choosing in a layout", () => {
	let directory = "";
	let images: ReturnType<typeof writeImage>[] = [];
	beforeAll(() => {
		directory = fresh();
		images = ["none", "gzip"].map((compression) =>
			writeImage(directory, { layers: layers(compression as "none" | "gzip") }),
		);
		const [one, two] = images.map(({ manifest }) => manifest);
		if (one === undefined || two === undefined) throw new Error("two images were written");
		writeIndexFile(directory, [named(one, "one"), named(two, "two"), named(two, "also-two")]);
	});

	it("goes by tag, digest and position", async () => {
		const [one, two] = images.map(({ manifest }) => manifest.digest);
		const cases: [string, string | undefined][] = [
			[":one", one],
			[":two", two],
			[":also-two", two],
			[`@${two}`, two],
			[`:one@${one}`, one],
			[":@0", one],
			[":@2", two],
		];
		for (const [selection, digest] of cases)
			expect((await openImage(`oci:${directory}${selection}`, amd64)).manifestDigest).toBe(digest);
	});

	it("lists what is there when nothing says which, or the name is not there", async () => {
		expect((await failure(`oci:${directory}`)).message).toMatch(/^IMAGE_AMBIGUOUS: .*:one, :two, :also-two/);
		expect((await failure(`oci:${directory}:three`)).message).toMatch(
			/^IMAGE_NOT_FOUND: .*"three".*:one, :two, :also-two/,
		);
		expect(await codeOf(`oci:${directory}:one@${images[1]?.manifest.digest}`)).toBe("usage IMAGE_NOT_FOUND");
		expect(await codeOf(`oci:${directory}:@3`)).toBe("usage IMAGE_NOT_FOUND");
	});

	it("says so when the layout is empty or not one", async () => {
		const empty = fresh();
		writeIndexFile(empty, []);
		expect((await failure(`oci:${empty}`)).message).toMatch(/IMAGE_NOT_FOUND.*no image/);
		const nothing = fresh();
		mkdirSync(nothing);
		expect((await failure(`oci:${nothing}`)).message).toMatch(/IMAGE_NOT_FOUND.*index\.json/);
		expect(await codeOf(`dir:${nothing}`)).toBe("usage IMAGE_NOT_FOUND");
		expect(await codeOf(`oci:${join(nothing, "absent")}`)).toBe("usage IMAGE_NOT_FOUND");
		expect(await codeOf(`oci-archive:${join(nothing, "absent")}`)).toBe("usage IMAGE_NOT_FOUND");
		expect(await codeOf(`oci-archive:${nothing}`)).toBe("usage IMAGE_NOT_AN_ARCHIVE");
		expect(await codeOf(`oci:${join(directory, "index.json")}`)).toBe("usage IMAGE_NOT_A_DIRECTORY");
		expect(await codeOf("oci-archive:/dev/null")).toBe("usage IMAGE_NOT_AN_ARCHIVE");
	});
});

describe("choosing a platform", () => {
	const platforms = ["linux/arm64/v8", "linux/amd64", "linux/amd64/v3", "linux/arm/v7", "linux/arm/v5"];
	let directory = "";
	const digests = new Map<string, string>();
	beforeAll(() => {
		directory = fresh();
		const manifests = platforms.map(
			(platform) => writeImage(directory, { layers: layers("none"), platform, config: { author: platform } }).manifest,
		);
		manifests.forEach(({ digest }, index) => {
			digests.set(platforms[index] ?? "", digest);
		});
		const attestation = {
			...writeJson(directory, OCI_MEDIA_TYPES.manifest, {}),
			platform: { os: "unknown", architecture: "unknown" },
		};
		const arm = writeIndex(directory, manifests.slice(3));
		const nested = writeIndex(directory, [attestation, ...manifests.slice(0, 3), arm]);
		writeIndexFile(directory, [named(nested, "all")]);
	});

	it.each([
		["linux/amd64", "linux/amd64"],
		["linux/amd64/v2", "linux/amd64"],
		["linux/amd64/v4", "linux/amd64/v3"],
		["linux/arm64", "linux/arm64/v8"],
		["linux/aarch64", "linux/arm64/v8"],
		["linux/arm/v7", "linux/arm/v7"],
		["linux/arm/v6", "linux/arm/v5"],
	])("takes for %s the image for %s", async (wanted, expected) => {
		const image = await openImage(`oci:${directory}:all`, { platform: wanted });
		expect(image.manifestDigest).toBe(digests.get(expected));
	});

	it("lists what is there when none serves", async () => {
		const { message, kind } = await failure(`oci:${directory}`, { platform: "linux/s390x" });
		expect(kind).toBe("usage");
		expect(message).toMatch(
			/^PLATFORM_NOT_FOUND: no image for linux\/s390x .*linux\/arm64\/v8, linux\/amd64, linux\/amd64\/v3, linux\/arm\/v7, linux\/arm\/v5$/,
		);
	});

	it("takes unnamed entries of index.json that state platforms as one image", async () => {
		const flat = fresh();
		const all = ["linux/arm64", "linux/amd64"].map(
			(platform) => writeImage(flat, { layers: layers("none"), platform }).manifest,
		);
		writeIndexFile(flat, all);
		expect((await openImage(`oci:${flat}`, amd64)).manifestDigest).toBe(all[1]?.digest);
	});

	it("reads configurations where the index states no platform", async () => {
		const bare = fresh();
		const all = ["linux/arm64", "linux/amd64"].map((platform) => {
			const { mediaType, digest, size } = writeImage(bare, { layers: layers("none"), platform }).manifest;
			return { mediaType, digest, size };
		});
		const artifact = writeJson(bare, OCI_MEDIA_TYPES.manifest, {
			schemaVersion: 2,
			config: writeJson(bare, "application/vnd.oci.empty.v1+json", {}),
			layers: [],
		});
		writeIndexFile(bare, [writeIndex(bare, [artifact, ...all])]);
		expect((await openImage(`oci:${bare}`, amd64)).manifestDigest).toBe(all[1]?.digest);
		expect((await failure(`oci:${bare}`, { platform: "linux/s390x" })).message).toMatch(/linux\/arm64, linux\/amd64$/);
	});

	it.each([
		["x86_64", "amd64"],
		["x86-64", "amd64"],
		["X86_64", "amd64"],
		["aarch64", "arm64"],
		["armhf", "arm/v7"],
		["armv7l", "arm/v7"],
		["i686", "386"],
		["ppc64el", "ppc64le"],
	])("knows %s for %s in configurations and indexes", async (name, architecture) => {
		const platform = `linux/${architecture}`;
		const single = writeOciLayout(fresh(), { layers: layers("none"), platform: `linux/${name}` });
		for (const wanted of [platform, `linux/${name.toLowerCase()}`]) {
			const image = await openImage(single.reference, { platform: wanted });
			expect(`linux/${image.platform.architecture}`).toBe(platform.split("/").slice(0, 2).join("/"));
			expect(image.notes.join()).toContain(`"linux/${name}"; took it for ${platform.split("/", 2).join("/")}`);
		}
		const directory = fresh();
		const all = [name, "s390x"].map(
			(each) => writeImage(directory, { layers: layers("none"), platform: `linux/${each}` }).manifest,
		);
		for (const stated of [all, all.map(({ platform: _, ...rest }) => rest)]) {
			writeIndexFile(directory, [writeIndex(directory, stated)]);
			expect((await openImage(`oci:${directory}`, { platform })).manifestDigest).toBe(all[0]?.digest);
			// what it advises can be followed
			const { message } = await failure(`oci:${directory}`, { platform: "linux/riscv64" });
			const [, advised = ""] = /--platform one of ([^,]+)/.exec(message) ?? [];
			expect((await openImage(`oci:${directory}`, { platform: advised })).manifestDigest).toBe(all[0]?.digest);
		}
	});

	it("does not advise what cannot be asked for", async () => {
		const { reference } = writeOciLayout(fresh(), { layers: layers("none"), config: { architecture: "my own" } });
		expect((await failure(reference)).message).toMatch(
			/^PLATFORM_NOT_FOUND: .*calls itself linux\/my own, which is no/,
		);
	});

	it.each([
		["nothing", {}],
		["an architecture alone", { architecture: "amd64" }],
		["a wrong architecture alone", { architecture: "s390x" }],
		["empty texts", { os: "", architecture: "" }],
		["null", { os: null, architecture: null, variant: null }],
	])("asks the configuration where an entry's platform says %s", async (_, platform) => {
		const directory = fresh();
		const all = ["linux/arm64", "linux/amd64"].map((each) => ({
			...writeImage(directory, { layers: layers("none"), platform: each }).manifest,
			platform: platform as { os: string; architecture: string },
		}));
		writeIndexFile(directory, [writeIndex(directory, all)]);
		expect((await openImage(`oci:${directory}`, amd64)).manifestDigest).toBe(all[1]?.digest);
		writeIndexFile(directory, all.slice(1));
		expect((await openImage(`oci:${directory}`, amd64)).manifestDigest).toBe(all[1]?.digest);
	});

	it("takes a single image as it is unless the platform was asked for", async () => {
		const { reference } = writeOciLayout(fresh(), { layers: layers("none"), platform: "linux/s390x" });
		const image = await openImage(reference);
		expect(image.platform).toMatchObject({ architecture: "s390x" });
		expect(image.notes).toEqual([expect.stringMatching(/the image is for linux\/s390x, this machine is linux/)]);
		expect(await codeOf(reference, amd64)).toBe("usage PLATFORM_NOT_FOUND");
		const windows = writeOciLayout(fresh(), { layers: layers("none"), platform: "windows/amd64" });
		expect(await codeOf(windows.reference, {})).toBe("usage PLATFORM_NOT_FOUND");
		const silent = writeOciLayout(fresh(), { layers: layers("none"), config: { architecture: "", os: undefined } });
		expect((await openImage(silent.reference, { platform: "linux/arm64/v8" })).platform).toEqual({
			os: "linux",
			architecture: "arm64",
			variant: "v8",
		});
	});

	it("does not follow indexes for ever", async () => {
		const deep = fresh();
		let index = writeIndex(deep, [writeImage(deep, { layers: [] }).manifest]);
		for (let depth = 0; depth < 9; depth++) index = writeIndex(deep, [index]);
		writeIndexFile(deep, [index]);
		expect(await codeOf(`oci:${deep}`)).toBe("corrupt INDEX_TOO_DEEP");

		const wide = fresh();
		let layer = writeIndex(wide, []);
		for (let depth = 0; depth < 5; depth++)
			layer = writeIndex(
				wide,
				Array.from({ length: 10 }, () => layer),
			);
		writeIndexFile(wide, [layer]);
		expect(await codeOf(`oci:${wide}`)).toBe("corrupt INDEX_TOO_DEEP");
	});
});

describe("what is not served is refused with the reason", () => {
	it("a store, a daemon, a platform that is none", async () => {
		expect(await codeOf("containers-storage:x")).toBe("usage TRANSPORT_UNSUPPORTED");
		expect(await codeOf("oci:x", { platform: "amd64" })).toBe("usage PLATFORM_INVALID");
	});

	it("an archive that is compressed", async () => {
		const directory = fresh();
		writeOciLayout(directory, { layers: layers("none") });
		const file = `${fresh()}.tar.gz`;
		writeFileSync(file, gzipSync(readFileSync(await asArchive(directory))));
		for (const transport of ["oci-archive", "docker-archive"])
			expect((await failure(`${transport}:${file}`)).message).toMatch(/^ARCHIVE_COMPRESSED: .*gzip.*gunzip/);
	});

	it("an artifact, an encrypted layer, an image of schema 1", async () => {
		const artifact = writeOciLayout(fresh(), {
			layers: [],
			manifest: {
				artifactType: "x/y",
				config: { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf(Buffer.from("{}")), size: 2 },
			},
		});
		expect(await codeOf(artifact.reference)).toBe("usage IMAGE_IS_ARTIFACT");
		const encrypted = writeOciLayout(fresh(), {
			layers: layers("gzip").map((layer) => ({ ...layer, mediaType: `${OCI_MEDIA_TYPES.layer.gzip}+encrypted` })),
		});
		expect(await codeOf(encrypted.reference)).toBe("usage LAYER_ENCRYPTED");
		const old = fresh();
		const type = "application/vnd.docker.distribution.manifest.v1+json";
		writeIndexFile(old, [writeJson(old, type, { schemaVersion: 1, fsLayers: [] })]);
		expect(await codeOf(`oci:${old}`)).toBe("usage MANIFEST_SCHEMA_1");
	});

	it("a foreign layer, unless its blob is there", async () => {
		const directory = fresh();
		const mediaType = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
		const written = writeOciLayout(directory, {
			layers: layers("none", "gzip").map((layer) => (layer.compression === "gzip" ? { ...layer, mediaType } : layer)),
		});
		expect(await contentsOf(await openImage(written.reference, amd64))).toEqual(contents.slice(0, 2));
		rmSync(blobPath(directory, written.layers[1]?.digest ?? written.manifestDigest));
		expect((await failure(written.reference)).message).toMatch(/^LAYER_FOREIGN: .*\(layer 1, sha256:/);
	});

	it("a layout of another version, a directory of another version", async () => {
		const directory = fresh();
		const written = writeOciLayout(directory, { layers: layers("none") });
		const copy = asDirectory(directory, written);
		writeFileSync(join(directory, "oci-layout"), '{"imageLayoutVersion":"2.0.0"}');
		expect(await codeOf(written.reference)).toBe("corrupt LAYOUT_INVALID");
		writeFileSync(join(copy, "version"), "Directory Transport Version: 2.0\n");
		expect(await codeOf(`dir:${copy}`)).toBe("corrupt DIRECTORY_INVALID");
	});
});

describe("damage", () => {
	const damages: [string, (path: string) => void, RegExp][] = [
		["missing", (path) => rmSync(path), /^corrupt BLOB_MISSING$/],
		["cut short", (path) => writeFileSync(path, readFileSync(path).subarray(0, -1)), /^corrupt BLOB_SIZE_MISMATCH$/],
		[
			"too long",
			(path) => writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.of(10)])),
			/^corrupt BLOB_SIZE_MISMATCH$/,
		],
		[
			"altered",
			(path) =>
				writeFileSync(
					path,
					readFileSync(path).map((byte, at) => (at === 40 ? byte ^ 1 : byte)),
				),
			/^corrupt BLOB_DIGEST_MISMATCH$/,
		],
		[
			"a directory",
			(path) => {
				rmSync(path);
				mkdirSync(path);
			},
			/^corrupt BLOB_MISSING$/,
		],
	];
	for (const [name, damage, expected] of damages) {
		it.each(["manifest", "config", "layer 0", "layer 1"])(`that leaves the %s ${name} is found`, async (part) => {
			const directory = fresh();
			const written = writeOciLayout(directory, { layers: layers("none", "gzip") });
			const parts = {
				manifest: written.manifest,
				config: written.config,
				"layer 0": written.layers[0],
				"layer 1": written.layers[1],
			};
			const digest = parts[part as keyof typeof parts]?.digest ?? written.manifestDigest;
			const copy = part === "manifest" ? undefined : asDirectory(directory, written);
			damage(blobPath(directory, digest));
			expect(await codeOf(written.reference)).toMatch(expected);
			if (copy === undefined) return;
			damage(join(copy, digestHex(digest)));
			expect(await codeOf(`dir:${copy}`)).toMatch(expected);
		});
	}

	it("to an archive is found wherever a bit changes", async () => {
		const directory = fresh();
		const written = writeOciLayout(directory, { layers: layers("gzip", "none").slice(0, 1) });
		const file = await asArchive(directory);
		const original = readFileSync(file);
		const change = fc.record({ at: fc.nat(original.byteLength - 1), bit: fc.nat(7), cut: fc.boolean() });
		await fc.assert(
			fc.asyncProperty(change, async ({ at, bit, cut }) => {
				const bytes = Buffer.from(cut ? original.subarray(0, at) : original);
				if (!cut) bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
				writeFileSync(file, bytes);
				try {
					const image = await openImage(`oci-archive:${file}`, amd64);
					expect(image.manifestDigest).toBe(written.manifestDigest);
					expect(await contentsOf(image)).toEqual(contents.slice(0, 1));
				} catch (error) {
					if (!(error instanceof Oci2isoError)) throw error;
					expect(["corrupt", "usage"]).toContain(error.kind);
				}
			}),
			{ seed: 8, numRuns: 200 },
		);
	});

	it("to index.json gives nothing but an error of ours", async () => {
		const directory = fresh();
		writeOciLayout(directory, { layers: [] });
		const original = readFileSync(join(directory, "index.json"), "utf8");
		const value = fc.oneof(fc.jsonValue(), fc.constantFrom("sha256:..", "../../..", -1, 1e300, "linux"));
		await fc.assert(
			fc.asyncProperty(fc.nat(12), value, fc.nat(original.length), async (key, replacement, place) => {
				let seen = 0;
				const changed = JSON.stringify(JSON.parse(original), (_, old) => (seen++ === key ? replacement : old));
				const cut = original.slice(0, place) + original.slice(place + 1);
				for (const text of [changed ?? "", cut]) {
					writeFileSync(join(directory, "index.json"), text);
					await openImage(`oci:${directory}`, amd64).catch((error: unknown) => {
						if (!(error instanceof Oci2isoError)) throw error;
					});
				}
			}),
			{ seed: 9, numRuns: 150 },
		);
	});
});

describe("a docker archive", () => {
	interface Saved {
		readonly entries: Parameters<typeof tarOf>[0][number][];
		readonly config: string;
		readonly configBytes: Buffer;
	}
	const save = (author: string): Saved => {
		const document = {
			architecture: "amd64",
			os: "linux",
			author,
			rootfs: { type: "layers", diff_ids: tars.map((bytes) => digestOf(bytes)) },
			history: [{}, { empty_layer: true }, {}, {}],
		};
		const configBytes = Buffer.from(JSON.stringify(document));
		const config = `${digestHex(digestOf(configBytes))}.json`;
		return { entries: [{ name: config, bytes: configBytes }], config, configBytes };
	};
	const write = async (entries: Saved["entries"], manifest: unknown): Promise<string> => {
		const file = `${fresh()}.tar`;
		writeFileSync(
			file,
			await tarOf([...entries, { name: "manifest.json", bytes: Buffer.from(JSON.stringify(manifest)) }]),
		);
		return file;
	};
	const names = ["a/layer.tar", "b/layer.tar", "c/layer.tar"];
	const layerEntries = () => names.map((name, index) => ({ name, bytes: tars[index] ?? Buffer.alloc(0) }));

	it("is read, with the manifest made as skopeo makes it", async () => {
		const { entries, config, configBytes } = save("x");
		const file = await write(
			[...entries, ...layerEntries()],
			[{ Config: config, RepoTags: ["localhost/x:1"], Layers: names }],
		);
		const image = await openImage(`docker-archive:${file}`, amd64);
		expect(await contentsOf(image)).toEqual(contents);
		expect(image.notes).toEqual([expect.stringContaining("keeps no image manifest")]);
		const layerJson = tars.map(
			(bytes) =>
				`{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":${bytes.byteLength},"digest":"${digestOf(bytes)}"}`,
		);
		const manifest = `{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":${configBytes.byteLength},"digest":"${digestOf(configBytes)}"},"layers":[${layerJson.join(",")}]}`;
		expect(image.manifestDigest).toBe(digestOf(Buffer.from(manifest)));
	});

	it("may have compressed layers and links between layers; the digest stays", async () => {
		const { entries, config } = save("x");
		const manifest = [{ Config: config, RepoTags: null, Layers: names }];
		const plain = await openImage(`docker-archive:${await write([...entries, ...layerEntries()], manifest)}`, amd64);
		const [, middle] = tars;
		const file = await write(
			[
				...entries,
				{ name: "z/real.tar", bytes: gzipSync(tars[0] ?? Buffer.alloc(0)) },
				{ name: "a/layer.tar", type: "symlink", linkname: "../z/real.tar" },
				{ name: "b/layer.tar", bytes: middle ?? Buffer.alloc(0) },
				{ name: "c/layer.tar", bytes: gzipSync(tars[2] ?? Buffer.alloc(0)) },
			],
			manifest,
		);
		const image = await openImage(`docker-archive:${file}`, amd64);
		expect(await contentsOf(image)).toEqual(contents);
		expect(image.manifestDigest).toBe(plain.manifestDigest);
	});

	it("with several images is chosen from by name or position", async () => {
		const [x, y] = [save("x"), save("y")];
		const file = await write(
			[...x.entries, ...y.entries, ...layerEntries()],
			[
				{ Config: x.config, RepoTags: ["docker.io/library/x:latest", "localhost/x:2"], Layers: names },
				{ Config: y.config, RepoTags: ["y:1"], Layers: names },
			],
		);
		const digestFor = async (selection: string) =>
			(await openImage(`docker-archive:${file}${selection}`, amd64)).manifestDigest;
		const [first, second] = [await digestFor(":@0"), await digestFor(":@1")];
		expect(first).not.toBe(second);
		for (const selection of [":x", ":x:latest", ":docker.io/x", ":localhost/x:2"])
			expect(await digestFor(selection)).toBe(first);
		expect(await digestFor(":docker.io/library/y:1")).toBe(second);
		expect((await failure(`docker-archive:${file}`)).message).toMatch(
			/^IMAGE_AMBIGUOUS: .*:docker\.io\/library\/x:latest, y:1/,
		);
		for (const selection of [":y", ":z:1", ":@2"])
			expect(await codeOf(`docker-archive:${file}${selection}`)).toBe("usage IMAGE_NOT_FOUND");
	});

	it("that is an image layout too keeps that layout's digest", async () => {
		const layout = fresh();
		const written = writeOciLayout(layout, { layers: layers("gzip", "none", "zstd") });
		const blob = ({ digest }: { digest: string }) => `blobs/sha256/${digest.slice(7)}`;
		const image = { Config: blob(written.config), RepoTags: ["x:1"], Layers: written.layers.map(blob) };
		const file = await write(filesBelow(layout), [image]);
		const opened = await openImage(`docker-archive:${file}:x:1`, amd64);
		expect(opened.manifestDigest).toBe(written.manifestDigest);
		expect(await contentsOf(opened)).toEqual(contents);
		expect((await openImage(`oci-archive:${file}`, amd64)).manifestDigest).toBe(written.manifestDigest);

		// an index that does not know the image is no help: the manifest is made, from the same files
		writeIndexFile(layout, []);
		const made = await openImage(`docker-archive:${await write(filesBelow(layout), [image])}`, amd64);
		expect(made.manifestDigest).not.toBe(written.manifestDigest);
		expect(await contentsOf(made)).toEqual(contents);
	});

	it.each<[string, (manifest: { layers: { size: number }[] }) => unknown]>([
		["lists no layers", (manifest) => ({ ...manifest, layers: [] })],
		["lists no layers by null", (manifest) => ({ ...manifest, layers: null })],
		["lists fewer layers", (manifest) => ({ ...manifest, layers: manifest.layers.slice(1) })],
		["lists a layer twice", (manifest) => ({ ...manifest, layers: [manifest.layers[0], ...manifest.layers] })],
		["has another order", (manifest) => ({ ...manifest, layers: manifest.layers.toReversed() })],
		[
			"has other sizes",
			(manifest) => ({ ...manifest, layers: manifest.layers.map((layer) => ({ ...layer, size: layer.size + 512 })) }),
		],
		["is of no version", (manifest) => ({ ...manifest, schemaVersion: 3 })],
		["is no object", () => []],
	])("goes by manifest.json where the OCI manifest beside it %s", async (_, change) => {
		const layout = fresh();
		const written = writeOciLayout(layout, { layers: layers("none", "none", "gzip") });
		const blob = ({ digest }: { digest: string }) => `blobs/sha256/${digest.slice(7)}`;
		const image = { Config: blob(written.config), RepoTags: ["x:1"], Layers: written.layers.map(blob) };
		const right = JSON.parse(readFileSync(blobPath(layout, written.manifestDigest), "utf8"));
		writeIndexFile(layout, [writeJson(layout, OCI_MEDIA_TYPES.manifest, change(right))]);
		const opened = await openImage(`docker-archive:${await write(filesBelow(layout), [image])}`, amd64);
		expect(await contentsOf(opened)).toEqual(contents);
		expect(opened.notes.join()).toMatch(/its OCI manifest is not used/);
	});

	it.each([
		["null", '{"schemaVersion":2,"manifests":null}'],
		["no JSON", "{"],
		["of other things", '{"manifests":[{"mediaType":7}]}'],
	])("goes by manifest.json where index.json is %s", async (_, text) => {
		const layout = fresh();
		const written = writeOciLayout(layout, { layers: layers("none", "none", "gzip") });
		const blob = ({ digest }: { digest: string }) => `blobs/sha256/${digest.slice(7)}`;
		writeFileSync(join(layout, "index.json"), text);
		const image = { Config: blob(written.config), RepoTags: ["x:1"], Layers: written.layers.map(blob) };
		const opened = await openImage(`docker-archive:${await write(filesBelow(layout), [image])}`, amd64);
		expect(await contentsOf(opened)).toEqual(contents);
	});

	it("is refused when something is missing, altered or of another kind", async () => {
		const { entries, config } = save("x");
		const image = { Config: config, RepoTags: [], Layers: names };
		const [a, b, c] = layerEntries();
		if (a === undefined || b === undefined || c === undefined) throw new Error("three layers");
		const altered = { ...b, bytes: Buffer.from(b.bytes).fill(0x41, 600, 601) };
		const cases: [Saved["entries"], unknown, string][] = [
			[[...entries, a, b], [image], "corrupt BLOB_MISSING"],
			[[a, b, c], [image], "corrupt BLOB_MISSING"],
			[[...entries, a, altered, c], [image], "corrupt BLOB_DIGEST_MISMATCH"],
			[[{ name: config, bytes: Buffer.from("{}") }, a, b, c], [image], "corrupt BLOB_DIGEST_MISMATCH"],
			[[...entries, a, b, c], [{ ...image, Layers: names.slice(1) }], "corrupt CONFIG_INVALID"],
			[[...entries, a, b, c], [], "usage IMAGE_NOT_FOUND"],
			[[...entries, a, b, c], { image }, "corrupt ARCHIVE_MANIFEST_INVALID"],
		];
		for (const [members, manifest, code] of cases)
			expect(await codeOf(`docker-archive:${await write(members, manifest)}`)).toBe(code);
		const layout = fresh();
		writeOciLayout(layout, { layers: [] });
		expect((await failure(`docker-archive:${await asArchive(layout)}`)).message).toMatch(/oci-archive:/);
	});
});

describe("files", () => {
	const openBelow = (directory: string): string[] =>
		readdirSync("/proc/self/fd").flatMap((fd) => {
			try {
				const target = readlinkSync(`/proc/self/fd/${fd}`);
				return target.startsWith(directory) ? [target] : [];
			} catch {
				return [];
			}
		});

	it.skipIf(process.platform !== "linux")("are closed after reading, leaving early, failing and aborting", async () => {
		const directory = fresh();
		const large = Buffer.alloc(5_000_000, "tar");
		const written = writeOciLayout(directory, {
			layers: [
				{ tar: large, compression: "none" },
				{ tar: large, compression: "gzip" },
			],
		});
		const archive = await asArchive(directory);
		for (const reference of [written.reference, `oci-archive:${archive}`]) {
			const image = await openImage(reference, amd64);
			for (const layer of image.layers) {
				for await (const _ of layer.tar()) expect(openBelow(scratch).length).toBeLessThanOrEqual(1);
				for await (const _ of layer.tar()) break;
				const controller = new AbortController();
				const aborted = (async () => {
					for await (const _ of layer.tar(controller.signal)) controller.abort();
				})();
				await expect(aborted).rejects.toMatchObject({ code: "INTERRUPTED" });
				const thrown = (async () => {
					for await (const _ of layer.tar()) throw new Error("consumer");
				})();
				await expect(thrown).rejects.toThrow("consumer");
			}
			await image.close();
			expect(openBelow(scratch)).toEqual([]);
		}
		await expect(openImage(written.reference, { signal: AbortSignal.abort() })).rejects.toMatchObject({
			code: "INTERRUPTED",
			exitStatus: 130,
		});
		await expect(openImage(`oci-archive:${archive}`, { signal: AbortSignal.abort() })).rejects.toMatchObject({
			code: "INTERRUPTED",
		});
		expect(openBelow(scratch)).toEqual([]);
	});

	it("may be symbolic links, as in a store that shares blobs", async () => {
		const directory = fresh();
		const written = writeOciLayout(directory, { layers: layers("none") });
		const elsewhere = fresh();
		const path = blobPath(directory, written.layers[0]?.digest ?? written.manifestDigest);
		writeFileSync(elsewhere, readFileSync(path));
		rmSync(path);
		symlinkSync(elsewhere, path);
		expect(await contentsOf(await openImage(written.reference, amd64))).toEqual(contents.slice(0, 1));
	});

	it.each([
		["text", "S3CRETWORD of the host\n"],
		["a text in JSON", '"S3CRETWORD"'],
		["an object", '{"S3CRETWORD":"S3CRETWORD","imageLayoutVersion":7,"manifests":7,"schemaVersion":"S3CRETWORD"}'],
		["a list", '[{"S3CRETWORD":1}]'],
		[
			"keys and values of maps",
			'{"manifests":[{"annotations":{"S3CRETWORD":7},"mediaType":7,"platform":"S3CRETWORD"}]}',
		],
		["JSON that breaks off", '{"S3CRETWORD": S3CRETWORD'],
		["what is no UTF-8", Buffer.concat([Buffer.from("S3CRETWORD"), Buffer.from([0xff])])],
	])("of the host that links lead to are not shown: %s", async (_, content) => {
		const host = fresh();
		writeFileSync(host, content);
		const link = (path: string): void => {
			rmSync(path, { force: true });
			symlinkSync(host, path);
		};
		for (const name of ["index.json", "oci-layout", "manifest", "config", "layer"]) {
			const directory = fresh();
			const written = writeOciLayout(directory, { layers: layers("gzip") });
			const digests = {
				manifest: written.manifestDigest,
				config: written.config.digest,
				layer: written.layers[0]?.digest ?? written.manifestDigest,
			};
			link(name in digests ? blobPath(directory, digests[name as "layer"]) : join(directory, name));
			expect((await failure(written.reference)).message, name).not.toContain("S3CRET");
		}
		const layout = fresh();
		const copy = asDirectory(layout, writeOciLayout(layout, { layers: layers("none") }));
		for (const name of ["manifest.json", "version"]) {
			link(join(copy, name));
			expect((await failure(`dir:${copy}`)).message, name).not.toContain("S3CRET");
		}
	});

	it("of documents beyond 4 MiB are refused", async () => {
		const directory = fresh();
		const large = writeBlob(directory, Buffer.alloc(4 * 1024 * 1024 + 1, " "), OCI_MEDIA_TYPES.manifest);
		writeIndexFile(directory, [large]);
		expect(await codeOf(`oci:${directory}`)).toBe("corrupt BLOB_TOO_LARGE");
		writeFileSync(join(directory, "index.json"), Buffer.alloc(4 * 1024 * 1024 + 1, " "));
		expect(await codeOf(`oci:${directory}`)).toBe("corrupt DOCUMENT_TOO_LARGE");
	});
});

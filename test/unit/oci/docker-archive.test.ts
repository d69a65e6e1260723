import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { digestHex, digestOf } from "../../../src/oci/digest.ts";
import { openImage } from "../../../src/oci/open-image.ts";
import { filesBelow, tarOf } from "../../support/oci-archive.ts";
import { blobPath, OCI_MEDIA_TYPES, writeIndexFile, writeJson, writeOciLayout } from "../../support/oci-layout.ts";
import { amd64, codeOf, contentsOf, failure, imagePlaces } from "./image-places.ts";

const { fresh, tars, contents, layers, asArchive } = imagePlaces();

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
	/** An image layout, and the list of images that makes an archive of it one of docker's too. */
	const both = (...compressions: Parameters<typeof layers>) => {
		const layout = fresh();
		const written = writeOciLayout(layout, { layers: layers(...compressions) });
		const blob = ({ digest }: { digest: string }) => `blobs/sha256/${digest.slice(7)}`;
		const image = { Config: blob(written.config), RepoTags: ["x:1"], Layers: written.layers.map(blob) };
		return { layout, written, archive: () => write(filesBelow(layout), [image]) };
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
			/^IMAGE_AMBIGUOUS: .*:docker\.io\/library\/x:latest, :y:1/,
		);
		for (const selection of [":y", ":z:1", ":@2"])
			expect(await codeOf(`docker-archive:${file}${selection}`)).toBe("usage IMAGE_NOT_FOUND");
	});

	it("that is an image layout too keeps that layout's digest", async () => {
		const { layout, written, archive } = both("gzip", "none", "zstd");
		const file = await archive();
		const opened = await openImage(`docker-archive:${file}:x:1`, amd64);
		expect(opened.manifestDigest).toBe(written.manifestDigest);
		expect(await contentsOf(opened)).toEqual(contents);
		expect((await openImage(`oci-archive:${file}`, amd64)).manifestDigest).toBe(written.manifestDigest);

		// an index that does not know the image is no help: the manifest is made, from the same files
		writeIndexFile(layout, []);
		const made = await openImage(`docker-archive:${await archive()}`, amd64);
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
		const { layout, written, archive } = both("none", "none", "gzip");
		const right = JSON.parse(readFileSync(blobPath(layout, written.manifestDigest), "utf8"));
		writeIndexFile(layout, [writeJson(layout, OCI_MEDIA_TYPES.manifest, change(right))]);
		const opened = await openImage(`docker-archive:${await archive()}`, amd64);
		expect(await contentsOf(opened)).toEqual(contents);
		expect(opened.notes.join()).toMatch(/its OCI manifest is not used/);
	});

	it.each([
		["null", '{"schemaVersion":2,"manifests":null}'],
		["no JSON", "{"],
		["of other things", '{"manifests":[{"mediaType":7}]}'],
	])("goes by manifest.json where index.json is %s", async (_, text) => {
		const { layout, archive } = both("none", "none", "gzip");
		writeFileSync(join(layout, "index.json"), text);
		const opened = await openImage(`docker-archive:${await archive()}`, amd64);
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

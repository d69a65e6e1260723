import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { openImage } from "../../../src/oci/open-image.ts";
import { blobPath, named, writeImage, writeIndexFile, writeOciLayout } from "../../support/oci-layout.ts";
import { amd64, codeOf, contentsOf, failure, imagePlaces } from "./image-places.ts";

const { fresh, contents, layers, asArchive, asDirectory } = imagePlaces();

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

	it("lists images by digest where they share a tag", async () => {
		const shared = fresh();
		const digests = images.map(({ manifest }) => manifest.digest);
		writeIndexFile(
			shared,
			images.map(({ manifest: { mediaType, digest, size } }) => ({
				mediaType,
				digest,
				size,
				annotations: { "org.opencontainers.image.ref.name": "same" },
			})),
		);
		for (const selection of ["", ":same"])
			expect((await failure(`oci:${shared}${selection}`)).message).toContain(`add one of @${digests.join(", @")} to`);
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

describe("what is not served is refused with the reason", () => {
	it("a platform that is none", async () => {
		expect(await codeOf("oci:x", { platform: "amd64" })).toBe("usage PLATFORM_INVALID");
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

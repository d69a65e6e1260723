import { beforeAll, describe, expect, it } from "vitest";
import { openImage } from "../../../src/oci/open-image.ts";
import {
	type BlobDescriptor,
	named,
	OCI_MEDIA_TYPES,
	writeImage,
	writeIndex,
	writeIndexFile,
	writeJson,
	writeOciLayout,
} from "../../support/oci-layout.ts";
import { amd64, codeOf, failure, imagePlaces } from "./image-places.ts";

const { fresh, layers } = imagePlaces();

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

	it.each([
		["stated in index.json", (all: readonly BlobDescriptor[]) => all.map((each) => named(each, "x")), ":x"],
		[
			"stated, twice the same",
			([one]: readonly BlobDescriptor[]) => [one, one].flatMap((each) => each ?? []),
			undefined,
		],
		["stated in an index", undefined, "sha256:"],
		[
			"in their configurations",
			(all: readonly BlobDescriptor[]) => all.map(({ platform: _, ...rest }) => rest),
			"sha256:",
		],
	])("takes the first of several for one platform, and says so: %s", async (_, change, noted) => {
		const directory = fresh();
		const all = ["none", "gzip"].map(
			(each) => writeImage(directory, { layers: layers(each as "none" | "gzip"), platform: "linux/amd64" }).manifest,
		);
		const entries = change?.(all) ?? all;
		writeIndexFile(directory, noted === "sha256:" ? [writeIndex(directory, entries)] : entries);
		const { manifestDigest, notes } = await openImage(`oci:${directory}`, amd64);
		expect(manifestDigest).toBe(all[0]?.digest);
		const note = `has 2 images for linux/amd64: took the first, ${manifestDigest}`;
		expect(notes).toEqual(noted === undefined ? [] : [expect.stringContaining(note)]);
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
		["aarch64", "arm64"],
		["armv7l", "arm/v7"],
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

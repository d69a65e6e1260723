import { describe, expect, it } from "vitest";
import { digestOf } from "../../../src/oci/digest.ts";
import { parseImageConfig } from "../../../src/oci/image-config.ts";
import { parseManifest, requireImage } from "../../../src/oci/manifest.ts";
import { codeOf } from "../../support/error-code.ts";

const digest = digestOf(Buffer.from("x"));
const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest, size: 1 };
const layer = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest, size: 10 };
const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
const DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer] };
const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [{ mediaType: OCI_MANIFEST, digest, size: 3 }] };

const encode = (document: unknown): Buffer => Buffer.from(JSON.stringify(document));
const parse = (document: unknown, declared?: string) => parseManifest(encode(document), digest, declared);

describe("parseManifest", () => {
	it("reads a manifest and an index, with and without their own media type", () => {
		expect(parse(manifest)).toMatchObject({ kind: "manifest", digest, config, layers: [layer] });
		expect(parse({ ...manifest, mediaType: undefined }, OCI_MANIFEST)).toMatchObject({ kind: "manifest" });
		expect(parse(index)).toMatchObject({ kind: "index", manifests: index.manifests });
		expect(parse({ ...index, mediaType: undefined }, DOCKER_LIST)).toMatchObject({ kind: "index" });
	});

	it("takes null for an empty list, as Go writes it", () => {
		expect(parse({ ...manifest, layers: null })).toMatchObject({ layers: [] });
		expect(parse({ ...index, manifests: null })).toMatchObject({ manifests: [] });
	});

	it.each([
		["not an object", [], "corrupt MANIFEST_INVALID"],
		["null", null, "corrupt MANIFEST_INVALID"],
		["schema 1", { schemaVersion: 1, fsLayers: [], history: [] }, "usage MANIFEST_SCHEMA_1"],
		["signed schema 1", { schemaVersion: 1, signatures: [] }, "usage MANIFEST_SCHEMA_1"],
		["schema 3", { ...manifest, schemaVersion: 3 }, "corrupt MANIFEST_INVALID"],
		["both kinds at once", { ...manifest, ...index, mediaType: undefined }, "corrupt MANIFEST_INVALID"],
		["an index that calls itself a manifest", { ...index, mediaType: OCI_MANIFEST }, "corrupt MANIFEST_INVALID"],
		["a manifest that calls itself an index", { ...manifest, mediaType: OCI_INDEX }, "corrupt MANIFEST_INVALID"],
		["a type of document that is neither", { ...manifest, mediaType: "text/plain" }, "usage IMAGE_IS_ARTIFACT"],
		["a negative size", { ...manifest, layers: [{ ...layer, size: -1 }] }, "corrupt MANIFEST_INVALID"],
		["a size beyond 2^53", { ...manifest, layers: [{ ...layer, size: 2 ** 60 }] }, "corrupt MANIFEST_INVALID"],
		["a fractional size", { ...manifest, layers: [{ ...layer, size: 1.5 }] }, "corrupt MANIFEST_INVALID"],
		[
			"a digest that climbs",
			{ ...manifest, layers: [{ ...layer, digest: "sha256:../../etc" }] },
			"corrupt MANIFEST_INVALID",
		],
		["a digest of md5", { ...manifest, layers: [{ ...layer, digest: "md5:00" }] }, "corrupt MANIFEST_INVALID"],
	])("refuses %s", (_, document, code) => {
		expect(codeOf(() => parse(document))).toBe(code);
	});

	it("holds the document against what its descriptor says", () => {
		expect(codeOf(() => parse({ ...index, mediaType: undefined }, OCI_MANIFEST))).toBe("corrupt MANIFEST_INVALID");
		expect(codeOf(() => parse({ ...manifest, mediaType: undefined }, OCI_INDEX))).toBe("corrupt MANIFEST_INVALID");
		const schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
		expect(codeOf(() => parse({ ...manifest, mediaType: undefined }, schema1))).toBe("usage MANIFEST_SCHEMA_1");
	});

	it("refuses what is not UTF-8 JSON, and documents over 4 MiB", () => {
		for (const bytes of [Buffer.from("{"), Buffer.from([0xff, 0xfe]), Buffer.from("\ufeff{}"), Buffer.alloc(0)])
			expect(codeOf(() => parseManifest(bytes, digest, undefined))).toBe("corrupt MANIFEST_INVALID");
		const large = Buffer.concat([encode(manifest), Buffer.alloc(4 * 1024 * 1024, " ")]);
		expect(codeOf(() => parseManifest(large, digest, undefined))).toBe("corrupt MANIFEST_INVALID");
		const deep = Buffer.from("[".repeat(2_000_000));
		expect(codeOf(() => parseManifest(deep, digest, undefined))).toBe("corrupt MANIFEST_INVALID");
	});

	it("names the field that is wrong", () => {
		expect(() => parse({ ...manifest, layers: [layer, { ...layer, size: "1" }] })).toThrow(/\.layers\[1\]\.size/);
	});
});

describe("requireImage", () => {
	const check = (document: unknown) => () => {
		const parsed = parse(document);
		if (parsed.kind === "manifest") requireImage(parsed);
	};
	it.each([
		["an image", manifest, "no error"],
		[
			"an empty config",
			{ ...manifest, config: { ...config, mediaType: "application/vnd.oci.empty.v1+json" } },
			"usage IMAGE_IS_ARTIFACT",
		],
		[
			"a chart",
			{ ...manifest, config: { ...config, mediaType: "application/vnd.cncf.helm.config.v1+json" } },
			"usage IMAGE_IS_ARTIFACT",
		],
		[
			"a signature",
			{ ...manifest, layers: [{ ...layer, mediaType: "application/vnd.dev.cosign.simplesigning.v1+json" }] },
			"usage IMAGE_IS_ARTIFACT",
		],
		[
			"an encrypted layer",
			{ ...manifest, layers: [{ ...layer, mediaType: `${layer.mediaType}+encrypted` }] },
			"usage LAYER_ENCRYPTED",
		],
		[
			"a layer in xz",
			{ ...manifest, layers: [{ ...layer, mediaType: "application/vnd.oci.image.layer.v1.tar+xz" }] },
			"usage LAYER_COMPRESSION_UNSUPPORTED",
		],
		["a layer without a type", { ...manifest, layers: [{ ...layer, mediaType: "" }] }, "usage IMAGE_IS_ARTIFACT"],
	])("judges %s", (_, document, code) => {
		expect(codeOf(check(document))).toBe(code);
	});
});

describe("parseImageConfig", () => {
	const image = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [digest] } };
	const read = (document: unknown, layers = 1) => parseImageConfig(encode(document), digest, layers);

	it("reads what matters to a file system", () => {
		const document = {
			...image,
			created: "2024-02-03T04:05:06.987654321+01:00",
			variant: "v2",
			config: { Labels: { a: "b" }, Env: ["X=1"] },
			history: [{ empty_layer: true }, {}],
		};
		expect(read(document)).toEqual({
			createdSeconds: Date.UTC(2024, 1, 3, 3, 5, 6) / 1000,
			architecture: "amd64",
			os: "linux",
			variant: "v2",
			labels: new Map([["a", "b"]]),
			diffIds: [digest],
		});
	});

	it.each([
		["1970-01-01T00:00:00Z", 0],
		["1969-12-31T23:59:59.5Z", -1],
		["2038-01-19T03:14:08z", 2 ** 31],
		["0001-01-01T00:00:00Z", undefined],
		["", undefined],
		[null, undefined],
		[undefined, undefined],
	])("reads created %j as %j", (created, seconds) => {
		expect(read({ ...image, created }).createdSeconds).toBe(seconds);
	});

	it.each([
		["another number of layers", image, 2],
		["no rootfs", { ...image, rootfs: undefined }, 0],
		["another rootfs type", { ...image, rootfs: { type: "tree", diff_ids: [] } }, 0],
		["a diffID that is no digest", { ...image, rootfs: { type: "layers", diff_ids: ["sha256:x"] } }, 1],
		["created that is no date", { ...image, created: "yesterday" }, 1],
		["created in month 13", { ...image, created: "2024-13-01T00:00:00Z" }, 1],
		["labels that are no text", { ...image, config: { Labels: { a: 1 } } }, 1],
	])("refuses %s", (_, document, layers) => {
		expect(codeOf(() => read(document, layers))).toBe("corrupt CONFIG_INVALID");
	});
});

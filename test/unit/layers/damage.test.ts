import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { memorySource } from "../../../src/binary/byte-source.ts";
import { Oci2isoError } from "../../../src/errors.ts";
import { type BuildOptions, buildIso, inspectImage, verifyAgainstImage } from "../../../src/index.ts";
import { noise } from "../../support/noise.ts";
import {
	blobPath,
	type LayoutLayer,
	named,
	writeIndexFile,
	writeJson,
	writeOciLayout,
} from "../../support/oci-layout.ts";
import { tarArchive, tarHeader } from "../../support/tar-fixtures.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { zstdStored } from "../../support/zstd-stored.ts";

const scratch = temporaryDirectory("damage");
let images = 0;

const CONTENT = noise(70_000, "content");
const TAR = tarArchive([{ path: "a", content: CONTENT }, { path: "b" }, { path: "c" }]);
const COMPRESSIONS = ["none", "gzip", "zstd"] as const;

function compressed(bytes: Uint8Array, compression: LayoutLayer["compression"]): Uint8Array {
	return compression === "none" ? bytes : compression === "gzip" ? gzipSync(bytes) : zstdStored(bytes);
}

/** An image of one layer. */
function imageOf(layer: Partial<LayoutLayer>): {
	readonly reference: string;
	readonly directory: string;
	readonly blob: string;
} {
	const directory = join(scratch, `${images++}`);
	const { reference, layers } = writeOciLayout(directory, { layers: [{ tar: TAR, compression: "gzip", ...layer }] });
	return { reference, directory, blob: blobPath(directory, layers[0]?.digest ?? "sha256:") };
}

/** What a stored blob becomes after its image was made. */
function changed(compression: LayoutLayer["compression"], change: (blob: Buffer) => Uint8Array): string {
	const { reference, blob } = imageOf({ compression });
	writeFileSync(blob, change(readFileSync(blob)));
	return reference;
}

function flipped(at: (length: number) => number): (blob: Buffer) => Buffer {
	return (blob) => {
		const place = at(blob.byteLength);
		blob.writeUInt8(blob.readUInt8(place) ^ 0x10, place);
		return blob;
	};
}

/** The manifest says something else of its layer. */
function described(fields: (size: number) => object): string {
	const directory = join(scratch, `${images++}`);
	const { manifest } = writeOciLayout(directory, { layers: [{ tar: TAR, compression: "gzip" }] });
	const document = JSON.parse(readFileSync(blobPath(directory, manifest.digest), "utf8"));
	Object.assign(document.layers[0], fields(document.layers[0].size));
	writeIndexFile(directory, [named(writeJson(directory, manifest.mediaType, document), "latest")]);
	return `oci:${directory}:latest`;
}

/** The image's author stored these bytes, and every digest is theirs. */
const archive = (tar: Uint8Array, compression: LayoutLayer["compression"] = "gzip"): string =>
	imageOf({ tar, compression }).reference;
const blob = (bytes: Uint8Array, compression: LayoutLayer["compression"]): string =>
	imageOf({ blob: bytes, compression }).reference;

const badChecksum = flipped(() => 150)(Buffer.from(TAR));
const BOUNDS = { maxInodes: 10, maxLayerBytes: 1 << 20 };

const DAMAGES: readonly [name: string, reference: string, code: string][] = [
	...COMPRESSIONS.flatMap((compression): [string, string, string][] => [
		[
			`${compression}: a bit of the first header or signature is flipped`,
			changed(
				compression,
				flipped(() => 5),
			),
			"BLOB_DIGEST_MISMATCH",
		],
		[
			`${compression}: a bit in the middle is flipped`,
			changed(
				compression,
				flipped((length) => length >> 1),
			),
			"BLOB_DIGEST_MISMATCH",
		],
		[
			`${compression}: a bit near the end is flipped`,
			changed(
				compression,
				flipped((length) => length - 6),
			),
			"BLOB_DIGEST_MISMATCH",
		],
		[
			`${compression}: cut short on the disk`,
			changed(compression, (bytes) => bytes.subarray(0, -7)),
			"BLOB_SIZE_MISMATCH",
		],
		[
			`${compression}: longer on the disk`,
			changed(compression, (bytes) => Buffer.concat([bytes, Buffer.alloc(3)])),
			"BLOB_SIZE_MISMATCH",
		],
		[
			`${compression}: another diffID`,
			blob(compressed(tarArchive([{ path: "z" }]), compression), compression),
			"DIFF_ID_MISMATCH",
		],
		[`${compression}: ends inside a member`, archive(TAR.subarray(0, 5000), compression), "TAR_TRUNCATED"],
		[`${compression}: the checksum of a header`, archive(badChecksum, compression), "TAR_BAD_CHECKSUM"],
	]),
	["gzip: stored cut short", blob(gzipSync(TAR).subarray(0, -20), "gzip"), "LAYER_TRUNCATED"],
	["zstd: stored cut short", blob(zstdStored(TAR).subarray(0, -20), "zstd"), "LAYER_TRUNCATED"],
	["gzip: stored broken", blob(flipped((length) => length - 6)(gzipSync(TAR)), "gzip"), "LAYER_COMPRESSION_BROKEN"],
	["compressed with bzip2", blob(Buffer.from("BZh91AY&SY and so on"), "gzip"), "LAYER_COMPRESSION_UNSUPPORTED"],
	["a size one too large in the descriptor", described((size) => ({ size: size + 1 })), "BLOB_SIZE_MISMATCH"],
	["a size one too small in the descriptor", described((size) => ({ size: size - 1 })), "BLOB_SIZE_MISMATCH"],
	["a blob that is not there", described(() => ({ digest: `sha256:${"0".repeat(64)}` })), "BLOB_MISSING"],
	[
		"too many inodes",
		archive(tarArchive(Array.from({ length: 11 }, (_, i) => ({ path: `${i}` })))),
		"TOO_MANY_ENTRIES",
	],
	["too many bytes", archive(tarArchive([{ path: "a", content: Buffer.alloc(2 << 20) }])), "LAYER_TOO_LARGE"],
	["a whiteout of nothing", archive(tarArchive([{ path: ".wh." }])), "WHITEOUT_NAME_INVALID"],
	[
		"a hard link to nothing",
		archive(tarArchive([{ path: "x", type: "hard-link", linkTarget: "y" }])),
		"HARD_LINK_TARGET_MISSING",
	],
	[
		"a member of a negative size",
		archive(tarHeader({ name: "a" }, (header) => header.fill(0xff, 124, 136))),
		"TAR_BAD_NUMBER",
	],
];

async function outcomeOf(run: () => Promise<unknown>): Promise<string> {
	try {
		await run();
		return "no error";
	} catch (error) {
		if (!(error instanceof Oci2isoError)) throw error;
		return `${error.exitStatus} ${error.code}`;
	}
}

/** A volume descriptor, and nothing else. */
const DAMAGED_ISO = Buffer.concat([Buffer.alloc(16 * 2048), Buffer.from("\x01CD001\x01".padEnd(2048, "\0"))]);

describe("a damaged layer", () => {
	const build = (image: string, options: Partial<BuildOptions> = {}): Promise<string> =>
		outcomeOf(() => buildIso({ image, output: join(scratch, "x.iso"), comp: "none", ...BOUNDS, ...options }));

	it.each(DAMAGES)("is the same to build, with and without a cache, inspect and verify: %s", async (_, image, code) => {
		const cache = mkdtempSync(join(scratch, "cache-"));
		const outcomes = [
			await build(image),
			await build(image, { cache }),
			await outcomeOf(() => inspectImage(image, BOUNDS)),
			await outcomeOf(() => verifyAgainstImage(memorySource(DAMAGED_ISO), { image, ...BOUNDS })),
		];
		const expected = `${code === "LAYER_COMPRESSION_UNSUPPORTED" ? 2 : 5} ${code}`;
		expect(outcomes).toEqual(outcomes.map(() => expected));
	});

	it("that no layer above lets matter is read by none of them", async () => {
		const directory = join(scratch, `${images++}`);
		mkdirSync(directory);
		const top = tarArchive([{ path: "./", type: "directory" }, { path: ".wh..wh..opq" }]);
		const { reference, layers } = writeOciLayout(directory, {
			layers: [
				{ tar: TAR, compression: "gzip" },
				{ tar: top, compression: "gzip" },
			],
		});
		rmSync(blobPath(directory, layers[0]?.digest ?? "sha256:"));
		expect(await build(reference)).toBe("3 CONTRACT_NOT_MET");
		expect(await outcomeOf(() => inspectImage(reference, BOUNDS))).toBe("no error");
		const iso = memorySource(DAMAGED_ISO);
		expect(await outcomeOf(() => verifyAgainstImage(iso, { image: reference, ...BOUNDS }))).toBe("no error");
	});
});

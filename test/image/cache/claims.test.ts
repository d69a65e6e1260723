import { createHash } from "node:crypto";
import { readdirSync, renameSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Oci2isoError } from "../../../src/errors.ts";
import { buildWith, timesRead } from "../../support/cache-build.ts";
import { dataLayer, storeFiles, words } from "../../support/cache-images.ts";
import { contractLayers, HOST_GRUB } from "../../support/contract-image.ts";
import { blobPath, type LayoutOptions, OCI_MEDIA_TYPES, writeOciLayout } from "../../support/oci-layout.ts";
import { requires } from "../../support/requires.ts";
import { tarArchive } from "../../support/tar-fixtures.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const noGrub = requires(HOST_GRUB) !== undefined;

const work = temporaryDirectory("claims");

const SECRET = tarArchive([{ type: "file", path: "root/secret", content: words("secret", 9000) }]);
const EMPTY = tarArchive([]);
const DATA = tarArchive(dataLayer("data", 20));
const base = contractLayers();
const sha = (bytes: Uint8Array, algorithm = "sha256"): string =>
	`${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;

type Compression = "none" | "gzip" | "zstd";
type TestLayer = readonly [tar: Buffer, compression: Compression];

let images = 0;
/** An image of the contract's layers and these; `diffIds`: what its configuration says of these. */
function image(layers: readonly TestLayer[], diffIds?: readonly string[], manifest?: LayoutOptions["manifest"]) {
	const directory = join(work, `image-${images++}`);
	const all: readonly TestLayer[] = [...base.map((tar) => [tar, "gzip"] as const), ...layers];
	const claimed = [...base.map((tar) => sha(tar)), ...(diffIds ?? layers.map(([tar]) => sha(tar)))];
	const written = writeOciLayout(directory, {
		layers: all.map(([tar, compression]) => ({ tar, compression })),
		config: { rootfs: { type: "layers", diff_ids: claimed } },
		...(manifest === undefined ? {} : { manifest }),
	});
	return { directory, ...written };
}

/** What a build gives: the ISO's digest and what the report says of the image, or how it fails. */
async function outcome(reference: string, cache?: string): Promise<string> {
	try {
		const { digest, report } = await buildWith(work, reference, cache);
		return JSON.stringify([digest, report.image, report.choices, report.losses, report.notices]);
	} catch (error) {
		if (error instanceof Oci2isoError) return error.message;
		throw error;
	}
}

/** Whatever a store holds. */
async function everywhere(reference: string, filledWith: readonly string[]): Promise<string> {
	const cold = await outcome(reference);
	const cache = join(work, `cache-${images++}`);
	for (const other of filledWith) await buildWith(work, other, cache);
	for (const turn of ["first", "second"]) expect(await outcome(reference, cache), turn).toBe(cold);
	return cold;
}

describe.skipIf(noGrub)("what an image says of a layer", () => {
	it("gives nothing of another image's, also where that is cached", async () => {
		const secret = image([[SECRET, "gzip"]]);
		for (const compression of ["none", "gzip", "zstd"] as const) {
			const thief = image([[EMPTY, compression]], [sha(SECRET)]);
			expect(await everywhere(thief.reference, [secret.reference])).toMatch(/^DIFF_ID_MISMATCH: /);
		}
		const inBetween = image(
			[
				[EMPTY, "gzip"],
				[DATA, "gzip"],
			],
			[sha(DATA), sha(EMPTY)],
		);
		const right = image([
			[EMPTY, "gzip"],
			[DATA, "gzip"],
		]);
		expect(await everywhere(inBetween.reference, [right.reference])).toMatch(/^DIFF_ID_MISMATCH: /);
	});

	it("is held against what was seen of its blob: size, digest of the archive, compression", async () => {
		const right = image([[DATA, "gzip"]]);
		const [layer] = right.layers.slice(-1);
		const layers = (changed: object) => ({ layers: [...right.layers.slice(0, -1), { ...layer, ...changed }] });
		const longer = image([[DATA, "gzip"]], undefined, layers({ size: (layer?.size ?? 0) + 1 }));
		expect(await everywhere(longer.reference, [right.reference])).toMatch(/^BLOB_SIZE_MISMATCH: /);
		const otherType = image([[DATA, "gzip"]], undefined, layers({ mediaType: OCI_MEDIA_TYPES.layer.zstd }));
		expect(await everywhere(otherType.reference, [right.reference])).toMatch(/says compression/);
		const otherAlgorithm = image([[DATA, "gzip"]], [sha(DATA, "sha512")]);
		expect(await everywhere(otherAlgorithm.reference, [right.reference])).toMatch(/^\["/);
		expect(await everywhere(right.reference, [otherAlgorithm.reference])).toMatch(/^\["/);
		const wrongAlgorithm = image([[DATA, "gzip"]], [sha(EMPTY, "sha512")]);
		expect(await everywhere(wrongAlgorithm.reference, [right.reference])).toMatch(/^DIFF_ID_MISMATCH: /);
		for (const list of [[], [sha(DATA), sha(DATA)]])
			expect(await everywhere(image([[DATA, "gzip"]], list).reference, [right.reference])).toMatch(/^CONFIG_INVALID: /);
	});

	it("may not be two things of one blob", async () => {
		const twice: readonly TestLayer[] = [
			[DATA, "gzip"],
			[DATA, "gzip"],
		];
		const right = image(twice);
		expect(await everywhere(right.reference, [])).toMatch(/^\["/);
		for (const claims of [
			[sha(DATA), sha(EMPTY)],
			[sha(EMPTY), sha(DATA)],
		])
			expect(await everywhere(image(twice, claims).reference, [right.reference])).toMatch(/^DIFF_ID_MISMATCH: /);
	});

	it("is as true of the same archive in another compression, which is another blob", async () => {
		const cache = join(work, `cache-${images++}`);
		const plain = await buildWith(work, image([[DATA, "none"]]).reference, cache);
		const packed = await buildWith(work, image([[DATA, "zstd"]]).reference, cache);
		expect(packed.report.image.manifestDigest).not.toBe(plain.report.image.manifestDigest);
		expect(timesRead(packed).slice(-1)).toEqual([1]);
		expect(timesRead(await buildWith(work, image([[DATA, "zstd"]]).reference, cache)).slice(-1)).toEqual([0]);
	});

	it("does not help where its blob is gone or cut short", async () => {
		const right = image([[DATA, "gzip"]]);
		const cut = image([[DATA, "gzip"]]);
		const gone = image([[DATA, "gzip"]]);
		const digest = right.layers.at(-1)?.digest ?? right.manifestDigest;
		truncateSync(blobPath(cut.directory, digest), 100);
		rmSync(blobPath(gone.directory, digest));
		expect(await everywhere(cut.reference, [right.reference])).toMatch(/^BLOB_SIZE_MISMATCH: /);
		expect(await everywhere(gone.reference, [right.reference])).toMatch(/^BLOB_MISSING: /);
	});
});

describe.skipIf(noGrub)("a store whose files somebody has renamed", () => {
	it("gives the same image", async () => {
		const written = image([
			[DATA, "gzip"],
			[SECRET, "gzip"],
		]);
		const plain = await outcome(written.reference);
		const cache = join(work, `cache-${images++}`);
		await buildWith(work, written.reference, cache);
		for (const kind of ["layers", "packs"] as const) {
			const directory = storeFiles(cache, kind);
			const names = readdirSync(directory).sort();
			for (const name of names) renameSync(join(directory, name), join(directory, `${name}.tmp`));
			for (const [i, name] of names.entries())
				renameSync(join(directory, `${name}.tmp`), join(directory, names[(i + 1) % names.length] ?? name));
			expect(await outcome(written.reference, cache)).toBe(plain);
		}
	});

	it("as coming from a shared cache does not use them", async () => {
		const written = image([[DATA, "gzip"]]);
		const cache = join(work, `cache-${images++}`);
		const cold = await buildWith(work, written.reference, cache);
		for (const kind of ["layers", "packs"] as const)
			for (const name of readdirSync(storeFiles(cache, kind))) {
				const foreign = name.replace(/\.(index|pack)$/, `.from-${"0".repeat(16)}.$1`);
				renameSync(join(storeFiles(cache, kind), name), join(storeFiles(cache, kind), foreign));
			}
		const again = await buildWith(work, written.reference, cache);
		expect([again.digest, timesRead(again)]).toEqual([cold.digest, timesRead(cold)]);
	});
});

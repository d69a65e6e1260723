import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { BLOCK_DIGEST_ENTRY_BYTES, BlockDigests } from "../../src/binary/block-digests.ts";
import { KiB, MiB } from "../../src/binary/units.ts";
import { patternedBytes } from "../../src/codec/self-test.ts";
import { Oci2isoError } from "../../src/errors.ts";
import { TarReader } from "../../src/formats/tar/reader.ts";
import { backgroundInflater, type StreamDigests } from "../../src/native/background-inflater.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { inflateLayer } from "../../src/oci/inflate-layer.ts";
import { tarArchive } from "../support/tar-fixtures.ts";
import { zstdSkippable, zstdStored } from "../support/zstd-stored.ts";
import { addonMissing, nativeAddon } from "./addon-required.ts";

const content = Buffer.concat([
	patternedBytes(300_000),
	Buffer.alloc(2 * MiB),
	createHash("sha512").update("x").digest(),
]);
const gzip = gzipSync(content);
const members = Buffer.concat([gzipSync(content.subarray(0, 1000)), gzipSync(""), gzipSync(content.subarray(1000))]);
const zstd = Buffer.concat([zstdSkippable(Buffer.from("first")), zstdStored(content), zstdSkippable(Buffer.alloc(9))]);

async function* inPieces(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
	const reused = Buffer.alloc(pieceBytes);
	for (let at = 0; at < bytes.byteLength; at += pieceBytes) {
		const piece = bytes.subarray(at, at + pieceBytes);
		reused.fill(0xee).set(piece);
		yield reused.subarray(0, piece.byteLength);
	}
}

type Format = "gzip" | "zstd" | "none";

/** The bytes of the archive, or what was thrown. */
async function outcome(format: Format, blob: Uint8Array, backend: "native" | "portable", pieceBytes = 64 * KiB) {
	process.env["OCI2ISO_CODEC_BACKEND"] = backend === "native" ? "auto" : backend;
	const pieces: Buffer[] = [];
	try {
		const digests = { digest: digestOf(blob), diffId: digestOf(content) };
		for await (const piece of inflateLayer(format, inPieces(blob, pieceBytes), digests, "here"))
			pieces.push(Buffer.from(piece));
	} catch (error) {
		if (!(error instanceof Oci2isoError)) throw error;
		return error.code;
	}
	return createHash("sha256").update(Buffer.concat(pieces)).digest("hex");
}

const contentHash = createHash("sha256").update(content).digest("hex");

describe.skipIf(addonMissing)("inflating in the background", () => {
	afterEach(() => {
		delete process.env["OCI2ISO_CODEC_BACKEND"];
	});

	it("gives the bytes and both digests for every format and any pieces", async () => {
		const inflate = backgroundInflater();
		if (inflate === undefined) throw new Error("the addon cannot digest");
		for (const [format, blob] of [
			["gzip", gzip],
			["gzip", members],
			["gzip", Buffer.concat([gzip, Buffer.alloc(70_000)])],
			["zstd", zstd],
			["none", content],
		] as const)
			for (const pieceBytes of [977, 64 * KiB, 3 * MiB]) {
				const options = { format, inputDigest: "sha512", outputDigest: "sha256", failure: String } as const;
				const archive = inflate(inPieces(blob, pieceBytes), options);
				const hash = createHash("sha256");
				let digests: StreamDigests | undefined;
				for (let next = await archive.next(); ; next = await archive.next()) {
					if (next.done === true) {
						digests = next.value;
						break;
					}
					hash.update(next.value);
				}
				expect(hash.digest("hex")).toBe(contentHash);
				expect(digests).toEqual({ input: createHash("sha512").update(blob).digest("hex"), output: contentHash });
			}
	});

	it("gives single bytes of input their time", async () => {
		const small = gzipSync(patternedBytes(5000));
		expect(await outcome("gzip", small, "native", 1)).toBe("DIFF_ID_MISMATCH");
		expect(await outcome("gzip", small.subarray(0, -1), "native", 1)).toBe("LAYER_TRUNCATED");
	});

	it("ends as the portable way does, whatever happened to the blob", async () => {
		const mutation = fc.record({
			form: fc.constantFrom("gzip", "members", "zstd", "none"),
			at: fc.double({ min: 0, max: 1, noNaN: true }),
			kind: fc.constantFrom("flip", "cut", "insert zeros", "append", "append zeros", "twice"),
			pieceBytes: fc.constantFrom(1000, 100_000, MiB),
		});
		await fc.assert(
			fc.asyncProperty(mutation, async ({ form, at, kind, pieceBytes }) => {
				const format: Format = form === "members" ? "gzip" : (form as Format);
				const blob = { gzip, members, zstd, none: content }[form as "gzip"];
				const place = Math.floor(at * (blob.byteLength - 1));
				const head = blob.subarray(0, place);
				const changed = {
					flip: () => Buffer.concat([head, Buffer.of((blob[place] ?? 0) ^ 0x10), blob.subarray(place + 1)]),
					cut: () => Buffer.from(head),
					"insert zeros": () => Buffer.concat([head, Buffer.alloc(3), blob.subarray(place)]),
					append: () => Buffer.concat([blob, Buffer.from("more")]),
					"append zeros": () => Buffer.concat([blob, Buffer.alloc(1 + (place % 600))]),
					twice: () => Buffer.concat([blob, blob]),
				}[kind as "flip"]();
				// Where a zstd frame ends early, the two decoders notice at different bytes.
				const told = (result: string) =>
					format === "zstd" && result === "LAYER_TRUNCATED" ? "LAYER_COMPRESSION_BROKEN" : result;
				const portable = told(await outcome(format, changed, "portable", pieceBytes));
				expect(told(await outcome(format, changed, "native", pieceBytes))).toBe(portable);
			}),
			{ seed: 7, numRuns: 250 },
		);
	});

	it("stops when nobody wants the rest, or the input fails", async () => {
		const digests = { digest: digestOf(gzip), diffId: digestOf(content) };
		for (let round = 0; round < 50; round++) {
			for await (const piece of inflateLayer("gzip", inPieces(gzip, 1000), digests, "here")) {
				expect(piece.byteLength).toBeGreaterThan(0);
				break;
			}
		}
		async function* failing() {
			yield gzip.subarray(0, 100);
			throw new Error("the network went away");
		}
		const read = async () => {
			for await (const piece of inflateLayer("gzip", failing(), digests, "here")) expect(piece).toBeDefined();
		};
		await expect(read()).rejects.toThrow("the network went away");
	});

	describe.skipIf(addonMissing || !nativeAddon().fastSha256)("an archive's blocks are digested on the way", () => {
		const BLOCK_BYTES = 4096;

		/** Every digest that comes, checked against the bytes that it is said to be of; as `offset+length`. */
		async function digested(archive: Buffer, pieceBytes = 100_000): Promise<string[]> {
			const found: string[] = [];
			let passed = 0;
			class Checked extends BlockDigests {
				override load(table: Buffer, count: number): void {
					for (let at = 0; at < count * BLOCK_DIGEST_ENTRY_BYTES; at += BLOCK_DIGEST_ENTRY_BYTES) {
						const [offset, byteLength] = [table.readDoubleLE(at), table.readUInt32LE(at + 8)];
						const bytes = archive.subarray(offset, offset + byteLength);
						expect(bytes.byteLength).toBe(byteLength);
						expect(offset + byteLength).toBeGreaterThan(passed);
						expect(table.toString("hex", at + 16, at + 48)).toBe(digestOf(bytes).slice(7));
						found.push(`${offset}+${byteLength}`);
					}
				}
			}
			const inflated = inflateLayer(
				"gzip",
				inPieces(gzipSync(archive, { level: 1 }), pieceBytes),
				{ digest: digestOf(gzipSync(archive, { level: 1 })), diffId: digestOf(archive) },
				"here",
				new Checked(BLOCK_BYTES),
			);
			for await (const piece of inflated) passed += piece.byteLength;
			expect(passed).toBe(archive.byteLength);
			return found;
		}

		const paths = fc.constantFrom("a", "long/".repeat(40), "h\u00e4");
		const sizes = fc.oneof(fc.nat(5), fc.constantFrom(511, 512, 513, 4095, 4096, 4097, 8192), fc.nat(700_000));
		const members = fc.array(
			fc.record({ path: paths, size: sizes, type: fc.constantFrom("file", "file", "directory", "symlink") }),
			{ maxLength: 12 },
		);

		it("all of them, where TarReader says that the files' contents are", async () => {
			await fc.assert(
				fc.asyncProperty(members, fc.constantFrom(700, 65_536), async (list, pieceBytes) => {
					const archive = tarArchive(
						list.map(({ path, size, type }, i) => ({
							path: `${path}${i}`,
							type: type as "file" | "directory" | "symlink",
							linkTarget: type === "symlink" ? "x" : "",
							content: type === "file" ? patternedBytes(size) : Buffer.alloc(0),
						})),
					);
					const wanted: string[] = [];
					const nothing = () => {};
					const reader: TarReader = new TarReader(
						{
							entry({ byteLength, type }) {
								for (let at = 0; type === "file" && at < byteLength; at += BLOCK_BYTES)
									wanted.push(`${reader.offset + at}+${Math.min(BLOCK_BYTES, byteLength - at)}`);
							},
							data: nothing,
							hole: nothing,
							endEntry: nothing,
						},
						{ origin: "here" },
					);
					reader.push(archive);
					expect(await digested(archive, pieceBytes)).toEqual(wanted);
				}),
				{ numRuns: 25 },
			);
		});

		it("and whatever the archive is, none is of other bytes than it says", async () => {
			const mutations = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 });
			const sparse = tarArchive(
				(["pax-0.0", "pax-0.1", "pax-1.0", undefined, "gnu"] as const).map((form, i) => ({
					path: `sparse${i}`,
					content: Buffer.concat([patternedBytes(5000), Buffer.alloc(50_000), patternedBytes(9000)]),
					sparse: form,
				})),
			);
			await digested(sparse);
			await fc.assert(
				fc.asyncProperty(mutations, async (changes) => {
					const archive = Buffer.from(sparse);
					for (const [at, value] of changes) archive[at % archive.byteLength] = value;
					await digested(archive);
				}),
				{ numRuns: 60 },
			);
		});
	});
});

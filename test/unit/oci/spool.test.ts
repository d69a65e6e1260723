import { execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { Oci2isoError } from "../../../src/errors.ts";
import { openImage } from "../../../src/oci/open-image.ts";
import { spoolArchive } from "../../../src/oci/spool.ts";
import { tarOf } from "../../support/oci-archive.ts";
import { writeOciLayout } from "../../support/oci-layout.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { zstdStored } from "../../support/zstd-stored.ts";
import { amd64, codeOf, contentsOf, failure, imagePlaces } from "./image-places.ts";

const { fresh, layers, contents, asArchive } = imagePlaces();
const scratch = temporaryDirectory("spool");
let archive: Buffer;
beforeAll(async () => {
	const directory = fresh();
	writeOciLayout(directory, { layers: layers("none", "gzip", "zstd") });
	archive = readFileSync(await asArchive(directory));
});
beforeEach(() => {
	vi.stubEnv("TMPDIR", scratch);
	return () => {
		vi.unstubAllEnvs();
		expect(readdirSync(scratch)).toEqual([]);
	};
});

/** Cut into pieces of so many bytes. */
function streamOf(bytes: Uint8Array, pieceBytes: number): Readable {
	const count = Math.ceil(bytes.byteLength / pieceBytes);
	return Readable.from(
		Array.from({ length: count }, (_, i) => Buffer.from(bytes.subarray(i * pieceBytes, (i + 1) * pieceBytes))),
	);
}

async function spooled(bytes: Uint8Array, pieceBytes = 4096, maxBytes?: number): Promise<string> {
	try {
		const spool = await spoolArchive(streamOf(bytes, pieceBytes), "here", maxBytes === undefined ? {} : { maxBytes });
		await spool.close();
	} catch (error) {
		if (error instanceof Oci2isoError) return `${error.kind} ${error.code}`;
		throw error;
	}
	return "no error";
}

function fileOf(bytes: Uint8Array): string {
	const file = fresh();
	writeFileSync(file, bytes);
	return file;
}

describe("an archive that is kept in the temporary directory", () => {
	const packed: readonly [string, () => Buffer][] = [
		["gzip", () => gzipSync(archive)],
		[
			"gzip, several members",
			() => Buffer.concat([gzipSync(archive.subarray(0, 777)), gzipSync(archive.subarray(777))]),
		],
		["zstd", () => zstdStored(archive)],
	];

	it.each(packed)("is read from a file compressed with %s, and leaves nothing", async (_, compressed) => {
		const told: number[] = [];
		const onKept = (byteLength: number): void => void told.push(byteLength);
		const image = await openImage(`oci-archive:${fileOf(compressed())}`, { ...amd64, onKept });
		expect(told.at(-1)).toBe(archive.byteLength);
		expect(await contentsOf(image)).toEqual(contents);
		expect(image.notes).toEqual([
			expect.stringContaining(`${archive.byteLength} bytes of archive were kept in ${scratch}`),
		]);
		await image.close();
	});

	it.each([["not at all", () => archive], ...packed] as const)(
		"is read from a named pipe, compressed with %s",
		async (_, compressed) => {
			const pipe = fresh();
			execFileSync("mkfifo", [pipe]);
			const writer = spawn("sh", ["-c", 'cat "$1" > "$2"', "sh", fileOf(compressed()), pipe]);
			const image = await openImage(`oci-archive:${pipe}`, amd64);
			expect(await contentsOf(image)).toEqual(contents);
			await image.close();
			await new Promise((resolve) => (writer.exitCode === null ? writer.once("exit", resolve) : resolve(undefined)));
		},
	);

	it.each([1, 511, 513, 2 ** 20])("does not depend on how the stream is cut: %d bytes", async (pieceBytes) => {
		const bytes = pieceBytes === 1 ? archive.subarray(0, 2048) : archive;
		const spool = await spoolArchive(streamOf(archive, Math.max(pieceBytes, 100)), "here");
		expect(readFileSync(spool.path).equals(archive)).toBe(true);
		await spool.close();
		expect(await spooled(bytes, pieceBytes)).toBe(pieceBytes === 1 ? "corrupt ARCHIVE_TRUNCATED" : "no error");
	});

	it.each<[string, () => Buffer, string]>([
		["nothing", () => Buffer.alloc(0), "corrupt ARCHIVE_EMPTY"],
		["the start of one", () => archive.subarray(0, 5000), "corrupt ARCHIVE_TRUNCATED"],
		["the start of a compressed one", () => gzipSync(archive).subarray(0, 700), "corrupt ARCHIVE_TRUNCATED"],
		["the start of another compressed one", () => zstdStored(archive).subarray(0, 700), "corrupt ARCHIVE_TRUNCATED"],
		[
			"broken gzip",
			() => Buffer.concat([gzipSync(archive).subarray(0, 10), Buffer.alloc(100, 0xff)]),
			"corrupt ARCHIVE_COMPRESSION_BROKEN",
		],
		["another file", () => Buffer.alloc(5000, "text"), "corrupt ARCHIVE_INVALID"],
		["another file, compressed", () => gzipSync(Buffer.alloc(5000, "text")), "corrupt ARCHIVE_INVALID"],
		["xz", () => Buffer.from("fd377a585a000000ff12d941", "hex"), "usage ARCHIVE_COMPRESSED"],
		["bzip2", () => Buffer.from("425a6839314159265359", "hex"), "usage ARCHIVE_COMPRESSED"],
	])("that is %s is refused, and leaves nothing", async (_, bytes, code) => {
		expect(await spooled(bytes())).toBe(code);
	});

	it("has a bound, and what comes behind its end is not kept", async () => {
		const bomb = gzipSync(Buffer.concat([archive, Buffer.alloc(2 ** 24)]));
		expect(await spooled(bomb, 4096, 2 ** 22)).toBe("corrupt ARCHIVE_TOO_LARGE");
		const spool = await spoolArchive(streamOf(bomb, 4096), "here");
		expect(readFileSync(spool.path).byteLength).toBeLessThan(archive.byteLength + 2 ** 21);
		await spool.close();
	});

	it("may be of the other kind where it cannot be read again, and nothing in it is chosen", async () => {
		const saved = await tarOf([{ name: "manifest.json", bytes: Buffer.from("[]") }]);
		const pipe = fresh();
		execFileSync("mkfifo", [pipe]);
		for (const [reference, what] of [
			[`oci-archive:${pipe}`, "archive holds no image"],
			[`oci-archive:${pipe}:tag`, "index.json is missing"],
		] as const) {
			const writer = spawn("sh", ["-c", 'cat "$1" > "$2"', "sh", fileOf(saved), pipe]);
			const error = await failure(reference);
			expect(error.message).toContain(what);
			await new Promise((resolve) => (writer.exitCode === null ? writer.once("exit", resolve) : resolve(undefined)));
		}
	});

	it("is given up at once where nobody writes to the pipe", async () => {
		const pipe = fresh();
		execFileSync("mkfifo", [pipe]);
		const controller = new AbortController();
		setTimeout(() => controller.abort(), 50);
		expect(await codeOf(`oci-archive:${pipe}`, { ...amd64, signal: controller.signal })).toBe(
			"interrupted INTERRUPTED",
		);
	});

	it("needs a temporary directory", async () => {
		vi.stubEnv("TMPDIR", join(scratch, "absent"));
		expect(await spooled(archive)).toBe("output TEMPORARY_DIRECTORY_UNWRITABLE");
	});
});

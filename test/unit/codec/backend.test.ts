import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import * as zlib from "node:zlib";
import { beforeEach, describe, expect, it } from "vitest";
import { createCompressor } from "../../../src/codec/compressor.ts";
import { createDecompressor } from "../../../src/codec/decompressor.ts";
import { kernelRefusal } from "../../../src/codec/kernel-limits.ts";
import { loadLzmaPackage } from "../../../src/codec/lzma-package.ts";
import { patternedBytes } from "../../../src/codec/self-test.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const root = resolve(import.meta.dirname, "../../..");

describe("where the addon cannot be loaded", () => {
	let elsewhere = "";
	beforeEach(() => {
		elsewhere = temporaryDirectory("codec");
		for (const name of ["codec", "native", "binary", "errors.ts"])
			cpSync(join(root, "src", name), join(elsewhere, "src", name), { recursive: true });
		symlinkSync(join(root, "node_modules"), join(elsewhere, "node_modules"));
		writeFileSync(join(elsewhere, "package.json"), '{ "type": "module" }');
	});

	const load = (): Promise<typeof import("../../../src/codec/compressor.ts")> =>
		import(/* @vite-ignore */ pathToFileURL(join(elsewhere, "src/codec/compressor.ts")).href);

	it("takes the portable encoder and tells", async () => {
		const notices: string[] = [];
		const elsewhereModule = await load();
		const compressor = await elsewhereModule.createCompressor({
			codec: "gzip",
			blockBytes: 131072,
			threads: 2,
			backend: "auto",
			onNotice: (text) => notices.push(text),
		});
		expect(compressor.encoder).toMatch(/^node zlib .* \(portable\)$/);
		expect(notices).toEqual([
			`using ${compressor.encoder}, because the native addon cannot be loaded: it is not built`,
		]);
		await compressor.close();
	});

	it("says why a file that is no addon is not loaded", async () => {
		mkdirSync(join(elsewhere, "build/Release"), { recursive: true });
		writeFileSync(join(elsewhere, "build/Release/oci2iso.node"), "not an addon");
		const elsewhereModule = await load();
		await expect(
			elsewhereModule.createCompressor({ codec: "gzip", blockBytes: 131072, threads: 2, backend: "native" }),
		).rejects.toMatchObject({
			code: "CODEC_UNAVAILABLE",
			what: expect.stringMatching(/no usable gzip encoder: the native addon cannot be loaded: .*oci2iso\.node/),
		});
	});
});

describe("portable encoders that depend on the runtime", () => {
	const exists = {
		zstd: "zstdCompress" in zlib,
		xz: loadLzmaPackage().lzma !== undefined,
	} as const;

	it.each(["zstd", "xz"] as const)("%s works, or says what it misses", async (codec) => {
		const attempt = createCompressor({ codec, blockBytes: 131072, threads: 2, backend: "portable" });
		if (!exists[codec]) {
			await expect(attempt).rejects.toMatchObject({
				code: "CODEC_UNAVAILABLE",
				what: expect.stringMatching(codec === "zstd" ? /has no zstd \(22\.15/ : /@napi-rs\/lzma/),
			});
			return;
		}
		const compressor = await attempt;
		const pattern = patternedBytes(131072);
		const buffer = compressor.acquire();
		pattern.copy(buffer);
		let block: Buffer | undefined;
		compressor.submit(buffer, pattern.byteLength, ({ bytes }) => {
			block = Buffer.from(bytes);
		});
		await compressor.settle(0);
		const bytes = block ?? Buffer.alloc(0);
		expect(kernelRefusal(codec, bytes, 131072)).toBeUndefined();
		expect(pattern.equals(createDecompressor(codec, { backend: "portable" }).decompress(bytes, 131072))).toBe(true);
		await compressor.close();
	});
});

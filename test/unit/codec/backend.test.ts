import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const root = resolve(import.meta.dirname, "../../..");

describe("where the addon cannot be loaded", () => {
	/** A copy of the program without the addon; what is at its place, if anything. */
	const load = (addon?: string): Promise<typeof import("../../../src/codec/compressor.ts")> => {
		const elsewhere = temporaryDirectory("codec");
		for (const name of ["codec", "native", "binary", "errors.ts"])
			cpSync(join(root, "src", name), join(elsewhere, "src", name), { recursive: true });
		symlinkSync(join(root, "node_modules"), join(elsewhere, "node_modules"));
		writeFileSync(join(elsewhere, "package.json"), '{ "type": "module" }');
		mkdirSync(join(elsewhere, "build/Release"), { recursive: true });
		if (addon !== undefined) writeFileSync(join(elsewhere, "build/Release/oci2iso.node"), addon);
		return import(/* @vite-ignore */ pathToFileURL(join(elsewhere, "src/codec/compressor.ts")).href);
	};

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
		const elsewhereModule = await load("not an addon");
		await expect(
			elsewhereModule.createCompressor({ codec: "gzip", blockBytes: 131072, threads: 2, backend: "native" }),
		).rejects.toMatchObject({
			code: "CODEC_UNAVAILABLE",
			what: expect.stringMatching(/no usable gzip encoder: the native addon cannot be loaded: .*oci2iso\.node/),
		});
	});
});

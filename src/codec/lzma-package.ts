import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** The part of `@napi-rs/lzma` 1.5 that is used: raw LZMA2, because its .xz streams have a check and a dictionary the kernel refuses. */
interface LzmaPackage {
	readonly Lzma2Compressor: new (options: {
		preset: number;
		dictSize: number;
	}) => {
		update(chunk: Uint8Array): Buffer;
		finish(): Promise<Buffer>;
	};
	readonly lzma2: {
		compressSync(input: Uint8Array): Buffer;
		decompressSync(input: Uint8Array): Buffer;
	};
}

type LzmaPackageState =
	| { readonly lzma: LzmaPackage; readonly version: string; readonly reason?: undefined }
	| { readonly lzma?: undefined; readonly reason: string };

/** The optional package, or why it cannot be loaded (it needs Node 22.20 and a prebuilt binary for this platform). */
export function loadLzmaPackage(): LzmaPackageState {
	const require = createRequire(import.meta.url);
	try {
		const lzma: LzmaPackage = require("@napi-rs/lzma");
		// The package does not export its own description.
		const description = join(dirname(require.resolve("@napi-rs/lzma")), "package.json");
		const { version }: { version: string } = JSON.parse(readFileSync(description, "utf8"));
		if (typeof lzma.Lzma2Compressor !== "function") return { reason: `@napi-rs/lzma ${version} has no LZMA2 encoder` };
		return { lzma, version };
	} catch (error) {
		const first = (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
		return { reason: `@napi-rs/lzma cannot be loaded (${first})` };
	}
}

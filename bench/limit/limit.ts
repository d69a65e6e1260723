import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..");
/** What the addon is linked with: the same encoders give the same bytes. */
const PINNED = join(ROOT, "build/Release/pinned_codecs.a");
/** The addon's encoders. */
const ENCODERS = ["codec.cc", "codec_deflate.cc", "codec_lz4.cc", "codec_xz.cc", "codec_zstd.cc", "match_finder.cc"];
const PINNED_HEADERS = ["node_modules/zstd-napi/deps/zstd/lib", "node_modules/lz4/deps/lz4/lib"];

export interface Limit {
	/** What compressing alone takes, of all threads together. */
	readonly cpuSeconds: number;
	readonly wallSeconds: number;
	readonly blocks: number;
	readonly inputBytes: number;
	readonly outputBytes: number;
}

/** What a sample of the blocks took, and decoding what came of them. */
export interface Sample extends Limit {
	readonly decodeCpuSeconds: number;
	readonly decodedBytes: number;
}

/** Compiles limit.cc with the addon's encoders into `directory`; gives the program, or why there is none. */
export function compileLimit(directory: string): { readonly program: string } | { readonly reason: string } {
	const compiler = process.env["CXX"] ?? "c++";
	if (spawnSync(compiler, ["--version"], { stdio: "ignore" }).status !== 0) return { reason: `needs ${compiler}` };
	if (!existsSync(PINNED)) return { reason: "needs the native addon, whose libraries it is linked with" };
	const has = (header: string): boolean =>
		spawnSync(compiler, ["-E", "-"], { input: `#include <${header}>\n`, stdio: ["pipe", "ignore", "ignore"] })
			.status === 0;
	if (!has("zlib.h")) return { reason: "needs zlib.h" };
	const deflate = has("libdeflate.h") ? ["-DHAVE_LIBDEFLATE", "-ldeflate"] : [];
	const xz = has("lzma.h") ? ["-DHAVE_LIBLZMA", "-llzma"] : [];
	const program = join(directory, "limit");
	const headers = PINNED_HEADERS.map((path) => `-I${join(ROOT, path)}`);
	const sources = [join(import.meta.dirname, "limit.cc"), ...ENCODERS.map((name) => join(ROOT, "native", name))];
	const args = [
		"-std=c++17",
		"-O3",
		"-pthread",
		"-o",
		program,
		...headers,
		...sources,
		PINNED,
		...deflate,
		...xz,
		"-lz",
	];
	const { status, stderr } = spawnSync(compiler, args, { encoding: "utf8" });
	return status === 0 ? { program } : { reason: `the compiler refused it: ${stderr}` };
}

export interface LimitOptions {
	readonly blocksFile: string;
	readonly codec: string;
	readonly level: number;
	readonly blockBytes: number;
	readonly threads: number;
}

/** Throws where the program was built without the codec. */
export function runLimit(program: string, options: LimitOptions): Limit {
	const { decodeCpuSeconds: _, decodedBytes: __, ...limit } = measureBlocks(program, options, []);
	return limit;
}

/** Every `stride`th block, and decoding it; throws as `runLimit` does. */
export function sampleBlocks(
	program: string,
	{ stride, ...options }: LimitOptions & { readonly stride: number },
): Sample {
	return measureBlocks(program, options, [String(stride)]);
}

function measureBlocks(program: string, options: LimitOptions, more: readonly string[]): Sample {
	const { blocksFile, codec, level, blockBytes, threads } = options;
	const args = [blocksFile, codec, String(level), String(blockBytes), String(threads), ...more];
	const printed = execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
	const [cpuSeconds = 0, wallSeconds = 0, blocks = 0, inputBytes = 0, outputBytes = 0, ...decoding] = printed
		.split(" ")
		.map(Number);
	const [decodeCpuSeconds = 0, decodedBytes = 0] = decoding;
	return { cpuSeconds, wallSeconds, blocks, inputBytes, outputBytes, decodeCpuSeconds, decodedBytes };
}

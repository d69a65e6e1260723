import { createRequire } from "node:module";
import type { CodecName } from "../codec/types.ts";
import { Oci2isoError } from "../errors.ts";
import { builtFile } from "./built-file.ts";

/** What native/addon.cc exports; each class is described in its header. */
export interface NativeAddon {
	readonly codecs: Readonly<Partial<Record<CodecName, NativeCodec>>>;
	readonly BlockCompressor: new (
		codec: CodecName,
		level: number,
		blockBytes: number,
		threads: number,
		onReady: () => void,
		filter?: string,
	) => NativeBlockCompressor;
	readonly BlockCopier: new (fd: number, onReady: () => void) => NativeBlockCopier;
	readonly BlockDecompressor: new (codec: CodecName) => { decompress(block: Uint8Array, output: Uint8Array): number };
	readonly ContentDigester: new (codec: CodecName | "", blockBytes: number, threads: number) => NativeContentDigester;
	readonly ZstdInflater: new (maxWindowLog: number) => NativeZstdInflater;
	/** Whether `LayerInflater` can digest. */
	readonly digests: boolean;
	readonly LayerInflater: new (
		format: "gzip" | "zstd" | "none",
		maxWindowLog: number,
		inputDigest: string,
		outputDigest: string,
		inputs: readonly Buffer[],
		outputs: readonly Buffer[],
		onReady: () => void,
		blockBytes: number,
		tables: readonly Buffer[],
	) => NativeLayerInflater;
	/** Whether `sha256` and `sha256Pair` use the processor's instructions; where not, they are there if `digests` is true. */
	readonly fastSha256: boolean;
	/** Writes 32 bytes to `output` at `offset`. */
	sha256(bytes: Uint8Array, output: Uint8Array, offset: number): void;
	/** Writes the digests of both, 64 bytes, to `output` at `offset`, in less time than `sha256` of each takes. */
	sha256Pair(a: Uint8Array, b: Uint8Array, output: Uint8Array, offset: number): void;
	/** What the checksum in `state`, low half first, becomes with these bytes: CRC-64 with ISO 3309's polynomial, without inversions. */
	crc64(bytes: Uint8Array, state: Int32Array): void;
	readonly FileDigester: new (
		fd: number,
		head: Uint8Array,
		snapshots: Float64Array,
		onReady: () => void,
	) => NativeFileDigester;
	/** Takes flock(2)'s lock without waiting: 1 ours until the descriptor is closed, 0 somebody else's, -1 there are none here. */
	lockFile(fd: number): 1 | 0 | -1;
	/** Takes fcntl(2)'s lock for reading, without waiting; answers as `lockFile`. */
	lockFileShared(fd: number): 1 | 0 | -1;
}

interface NativeCodec {
	/** Library and version, "zstd 1.5.7". */
	readonly encoder: string;
	readonly minLevel: number;
	readonly maxLevel: number;
	/** What `BlockCompressor` takes as a filter. */
	readonly filters: readonly string[];
}

interface NativeBlockCompressor {
	addSlot(): [input: Buffer, output: Buffer];
	submit(slot: number, length: number): void;
	drain(results: Int32Array): number;
	encodeNow(block: Uint8Array, output: Uint8Array): number;
	close(): void;
}

interface NativeContentDigester {
	addSlot(byteLength: number): Buffer;
	submit(slot: number, length: number, maxBytes: number, units: Int32Array): void;
	take(waits: boolean, digests: Uint8Array): number;
	close(): void;
}

export interface NativeZstdInflater {
	step(input: Uint8Array, inputOffset: number, output: Uint8Array, progress: Int32Array): 0 | 1 | string;
}

export interface NativeLayerInflater {
	acquire(): number;
	write(slot: number, length: number): void;
	end(): void;
	take(output: Int32Array): 0 | 1 | 2 | string;
	release(slot: number): void;
	digests(): [input: string, output: string];
	close(): void;
}

/** MD5 of a file that grows, described in native/file_digester.h. */
interface NativeFileDigester {
	allow(bytes: number): void;
	doneBytes(): number;
	result(): string[] | string | undefined;
	close(): void;
}

/** Checked copying between files, described in native/block_copier.h. */
export interface NativeBlockCopier {
	addSource(fd: number): number;
	submit(jobs: Float64Array, checksums: Uint8Array): void;
	poll(): number;
	failure(): [job: number, reason: string] | undefined;
	close(): void;
}

/** Makes an object of the addon that starts threads. Throws `Oci2isoError` THREADS_UNAVAILABLE (usage) where this process may have no more threads or memory. */
export function startThreads<Started>(make: () => Started): Started {
	try {
		return make();
	} catch (cause) {
		if (!(cause instanceof Error) || !/^(cannot start|not enough memory)/.test(cause.message)) throw cause;
		throw new Oci2isoError({
			code: "THREADS_UNAVAILABLE",
			kind: "usage",
			what: cause.message,
			remedy: "allow this user more processes and memory (ulimit -u, ulimit -v), or pass a smaller --jobs",
			cause,
		});
	}
}

type AddonState =
	| { readonly addon: NativeAddon; readonly reason?: undefined }
	| { readonly addon?: undefined; readonly reason: string };

let state: AddonState | undefined;

/** The addon, or why it cannot be loaded; tried once per process. */
export function loadNativeAddon(): AddonState {
	state ??= load();
	return state;
}

/** Of `NativeAddon`, every one. */
const EXPORTS: readonly (keyof NativeAddon)[] = [
	"codecs",
	"BlockCompressor",
	"BlockCopier",
	"BlockDecompressor",
	"ContentDigester",
	"ZstdInflater",
	"digests",
	"LayerInflater",
	"fastSha256",
	"sha256",
	"sha256Pair",
	"crc64",
	"FileDigester",
	"lockFile",
	"lockFileShared",
];

function load(): AddonState {
	try {
		const addon: NativeAddon = createRequire(import.meta.url)(builtFile("oci2iso.node"));
		const lacking = EXPORTS.find((name) => addon[name] === undefined);
		if (lacking !== undefined) return { reason: `it is older than this program, and has no ${lacking}` };
		return { addon };
	} catch (error) {
		const first = (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
		const missing = error instanceof Error && "code" in error && error.code === "MODULE_NOT_FOUND";
		return { reason: missing ? "it is not built" : first };
	}
}

/** What blocks are compressed with; `none` stores every block as it is. */
export const CODEC_NAMES = ["zstd", "xz", "gzip", "lz4", "none"] as const;
export type CodecName = (typeof CODEC_NAMES)[number];

/** What xz blocks of machine code may go through before LZMA2: `none`, or one whose outcome is taken where it is the shorter one. */
export const BRANCH_FILTERS = ["x86", "arm64", "none"] as const;
export type BranchFilter = (typeof BRANCH_FILTERS)[number];

/**
 * What is asked for where nothing is, by the image's architecture as OCI names it: kernels for arm64 read blocks that went through their own filter, and none
 * that went through x86's. Undefined: x86's, for the blocks that look as if it helped.
 */
export function filterFor(
	codec: CodecName,
	bcj: BranchFilter | undefined,
	architecture: string,
): BranchFilter | undefined {
	return bcj ?? (codec === "xz" && architecture === "arm64" ? "arm64" : undefined);
}

/** The filter that blocks may have gone through, where `bcj` was asked for. */
export function branchFilterOf(codec: CodecName, bcj: BranchFilter | undefined): "x86" | "arm64" | undefined {
	return codec !== "xz" || bcj === "none" ? undefined : (bcj ?? "x86");
}

/** The outcome for one block, in `bytes`; when `compressed` is false, `bytes` is the block itself because compression would not shrink it. */
export interface CompressedBlock {
	readonly compressed: boolean;
	/** Valid only during the callback that delivers it: the buffer is reused. */
	readonly bytes: Uint8Array;
}

export interface CompressorOptions {
	readonly codec: CodecName;
	/** Absent: the codec's default (zstd 15, gzip 9, xz 6, lz4 0 = fast; see the codec table). */
	readonly level?: number | undefined;
	/** Of xz alone. Absent: x86, for the blocks that look as if it helped. */
	readonly bcj?: BranchFilter | undefined;
	/** Of gzip alone. Default: zlib. */
	readonly gzipForm?: GzipForm | undefined;
	/** 4 KiB to 1 MiB, a power of two. */
	readonly blockBytes: number;
	/** Worker threads, at least 1. The output does not depend on it. */
	readonly threads: number;
	/** `auto` (the default, or what the environment's OCI2ISO_CODEC_BACKEND says) takes the native addon where it works. */
	readonly backend?: CodecBackend | undefined;
	/** Told, in one sentence, when a slower or different encoder than the native one was chosen. */
	readonly onNotice?: ((text: string) => void) | undefined;
}

/** What blocks of gzip are: streams of RFC 1950, or of RFC 1951 (deflate) alone. */
export type GzipForm = "zlib" | "raw";

export type CodecBackend = "native" | "portable" | "auto";

/**
 * Compresses blocks on worker threads and hands results back **in submission order**.
 * Synchronous to feed; the one place to wait is `settle`.
 */
export interface BlockCompressor {
	readonly codec: CodecName;
	readonly level: number;
	/** As it was asked for. */
	readonly bcj?: BranchFilter | undefined;
	/** What made the bytes, for the build report: "zstd 1.5.7 (native addon)". */
	readonly encoder: string;
	/** Blocks submitted whose `done` has not run yet. */
	readonly pending: number;
	/** A pooled buffer of `blockBytes`, with arbitrary content. Give it to `submit` or `release`. */
	acquire(): Buffer;
	release(buffer: Buffer): void;
	/**
	 * Compresses the first `length` bytes (1 to blockBytes) of a buffer from `acquire`, which goes back to the pool after `done` returns.
	 * `done` runs on the JavaScript thread, never inside `submit`, in submission order over all calls.
	 */
	submit(buffer: Buffer, length: number, done: (result: CompressedBlock) => void): void;
	/** Queues a callback behind every block submitted so far, to run in the same order without compressing anything. */
	after(done: () => void): void;
	/** Resolves when at most `maxPending` blocks are in flight; rejects with the first failure of the codec or of a `done`. */
	settle(maxPending: number): Promise<void>;
	/** One block at once on this thread (metadata, at most 8 KiB), same settings. The result is owned by the caller. */
	compressNow(block: Uint8Array): { readonly compressed: boolean; readonly bytes: Uint8Array };
	/** Stops the threads and gives their memory back; safe to call twice. Only `compressNow` goes on working. */
	close(): Promise<void>;
}

/** Decodes single blocks. */
export interface BlockDecompressor {
	/**
	 * Throws `Oci2isoError` CORRUPT_BLOCK where the bytes do not decode to at most `maxBytes`. The result is owned by the caller, or a part
	 * of `into`, which has at least `maxBytes`.
	 */
	decompress(block: Uint8Array, maxBytes: number, into?: Uint8Array): Uint8Array;
}

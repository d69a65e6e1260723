import { Oci2isoError } from "../errors.ts";
import { loadNativeAddon } from "../native/addon.ts";
import { nativePool } from "../native/native-pool.ts";
import { codecBackend, codecUnavailable } from "./backend.ts";
import { BLOCK_BYTES_EXPECTED, checkedLevel, isBlockBytes, levelOutOfRange, requireFilter } from "./codec-table.ts";
import { createDecompressor } from "./decompressor.ts";
import type { EncodingPoolFactory } from "./encoding-pool.ts";
import { OrderedCompressor } from "./ordered-compressor.ts";
import { portablePool } from "./portable-pool.ts";
import { withoutZlib } from "./raw-deflate.ts";
import { selfTestFailure } from "./self-test.ts";
import { storedPool } from "./stored-pool.ts";
import type { BlockCompressor, BranchFilter, CodecBackend, CompressorOptions } from "./types.ts";

interface Candidate {
	readonly backend: Exclude<CodecBackend, "auto">;
	readonly encoder: string;
	readonly makePool: EncodingPoolFactory;
}

/** Configurations whose encoder has passed its self-test in this process. */
const trusted = new Set<string>();

/**
 * A compressor for one codec configuration: the addon's threads, or a portable encoder, which `onNotice` tells and `encoder` names.
 * Throws `Oci2isoError` (usage): INVALID_BLOCK_SIZE, INVALID_THREADS, INVALID_OPTION, LEVEL_OUT_OF_RANGE, and CODEC_UNAVAILABLE where no encoder
 * works here.
 */
export async function createCompressor(options: CompressorOptions): Promise<BlockCompressor> {
	const compressor = await chosenCompressor(options);
	return options.codec === "gzip" && options.gzipForm === "raw" ? withoutZlib(compressor) : compressor;
}

async function chosenCompressor(options: CompressorOptions): Promise<BlockCompressor> {
	const { blockBytes, threads } = options;
	checkOptions(blockBytes, threads);
	const { codec, bcj } = options;
	requireFilter(codec, bcj);
	const level = checkedLevel(codec, options.level);
	if (codec === "none")
		return new OrderedCompressor({ codec, level }, blockBytes, "none", (onReady) => storedPool(blockBytes, onReady));

	const settings = { codec, level, bcj, blockBytes, threads };
	const backend = codecBackend(options.backend);
	const refusals: string[] = [];
	for (const choose of backend === "auto" ? [native, portable] : backend === "native" ? [native] : [portable]) {
		const candidate = await choose(settings);
		if (typeof candidate === "string") {
			refusals.push(candidate);
			continue;
		}
		const compressor = new OrderedCompressor(settings, blockBytes, candidate.encoder, candidate.makePool);
		const key = JSON.stringify([candidate.backend, settings.codec, level, bcj, blockBytes]);
		const failure = trusted.has(key) ? undefined : await selfTest(compressor, candidate.backend, blockBytes);
		if (failure === undefined) {
			trusted.add(key);
			if (refusals.length > 0) options.onNotice?.(`using ${candidate.encoder}, because ${refusals.join("; ")}`);
			return compressor;
		}
		await compressor.close();
		refusals.push(`${candidate.encoder} fails its self-test: ${failure}`);
	}
	throw codecUnavailable(codec, `no usable ${codec} encoder: ${refusals.join("; ")}`);
}

type Settings = CompressorOptions & { readonly level: number };

function native(settings: Settings): Candidate | string {
	const { addon, reason } = loadNativeAddon();
	if (addon === undefined) return `the native addon cannot be loaded: ${reason}`;
	const codec = addon.codecs[settings.codec];
	if (codec === undefined) return `the native addon was built without ${settings.codec}`;
	const { bcj } = settings;
	if (bcj !== undefined && !codec.filters.includes(bcj))
		return `the native addon was built with ${codec.encoder}, which has no ${bcj} filter (--bcj none does without)`;
	if (settings.level < codec.minLevel || settings.level > codec.maxLevel)
		throw levelOutOfRange(
			settings.codec,
			settings.level,
			`${codec.minLevel} to ${codec.maxLevel} with ${codec.encoder}`,
		);
	return {
		backend: "native",
		encoder: `${codec.encoder}${filterName(bcj)} (native addon)`,
		makePool: (onReady) => nativePool(addon, settings, onReady),
	};
}

async function portable(settings: Settings): Promise<Candidate | string> {
	const { bcj } = settings;
	if (bcj !== undefined && bcj !== "none")
		return "there is no portable encoder with branch filters (--bcj none does without)";
	// Megabytes of code that the addon makes needless.
	const { portableEncoder } = await import("./portable-encoders.ts");
	const encoder = portableEncoder(settings.codec, settings.level, settings.blockBytes);
	if (typeof encoder === "string") return encoder;
	return {
		backend: "portable",
		encoder: `${encoder.name} (portable)`,
		makePool: (onReady) => portablePool(encoder, settings.blockBytes, settings.threads, onReady),
	};
}

/** As a part of the encoder's name, and with that of whatever names blocks. A portable encoder has no filter anyway. */
function filterName(bcj: BranchFilter | undefined): string {
	return bcj === undefined ? "" : `, filter ${bcj}`;
}

async function selfTest(compressor: BlockCompressor, backend: CodecBackend, blockBytes: number) {
	try {
		const decompressor = createDecompressor(compressor.codec, { backend });
		return await selfTestFailure(compressor, decompressor, blockBytes);
	} catch (error) {
		// Another encoder would only make other bytes.
		if (error instanceof Oci2isoError && error.code !== "THREADS_UNAVAILABLE") return error.what;
		throw error;
	}
}

function checkOptions(blockBytes: number, threads: number): void {
	if (!isBlockBytes(blockBytes))
		throw new Oci2isoError({
			code: "INVALID_BLOCK_SIZE",
			kind: "usage",
			what: `a block cannot have ${blockBytes} bytes`,
			expected: BLOCK_BYTES_EXPECTED,
		});
	if (!(Number.isInteger(threads) && threads >= 1 && threads <= 1024))
		throw new Oci2isoError({
			code: "INVALID_THREADS",
			kind: "usage",
			what: `cannot use ${threads} threads`,
			expected: "1 to 1024",
		});
}

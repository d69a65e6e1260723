import { setImmediate } from "node:timers/promises";
import { BLOCK_DIGEST_ENTRY_BYTES, type BlockDigests } from "../binary/block-digests.ts";
import { KiB } from "../binary/units.ts";
import { codecBackend } from "../codec/backend.ts";
import { MAX_WINDOW_LOG } from "../codec/zstd-frame.ts";
import { assert } from "../errors.ts";
import { loadNativeAddon, type NativeAddon, type NativeLayerInflater, startThreads } from "./addon.ts";

const SLOT_BYTES = 256 * KiB;
const INPUT_SLOTS = 4;
const OUTPUT_SLOTS = 6;
/** A member of an archive takes 1 KiB at least; what has no room is digested by whoever needs it. */
const BLOCKS_PER_SLOT = SLOT_BYTES / KiB;
/** Chunks handed out before other events have their turn. */
const CHUNKS_PER_TURN = 16;

interface BackgroundInflateOptions {
	readonly format: "gzip" | "zstd" | "none";
	/** Of what goes in and what comes out; undefined is not digested. */
	readonly inputDigest: "sha256" | "sha512" | undefined;
	readonly outputDigest: "sha256" | "sha512" | undefined;
	/** Told of the digests of an archive's blocks before each chunk, where the addon is quick at them. */
	readonly blockDigests?: BlockDigests | undefined;
	/** Makes the error for a stream that does not decode; `truncated` where it ends too early. */
	readonly failure: (reason: string) => unknown;
}

/** In lower-case hexadecimal digits; empty where none was asked for. */
export interface StreamDigests {
	readonly input: string;
	readonly output: string;
}

type InflateInBackground = (
	input: AsyncIterable<Uint8Array>,
	options: BackgroundInflateOptions,
) => AsyncGenerator<Uint8Array, StreamDigests, undefined>;

/**
 * Decodes a stream and digests both of its sides on threads of the addon; undefined where there is no addon. Input chunks are copied before
 * the next is asked for; output chunks are at most 256 KiB, each valid until the next is asked for.
 */
export function backgroundInflater(): InflateInBackground | undefined {
	if (codecBackend() === "portable") return undefined;
	const { addon } = loadNativeAddon();
	if (addon?.digests !== true) return undefined;
	return (input, options) => inflate(addon, input, options);
}

async function* inflate(
	addon: NativeAddon,
	input: AsyncIterable<Uint8Array>,
	{ format, inputDigest, outputDigest, blockDigests, failure }: BackgroundInflateOptions,
): AsyncGenerator<Uint8Array, StreamDigests, undefined> {
	const slots = idleSlots ?? makeSlots();
	const { inputs, outputs, tables } = slots;
	const blockBytes = addon.fastSha256 ? (blockDigests?.blockBytes ?? 0) : 0;
	const bell = new Bell();
	const [onReady, ofInput, ofOutput] = [() => bell.ring(), inputDigest ?? "", outputDigest ?? ""];
	const native = startThreads(
		() =>
			new addon.LayerInflater(format, MAX_WINDOW_LOG, ofInput, ofOutput, inputs, outputs, onReady, blockBytes, tables),
	);
	idleSlots = undefined;
	const feeder = new Feeder(native, inputs, bell);
	const feeding = feeder.feed(input);
	const taken = new Int32Array(3);
	try {
		for (let chunks = 1; ; ) {
			if (feeder.failure !== undefined) throw feeder.failure.error;
			const answer = native.take(taken);
			if (typeof answer === "string") throw failure(answer);
			if (answer === 2) break;
			if (answer === 0) {
				await bell.rung();
				continue;
			}
			const [slot = 0, length = 0, blocks = 0] = taken;
			const [output, table] = [outputs[slot], tables[slot]];
			assert(output !== undefined && table !== undefined, "the addon answers with slots it was given");
			if (blockBytes > 0) blockDigests?.load(table, blocks);
			yield output.subarray(0, length);
			native.release(slot);
			if (chunks++ % CHUNKS_PER_TURN === 0) await setImmediate();
		}
		const [inputHex, outputHex] = native.digests();
		return { input: inputHex, output: outputHex };
	} finally {
		feeder.abandon();
		native.close();
		idleSlots = slots;
		await feeding;
	}
}

/** Copies chunks into the addon's input slots as they become free. */
class Feeder {
	failure: { readonly error: unknown } | undefined;
	readonly #native: NativeLayerInflater;
	readonly #inputs: readonly Buffer[];
	readonly #bell: Bell;
	#abandoned = false;
	#slot = -1;
	#filled = 0;

	constructor(native: NativeLayerInflater, inputs: readonly Buffer[], bell: Bell) {
		this.#native = native;
		this.#inputs = inputs;
		this.#bell = bell;
	}

	/** Resolves after the last chunk, after a failure of the input, and after `abandon`; never rejects. */
	async feed(input: AsyncIterable<Uint8Array>): Promise<void> {
		try {
			for await (const chunk of input) {
				if (this.#abandoned) return;
				await this.#copy(chunk);
				if (this.#abandoned) return;
			}
			if (this.#abandoned) return;
			if (this.#filled > 0) this.#native.write(this.#slot, this.#filled);
			this.#native.end();
		} catch (error) {
			this.failure = { error };
			this.#bell.ring();
		}
	}

	abandon(): void {
		this.#abandoned = true;
		this.#bell.ring();
	}

	async #copy(chunk: Uint8Array): Promise<void> {
		for (let at = 0; at < chunk.byteLength; ) {
			while (this.#slot < 0) {
				this.#slot = this.#native.acquire();
				if (this.#slot < 0) await this.#bell.rung();
				if (this.#abandoned) return;
			}
			const length = Math.min(SLOT_BYTES - this.#filled, chunk.byteLength - at);
			this.#inputs[this.#slot]?.set(chunk.subarray(at, at + length), this.#filled);
			this.#filled += length;
			at += length;
			if (this.#filled < SLOT_BYTES) continue;
			this.#native.write(this.#slot, this.#filled);
			this.#slot = -1;
			this.#filled = 0;
		}
	}
}

/** Wakes all who wait for it. */
class Bell {
	#waiters: (() => void)[] = [];

	rung(): Promise<void> {
		return new Promise((resolve) => this.#waiters.push(resolve));
	}

	ring(): void {
		const waiters = this.#waiters;
		this.#waiters = [];
		for (const resolve of waiters) resolve();
	}
}

interface Slots {
	readonly inputs: readonly Buffer[];
	readonly outputs: readonly Buffer[];
	readonly tables: readonly Buffer[];
}

/** Layers are mostly read one after another: the memory of one serves the next. */
let idleSlots: Slots | undefined;

function makeSlots(): Slots {
	const buffers = (count: number, byteLength: number) =>
		Array.from({ length: count }, () => Buffer.allocUnsafeSlow(byteLength));
	return {
		inputs: buffers(INPUT_SLOTS, SLOT_BYTES),
		outputs: buffers(OUTPUT_SLOTS, SLOT_BYTES),
		tables: buffers(OUTPUT_SLOTS, BLOCKS_PER_SLOT * BLOCK_DIGEST_ENTRY_BYTES),
	};
}

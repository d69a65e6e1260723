import { DIGEST_BYTES } from "../binary/digest-numbers.ts";
import { codecBackend } from "../codec/backend.ts";
import { assert } from "../errors.ts";
import { loadNativeAddon, type NativeBlockCopier, startThreads } from "./addon.ts";

const NUMBERS_PER_JOB = 4;
const JOBS_PER_BATCH = 256;
const OUTPUT = -1;

/** What kept a copy from being made. */
export interface CopyFailure {
	/** The number of the copy, from 0. */
	readonly job: number;
	/** Whose fault it is. */
	readonly side: "source" | "output";
	/** "checksum", "truncated", or a system call's code: "ENOSPC". */
	readonly code: string;
}

/** Copies blocks into a file on a thread of the addon, in the order of the calls, and checks them on the way. After a failure nothing is copied any more. */
export interface BackgroundCopy {
	/** Copies were asked for that are not made yet. */
	readonly isBusy: boolean;
	/** 1 byte to 1 MiB from a file, which may be closed when this is closed, to `position`; `checksum` is the SHA-256 that they must have. */
	fromFile(descriptor: number, offset: number, byteLength: number, checksum: Uint8Array, position: number): void;
	/** 1 byte to 1 MiB of the output itself. */
	within(offset: number, byteLength: number, position: number): void;
	/** Says that no more copies are asked for soon: those gathered so far begin. */
	flush(): void;
	/** Resolves once every copy is made, or one cannot be. */
	finish(): Promise<CopyFailure | undefined>;
	/** Ends the thread; what it has not copied stays undone. */
	close(): void;
}

/** Copies into the file behind `descriptor`, which is open for both directions. Undefined where there is no addon. */
export function copyInBackground(descriptor: number): BackgroundCopy | undefined {
	if (codecBackend() === "portable") return undefined;
	const { addon } = loadNativeAddon();
	if (addon?.digests !== true) return undefined;
	let onReady = (): void => {};
	return new NativeCopy(
		startThreads(() => new addon.BlockCopier(descriptor, () => onReady())),
		(listener) => {
			onReady = listener;
		},
	);
}

class NativeCopy implements BackgroundCopy {
	readonly #native: NativeBlockCopier;
	readonly #listen: (listener: () => void) => void;
	readonly #sources = new Map<number, number>();
	readonly #jobs = new Float64Array(NUMBERS_PER_JOB * JOBS_PER_BATCH);
	readonly #checksums = Buffer.alloc(DIGEST_BYTES * JOBS_PER_BATCH);
	#gathered = 0;
	#submitted = 0;

	/** `listen` says who is told that everything is done. */
	constructor(native: NativeBlockCopier, listen: (listener: () => void) => void) {
		this.#native = native;
		this.#listen = listen;
	}

	get isBusy(): boolean {
		return this.#gathered > 0 || this.#native.poll() < this.#submitted;
	}

	fromFile(descriptor: number, offset: number, byteLength: number, checksum: Uint8Array, position: number): void {
		assert(checksum.byteLength === DIGEST_BYTES, "a checksum is a SHA-256");
		let source = this.#sources.get(descriptor);
		if (source === undefined) {
			source = this.#native.addSource(descriptor);
			this.#sources.set(descriptor, source);
		}
		this.#checksums.set(checksum, DIGEST_BYTES * this.#gathered);
		this.#gather(source, offset, byteLength, position);
	}

	within(offset: number, byteLength: number, position: number): void {
		this.#gather(OUTPUT, offset, byteLength, position);
	}

	flush(): void {
		const count = this.#gathered;
		if (count === 0) return;
		this.#gathered = 0;
		this.#submitted += count;
		this.#native.submit(
			this.#jobs.subarray(0, NUMBERS_PER_JOB * count),
			this.#checksums.subarray(0, DIGEST_BYTES * count),
		);
	}

	async finish(): Promise<CopyFailure | undefined> {
		this.flush();
		const isSettled = (): boolean => this.#native.poll() === this.#submitted || this.#native.failure() !== undefined;
		await new Promise<void>((resolve) => {
			const look = (): void => {
				if (isSettled()) resolve();
			};
			this.#listen(look);
			look();
		});
		const failure = this.#native.failure();
		if (failure === undefined) return undefined;
		const [job, reason] = failure;
		const code = reason.split(" ").at(-1) ?? reason;
		return { job, side: reason.startsWith("write ") ? "output" : "source", code };
	}

	close(): void {
		this.#native.close();
	}

	#gather(source: number, offset: number, byteLength: number, position: number): void {
		const at = NUMBERS_PER_JOB * this.#gathered;
		this.#jobs[at] = source;
		this.#jobs[at + 1] = offset;
		this.#jobs[at + 2] = byteLength;
		this.#jobs[at + 3] = position;
		if (++this.#gathered === JOBS_PER_BATCH) this.flush();
	}
}

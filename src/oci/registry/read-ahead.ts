import { throwIfAborted } from "../../errors.ts";
import type { Descriptor } from "../descriptor.ts";
import type { Digest } from "../digest.ts";

interface ReadAheadOptions {
	/** Reads one blob from its start. */
	open(descriptor: Descriptor, signal: AbortSignal): AsyncIterable<Uint8Array>;
	/** Bytes that have arrived and wait for their reader, of all blobs together; the blob that is read may exceed it by one piece. */
	readonly windowBytes: number;
	/** Blobs in flight at a time. */
	readonly concurrency: number;
}

/** The window's part that only the blob being read may fill, so that those ahead of it do not starve it. */
const RESERVE = 1 / 4;

interface Download {
	readonly pieces: Uint8Array[];
	readonly controller: AbortController;
	isRead: boolean;
	isEnded: boolean;
	error: unknown;
	/** Wakes the reader when there is something new. */
	arrived: () => void;
	/** Wakes the download when there may be room. */
	drained: () => void;
}

/**
 * Fetches blobs in the order in which they will be read, while the ones before them are still being worked on.
 * Invariants: at most `windowBytes` (and one piece) wait; the blob that is being read always makes progress; nothing is fetched that was not
 * announced or asked for, and an announced blob is handed out once.
 */
export class ReadAhead {
	readonly #options: ReadAheadOptions;
	readonly #announced: Descriptor[] = [];
	readonly #ahead = new Map<Digest, Download>();
	readonly #running = new Set<Download>();
	readonly #settled = new Set<Promise<void>>();
	#waitingBytes = 0;
	#started = false;
	#closed = false;

	constructor(options: ReadAheadOptions) {
		this.#options = options;
	}

	/** What will probably be read, in that order. Fetching starts when the first of them is asked for. */
	announce(descriptors: readonly Descriptor[]): void {
		const known = new Set([...this.#announced.map(({ digest }) => digest), ...this.#ahead.keys()]);
		for (const descriptor of descriptors) {
			if (!known.has(descriptor.digest)) this.#announced.push(descriptor);
			known.add(descriptor.digest);
		}
	}

	/** A blob's bytes in order; each piece stays valid. */
	async *read(descriptor: Descriptor, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
		throwIfAborted(signal);
		const download = this.#take(descriptor);
		download.isRead = true;
		download.drained();
		const interrupt = (): void => download.arrived();
		signal?.addEventListener("abort", interrupt, { once: true });
		try {
			this.#startMore();
			for (;;) {
				throwIfAborted(signal);
				const piece = download.pieces.shift();
				if (piece !== undefined) {
					this.#release(piece.byteLength);
					yield piece;
				} else if (download.isEnded) {
					if (download.error !== undefined) throw download.error;
					return;
				} else {
					await new Promise<void>((resolve) => {
						download.arrived = resolve;
					});
				}
			}
		} finally {
			signal?.removeEventListener("abort", interrupt);
			this.#drop(download);
		}
	}

	/** Breaks off everything that is under way. */
	async close(): Promise<void> {
		this.#closed = true;
		this.#announced.length = 0;
		for (const download of [...this.#running, ...this.#ahead.values()]) this.#drop(download);
		this.#ahead.clear();
		await Promise.all(this.#settled);
	}

	/** The download that was started ahead, or a new one. */
	#take(descriptor: Descriptor): Download {
		const { digest } = descriptor;
		const at = this.#announced.findIndex((announced) => announced.digest === digest);
		if (at >= 0) {
			this.#announced.splice(at, 1);
			this.#started = true;
		}
		const ahead = this.#ahead.get(digest);
		this.#ahead.delete(digest);
		return ahead ?? this.#start(descriptor);
	}

	#startMore(): void {
		const limit = this.#options.windowBytes * (1 - RESERVE);
		while (
			this.#started &&
			!this.#closed &&
			this.#running.size < this.#options.concurrency &&
			this.#waitingBytes < limit
		) {
			const next = this.#announced.shift();
			if (next === undefined) return;
			this.#ahead.set(next.digest, this.#start(next));
		}
	}

	#start(descriptor: Descriptor): Download {
		const download: Download = {
			pieces: [],
			controller: new AbortController(),
			isRead: false,
			isEnded: false,
			error: undefined,
			arrived: () => {},
			drained: () => {},
		};
		this.#running.add(download);
		const settled = this.#run(descriptor, download).finally(() => this.#settled.delete(settled));
		this.#settled.add(settled);
		return download;
	}

	async #run(descriptor: Descriptor, download: Download): Promise<void> {
		const { signal } = download.controller;
		try {
			for await (const piece of this.#options.open(descriptor, signal)) {
				if (signal.aborted) return;
				download.pieces.push(piece);
				this.#waitingBytes += piece.byteLength;
				download.arrived();
				while (!this.#hasRoom(download) && !signal.aborted)
					await new Promise<void>((resolve) => {
						download.drained = resolve;
					});
			}
		} catch (error) {
			download.error = error;
		} finally {
			download.isEnded = true;
			this.#running.delete(download);
			download.arrived();
			this.#startMore();
		}
	}

	#hasRoom({ isRead, pieces }: Download): boolean {
		const { windowBytes } = this.#options;
		if (!isRead) return this.#waitingBytes < windowBytes * (1 - RESERVE);
		return pieces.length === 0 || this.#waitingBytes < windowBytes;
	}

	#release(byteLength: number): void {
		this.#waitingBytes -= byteLength;
		for (const download of this.#running) if (this.#hasRoom(download)) download.drained();
		this.#startMore();
	}

	#drop(download: Download): void {
		download.controller.abort();
		const held = download.pieces.splice(0).reduce((sum, { byteLength }) => sum + byteLength, 0);
		download.drained();
		this.#release(held);
	}
}

/** The outcome of encoding one block. */
export type EncodingResult =
	/** Valid until the pool's buffer of this block is released. `undefined`: the block does not shrink. */
	| { readonly buffer: Buffer; readonly length: number; readonly encoded: Uint8Array | undefined }
	| { readonly buffer: Buffer; readonly length: number; readonly failure: string };

/** What runs the encoders of one compressor. Buffers are its own, of the block's size. */
export interface EncodingPool {
	acquire(): Buffer;
	release(buffer: Buffer): void;
	/** Starts encoding the first `length` bytes. Throws where `buffer` is not one that `acquire` handed out. */
	submit(buffer: Buffer, length: number): void;
	/** The block that was submitted first among those not taken yet, when it is finished. */
	take(): EncodingResult | undefined;
	/** One block of at most 8 KiB at once; undefined where it does not shrink. The result is owned by the caller. */
	encodeNow(block: Uint8Array): Uint8Array | undefined;
	/** Forgets what is in flight. Safe to call twice. Only `encodeNow` goes on working. */
	close(): void;
}

/** Makes a pool; it calls `onReady`, never from within one of its own methods, when `take` may have something. */
export type EncodingPoolFactory = (onReady: () => void) => EncodingPool;

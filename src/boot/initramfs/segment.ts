/** A part that was decompressed to its end. */
export interface Decompressed {
	/** What a kernel would not take about it, in words. */
	readonly refusedByKernel?: string | undefined;
}

/** A part that cannot be decompressed, or not to its end. */
export interface Damage {
	/** Why, in words. */
	readonly damage: string;
	/** It counts for nothing, although some of it may have been emitted. */
	readonly isVoid?: boolean;
}

/** Gets a part's bytes in order, each piece valid during the call only; may throw to stop. */
export type Emit = (bytes: Uint8Array) => void;

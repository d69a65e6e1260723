import type { DataMark } from "../content/stored-data.ts";

/** Where a regular file's content goes. */
export type Route = "store" | "aside" | "skip" | "ignore";

/** What happened to the contents of one layer, in bytes before compression. */
export interface LayerCounts {
	tarBytes: number;
	entries: number;
	storedBytes: number;
	skippedBytes: number;
	timesRead: number;
}

/** What one layer brought. */
export interface CollectedLayer {
	readonly counts: LayerCounts;
	/** Stretches of the image that hold its contents; one without an end is being written. */
	readonly stretches: { readonly from: DataMark; to: DataMark | undefined }[];
	/** What was set aside and is in no store, by SHA-256. */
	readonly contents: { readonly hash: Uint8Array; readonly bytes: Uint8Array }[];
}

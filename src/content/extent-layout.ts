/** A stretch of a content that is found as one. */
export interface Extent {
	/** Of the content. */
	readonly byteLength: number;
	/** Absolute; undefined for a hole. */
	readonly position: number | undefined;
	/** On disk. */
	readonly storedBytes: number;
	/** What to do with the stored bytes: the format's own number. */
	readonly form: number;
	/** The stored bytes hold more than this content. */
	readonly isPartial: boolean;
}

/** Where a regular file's content is in an image whose extents have any length and any place. */
export interface ExtentLayout {
	readonly byteLength: number;
	/** What tells it from a `FileLayout`, with `tail`. */
	readonly blocks?: undefined;
	readonly tail?: undefined;
	/** Absolute position of the first extent, for those who read files in the order of the image. */
	readonly firstBlock: number;
	/** In order; together they have `byteLength`. Read anew each time. Throws `Oci2isoError` CORRUPT_METADATA. */
	extents(): AsyncIterable<Extent>;
}

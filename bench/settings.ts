/** One way to compress the squashfs, as both sides can be told. */
export interface Setting {
	readonly name: string;
	readonly codec: "zstd" | "gzip" | "xz" | "lz4";
	/** undefined: what the tool takes by itself, on either side. */
	readonly level: number | undefined;
	/** oci2iso's own level where the same bytes per second are not had with the same number. */
	readonly ourLevel?: number | undefined;
}

/** 128 KiB blocks all of them, as mksquashfs and the reference take. */
export const REFERENCE_SETTING: Setting = { name: "zstd 15", codec: "zstd", level: 15 };

export function settings(gzipEncoder: string): readonly Setting[] {
	return [
		REFERENCE_SETTING,
		{ name: "zstd 3", codec: "zstd", level: 3 },
		{ name: "lz4", codec: "lz4", level: undefined },
		// mksquashfs has zlib 9; libdeflate 6 is denser and much faster than that.
		{ name: "gzip", codec: "gzip", level: undefined, ourLevel: gzipEncoder.startsWith("libdeflate") ? 6 : 9 },
		{ name: "xz", codec: "xz", level: undefined },
	];
}

/** What takes minutes on the real image stays for `--full`. */
export const QUICK_SETTINGS = ["zstd 15", "zstd 3", "lz4"];
export const BLOCK_BYTES = 128 * 1024;

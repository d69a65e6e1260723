/** One way to compress the squashfs, as both sides can be told. */
export interface Setting {
	readonly name: string;
	readonly codec: "zstd" | "gzip" | "xz" | "lz4";
	/** undefined: what the tool takes by itself, on either side. */
	readonly level: number | undefined;
	/** oci2iso's own level where the same bytes per second are not had with the same number. */
	readonly ourLevel?: number | undefined;
	/** Processor seconds per million bytes of gzip layers, roughly: to say beforehand how long a run takes. */
	readonly expected: { readonly ours: number; readonly peers: number };
}

/** 128 KiB blocks all of them, as mksquashfs and the reference take. */
export const REFERENCE_SETTING: Setting = {
	name: "zstd 15",
	codec: "zstd",
	level: 15,
	expected: { ours: 0.2, peers: 0.23 },
};

export function settings(gzipEncoder: string): readonly Setting[] {
	return [
		REFERENCE_SETTING,
		{ name: "zstd 3", codec: "zstd", level: 3, expected: { ours: 0.017, peers: 0.05 } },
		{ name: "lz4", codec: "lz4", level: undefined, expected: { ours: 0.015, peers: 0.045 } },
		// mksquashfs has zlib 9; libdeflate 6 is denser and much faster than that.
		{
			...{ name: "gzip", codec: "gzip", level: undefined, ourLevel: gzipEncoder.startsWith("libdeflate") ? 6 : 9 },
			expected: { ours: gzipEncoder.startsWith("libdeflate") ? 0.035 : 0.3, peers: 0.42 },
		},
		{ name: "xz", codec: "xz", level: undefined, expected: { ours: 0.43, peers: 0.5 } },
	];
}

/** What takes minutes on the real image stays for `--full`. */
export const QUICK_SETTINGS = ["zstd 15", "zstd 3", "lz4"];
export const BLOCK_BYTES = 128 * 1024;
/** oci2iso's arguments for zstd 3. */
export const ZSTD_3_ARGUMENTS = ["--comp", "zstd", "--level", "3", "--block-size", "128K"] as const;

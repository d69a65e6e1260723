import { MiB } from "../../binary/units.ts";
import { kernelRefusal } from "../../codec/kernel-limits.ts";
import type { RootFileSystem } from "../root-file-system.ts";
import { checkErofs } from "./check.ts";
import { EROFS_MAGIC, SUPERBLOCK_OFFSET } from "./constants.ts";
import { openErofs } from "./erofs-reader.ts";
import { ErofsWriter } from "./erofs-writer.ts";
import { isStorableXattr } from "./xattr-body.ts";

/** Linux, fs/erofs/decompressor_zstd.c: the largest window. */
const MAX_ZSTD_WINDOW_BYTES = MiB;

/** EROFS as Linux 6.1 knows it; zstd since 6.10, deflate since 6.6. */
export const EROFS: RootFileSystem = {
	name: "erofs",
	codecs: ["zstd", "gzip", "lz4", "none"],
	gzipForm: "raw",
	packsTails: (codec) => codec !== "none",
	hasExportTable: false,
	kernel: {
		since: { major: 6, minor: 1 },
		// Linux, fs/erofs/Kconfig and decompressor*.c
		decoders: {
			zstd: { setting: "CONFIG_EROFS_FS_ZIP_ZSTD", symbols: ["zstd_init_dstream"] },
			xz: { setting: "CONFIG_EROFS_FS_ZIP_LZMA", symbols: ["xz_dec_microlzma_alloc"] },
			gzip: { setting: "CONFIG_EROFS_FS_ZIP_DEFLATE", symbols: ["zlib_inflateInit2"] },
			lz4: { setting: "CONFIG_EROFS_FS_ZIP", symbols: ["LZ4_decompress_safe", "LZ4_decompress_safe_partial"] },
		},
		refusal: (codec, block) => (codec === "zstd" ? kernelRefusal(codec, block, MAX_ZSTD_WINDOW_BYTES) : undefined),
	},
	isAt: (head) =>
		head.byteLength >= SUPERBLOCK_OFFSET + 4 &&
		new DataView(head.buffer, head.byteOffset).getUint32(SUPERBLOCK_OFFSET, true) === EROFS_MAGIC,
	createWriter: (options) => new ErofsWriter(options),
	open: openErofs,
	check: async (...source) => ({ format: EROFS, ...(await checkErofs(...source)) }),
	storesXattr: isStorableXattr,
	storedTime: (time) => time,
};

import { kernelRefusal } from "../../codec/kernel-limits.ts";
import { CODEC_NAMES } from "../../codec/types.ts";
import type { RootFileSystem } from "../root-file-system.ts";
import { checkSquashfs } from "./check.ts";
import { SQUASHFS_MAGIC } from "./constants.ts";
import { openSquashfs } from "./squashfs-reader.ts";
import { SquashfsWriter } from "./squashfs-writer.ts";
import { storedTime } from "./tree-writer.ts";
import { isStorableXattr } from "./xattr-table-writer.ts";

/** squashfs 4.0. */
export const SQUASHFS: RootFileSystem = {
	name: "squashfs",
	codecs: CODEC_NAMES,
	gzipForm: "zlib",
	packsTails: () => true,
	hasExportTable: true,
	kernel: {
		// Linux, fs/squashfs/Kconfig and *_wrapper.c
		decoders: {
			zstd: { setting: "CONFIG_SQUASHFS_ZSTD", symbols: ["zstd_init_dstream", "ZSTD_initDStream"] },
			xz: { setting: "CONFIG_SQUASHFS_XZ", symbols: ["xz_dec_init"] },
			gzip: { setting: "CONFIG_SQUASHFS_ZLIB", symbols: ["zlib_inflateInit2", "zlib_inflate"] },
			lz4: { setting: "CONFIG_SQUASHFS_LZ4", symbols: ["LZ4_decompress_safe"] },
		},
		refusal: kernelRefusal,
	},
	isAt: (head) =>
		head.byteLength >= 4 && new DataView(head.buffer, head.byteOffset).getUint32(0, true) === SQUASHFS_MAGIC,
	createWriter: (options) => new SquashfsWriter(options),
	open: openSquashfs,
	check: async (...source) => ({ format: SQUASHFS, ...(await checkSquashfs(...source)) }),
	storesXattr: isStorableXattr,
	storedTime,
};

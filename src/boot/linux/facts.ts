/**
 * What is known about the programs that find the live root file system, as data with its source. `since` and `before` are dracut's release
 * numbers (057, 100, 107 ...); a fact holds for since <= version < before.
 */
interface DracutFact {
	readonly id: "proc-directory" | "usr-directory" | "ostree-root";
	readonly since: number;
	readonly before: number;
	/** In words, for people. */
	readonly what: string;
	/** Commit of github.com/dracut-ng/dracut-ng (whose history holds dracutdevs/dracut) that begins it, and that ends it. */
	readonly source: string;
}

const DRACUT_FACTS: readonly DracutFact[] = [
	{
		id: "proc-directory",
		since: 50,
		before: 106,
		what: "a squashfs is only taken for a root file system when it has a directory /proc",
		source: "ends with e37c67f6 (release 106)",
	},
	{
		id: "usr-directory",
		since: 106,
		before: 110,
		what: "a squashfs is only taken for a root file system when it has a directory /usr",
		source: "begins with e37c67f6 (release 106)",
	},
	{
		id: "ostree-root",
		since: 110,
		before: Number.POSITIVE_INFINITY,
		what: "a squashfs is only taken for a root file system when it has a directory /usr or /ostree",
		source: "begins with 69a43970 (release 110)",
	},
];

export function dracutFacts(version: number | undefined): DracutFact[] {
	return version === undefined ? [] : DRACUT_FACTS.filter(({ since, before }) => since <= version && version < before);
}

/** Linux, lib/xz/Kconfig: on wherever nobody turned it off, in kernels that know it: `isOld` says that all do which are met. */
export const BRANCH_FILTER_SETTINGS = {
	x86: { setting: "CONFIG_XZ_DEC_X86", isOld: true },
	/** Since Linux 6.12. */
	arm64: { setting: "CONFIG_XZ_DEC_ARM64", isOld: false },
} as const;

/** Linux, usr/Kconfig: decoders for the initramfs. */
export const INITRAMFS_DECODER_SETTINGS: Readonly<Record<string, string>> = {
	gzip: "CONFIG_RD_GZIP",
	bzip2: "CONFIG_RD_BZIP2",
	lzma: "CONFIG_RD_LZMA",
	xz: "CONFIG_RD_XZ",
	lzo: "CONFIG_RD_LZO",
	lz4: "CONFIG_RD_LZ4",
	zstd: "CONFIG_RD_ZSTD",
};

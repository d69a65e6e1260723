/** Block of a CD-ROM volume (ECMA-119 6.1.2). */
export const ISO_BLOCK_BYTES = 2048;
/** Block of a disk as GPT, MBR and FAT count it. */
export const DISK_BLOCK_BYTES = 512;

export const MAX_U32 = 0xffff_ffff;

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

/** Number of `unit`s that hold `amount`; exact up to 2^53. */
export function divideCeil(amount: number, unit: number): number {
	return Math.ceil(amount / unit);
}

/** The least multiple of `unit` that is not below `amount`. */
export function alignUp(amount: number, unit: number): number {
	return Math.ceil(amount / unit) * unit;
}

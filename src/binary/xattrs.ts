import type { ByteString } from "./byte-string.ts";

/** Extended attributes by full name. */
export type Xattrs = ReadonlyMap<ByteString, Uint8Array>;

/** One for all inodes that have none. */
export const NO_XATTRS: Xattrs = new Map();

import type { ByteSource } from "../binary/byte-source.ts";
import { openImage } from "../oci/open-image.ts";
import { compileExcludes, DEFAULT_EXCLUDES } from "../squashfs/excludes.ts";
import { compileXattrDropper } from "../tree/drop-xattrs.ts";
import { readImageTree } from "./read-image.ts";
import type { VerifyReport } from "./report.ts";
import { verifyIso } from "./verify-iso.ts";

export interface VerifyOptions {
	/** A reference as `build` takes it. Absent: no fidelity check. */
	readonly image?: string | undefined;
	/** `OS/ARCHITECTURE[/VARIANT]`, for an index. */
	readonly platform?: string | undefined;
	/** Uncompressed bytes of one layer of the image, and entries of all; absent: as for `build`. */
	readonly maxLayerBytes?: number | undefined;
	readonly maxInodes?: number | undefined;
	/** What was left out of the squashfs besides the default, as `build` was told. */
	readonly exclude?: readonly string[] | undefined;
	/** Patterns of the extended attributes that were left out, as `build` was told. */
	readonly dropXattr?: readonly string[] | undefined;
	/** Default true. */
	readonly defaultExcludes?: boolean | undefined;
	/** Ask for signatures. Default true. */
	readonly secureBoot?: boolean | undefined;
	readonly signal?: AbortSignal | undefined;
}

/**
 * Verifies an ISO, against an image where one is given. What is wrong with the ISO is in the report; rejects with `Oci2isoError` where
 * the image cannot be read, patterns are wrong or the signal is aborted.
 */
export async function verifyAgainstImage(iso: ByteSource, options: VerifyOptions): Promise<VerifyReport> {
	const {
		image: reference,
		platform,
		maxLayerBytes,
		maxInodes,
		signal,
		secureBoot,
		exclude = [],
		defaultExcludes = true,
		dropXattr = [],
	} = options;
	const isExcluded = compileExcludes([...(defaultExcludes ? DEFAULT_EXCLUDES : []), ...exclude]);
	const dropXattrs = compileXattrDropper(dropXattr);
	if (reference === undefined) return verifyIso(iso, { secureBoot, signal });
	const image = await openImage(reference, { platform, maxLayerBytes, maxInodes, signal });
	try {
		const expected = await readImageTree(image, { isExcluded, dropXattrs, signal });
		return await verifyIso(iso, { expected, secureBoot, signal });
	} finally {
		await image.close();
	}
}

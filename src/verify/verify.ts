import type { ByteSource } from "../binary/byte-source.ts";
import { interruptible } from "../errors.ts";
import { compileXattrDropper } from "../layers/drop-xattrs.ts";
import { compileExcludes, DEFAULT_EXCLUDES } from "../layers/excludes.ts";
import { openImage } from "../oci/open-image.ts";
import { checkOptions } from "../options/check-options.ts";
import {
	accessFields,
	type Field,
	flag,
	imageFields,
	imageReference,
	isObject,
	treeFields,
} from "../options/fields.ts";
import { type ImageOptions, openingOptions, type TreeOptions } from "../options/image-options.ts";
import { openIso } from "../output/iso-file.ts";
import { readImageTree } from "./read-image.ts";
import type { VerifyReport } from "./report.ts";
import { verifyIso } from "./verify-iso.ts";

export interface VerifyOptions extends ImageOptions, TreeOptions {
	/** A reference as `build` takes it. Absent: no fidelity check. */
	readonly image?: string | undefined;
	/** Ask for signatures. Default true. */
	readonly secureBoot?: boolean | undefined;
}

const fields = {
	image: imageReference,
	...imageFields,
	...accessFields,
	...treeFields,
	secureBoot: flag(),
} satisfies Record<keyof VerifyOptions, Field>;

/**
 * Verifies an ISO, a path or what can be read like one, against an image where one is given. What is wrong with the ISO is in the report; rejects with
 * `Oci2isoError` where ISO or image cannot be read, options or patterns are wrong or the signal is aborted.
 */
export async function verifyAgainstImage(iso: string | ByteSource, options: VerifyOptions = {}): Promise<VerifyReport> {
	checkOptions(options, fields, []);
	return interruptible(options.signal, async () => {
		if (isByteSource(iso)) return verifySource(iso, undefined, options);
		const file = openIso(iso);
		try {
			return await verifySource(file, file.descriptor, options);
		} finally {
			file.close();
		}
	});
}

function isByteSource(iso: unknown): iso is ByteSource {
	return isObject(iso) && typeof iso["read"] === "function" && typeof iso["byteLength"] === "number";
}

async function verifySource(
	iso: ByteSource,
	descriptor: number | undefined,
	options: VerifyOptions,
): Promise<VerifyReport> {
	const {
		image: reference,
		signal,
		secureBoot,
		exclude = [],
		defaultExcludes = true,
		dropXattr = [],
		allRoot,
	} = options;
	const isExcluded = compileExcludes([...(defaultExcludes ? DEFAULT_EXCLUDES : []), ...exclude]);
	const dropXattrs = compileXattrDropper(dropXattr);
	if (reference === undefined) return verifyIso(iso, { descriptor, secureBoot, signal });
	const image = await openImage(reference, openingOptions(options));
	try {
		const expected = await readImageTree(image, { isExcluded, dropXattrs, allRoot, signal });
		return await verifyIso(iso, { descriptor, expected, secureBoot, signal });
	} finally {
		await image.close();
	}
}

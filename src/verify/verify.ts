import type { ByteSource } from "../binary/byte-source.ts";
import { interruptible, Oci2isoError } from "../errors.ts";
import { isIso9660 } from "../formats/iso9660/is-iso9660.ts";
import { compileXattrDropper, isDropped } from "../layers/drop-xattrs.ts";
import { compileExcludes, DEFAULT_EXCLUDES } from "../layers/excludes.ts";
import { openBuildroot, readLoadersImage } from "../loaders/loaders-image.ts";
import { type OciImage, openImage } from "../oci/open-image.ts";
import { checkOptions, invalidOptions } from "../options/check-options.ts";
import {
	accessFields,
	alsoFields,
	buildrootFields,
	type Field,
	flag,
	imageFields,
	imageReference,
	isObject,
	payloadFields,
	treeFields,
} from "../options/fields.ts";
import {
	type AlsoOptions,
	type BuildrootOptions,
	type ImageOptions,
	openingOptions,
	type PayloadOptions,
	type TreeOptions,
} from "../options/image-options.ts";
import { type NamedImage, openAlso } from "../options/open-beside.ts";
import { openIso } from "../output/iso-file.ts";
import { openPayloads, type PayloadImage } from "../payload/payload-images.ts";
import { LABEL_XATTR, withoutLabels } from "../selinux/choice.ts";
import type { FileInode } from "../tree/inode.ts";
import { digestOfStream } from "./content-digest.ts";
import type { ReadLoaders } from "./medium-check.ts";
import { type ExpectedTree, readImageTree } from "./read-image.ts";
import type { VerifyReport } from "./report.ts";
import { verifyIso } from "./verify-iso.ts";

export interface VerifyOptions extends ImageOptions, TreeOptions, BuildrootOptions, PayloadOptions, AlsoOptions {
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
	...buildrootFields,
	...payloadFields,
	...alsoFields,
	secureBoot: flag(),
} satisfies Record<keyof VerifyOptions, Field>;

/**
 * Verifies an ISO, a path or what can be read like one, against an image where one is given. What is wrong with the ISO is in the report; rejects with
 * `Oci2isoError` where what is given is no ISO, ISO or image cannot be read, options or patterns are wrong or the signal is aborted.
 */
export async function verifyAgainstImage(iso: string | ByteSource, options: VerifyOptions = {}): Promise<VerifyReport> {
	checkOptions(options, fields, []);
	return interruptible(options.signal, async () => {
		if (isByteSource(iso)) {
			await requireIso(iso);
			return verifySource(iso, undefined, options);
		}
		const file = openIso(iso);
		try {
			await requireIso(file, iso);
			return await verifySource(file, file.descriptor, options);
		} finally {
			file.close();
		}
	});
}

/** Throws `Oci2isoError` NOT_AN_ISO (exit 8). */
async function requireIso(source: ByteSource, where?: string): Promise<void> {
	if (await isIso9660(source)) return;
	throw new Oci2isoError({
		code: "NOT_AN_ISO",
		kind: "verification",
		what: source.byteLength === 0 ? "the file is empty" : "it is no ISO",
		where,
		expected: "volume descriptors of ISO 9660 from byte 32768 on",
		remedy: where === undefined ? undefined : `see what it is: file ${where}; an image is looked at by oci2iso inspect`,
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
		selinux,
		allRoot,
	} = options;
	const isExcluded = compileExcludes([...(defaultExcludes ? DEFAULT_EXCLUDES : []), ...exclude]);
	const dropped = withoutLabels(dropXattr, selinux);
	const dropXattrs = compileXattrDropper(dropped);
	const dropsLabels = isDropped(dropped, LABEL_XATTR);
	if (reference === undefined) {
		for (const name of ["buildroot", "payload", "also"] as const)
			if (options[name] !== undefined) throw aloneWithout(name);
		return verifyIso(iso, { descriptor, secureBoot, signal });
	}
	const image = await openImage(reference, openingOptions(options));
	let buildroot: OciImage | undefined;
	let payload: PayloadImage[] | undefined;
	let others: readonly NamedImage[] = [];
	try {
		if (options.buildroot !== undefined) buildroot = await openBuildroot(options.buildroot, image, options);
		payload =
			options.payload &&
			(await openPayloads(
				options.payload.map((each) => ({ reference: each })),
				image,
				options,
				options.payloadFormat ?? "storage",
			));
		others = await openAlso(
			(options.also ?? []).map(({ name, image: each }) => ({ name, reference: each })),
			image,
			options,
		);
		const reading = { isExcluded, dropXattrs, selinux, dropsLabels, allRoot, signal };
		const tree = await readImageTree(image, reading);
		const also = new Map<string, ExpectedTree>();
		for (const { name, image: each } of others) also.set(name, await readImageTree(each, reading));
		const expected = { ...tree, readLoaders: buildroot && loadersReader(buildroot, signal) };
		const carried = payload && { format: options.payloadFormat ?? "storage", images: payload };
		return await verifyIso(iso, { descriptor, expected, also, payload: carried, secureBoot, signal });
	} finally {
		for (const opened of others) await opened.image.close();
		for (const opened of payload ?? []) await opened.close();
		await buildroot?.close();
		await image.close();
	}
}

function loadersReader(buildroot: OciImage, signal: AbortSignal | undefined): ReadLoaders {
	return async (isThem, bootloader) => {
		const { parts, over, files } = await readLoadersImage(buildroot, { isThem, bootloader, signal });
		const digests = new Map<FileInode, string>();
		for (const file of files) digests.set(file, await digestOfStream(parts.tree, file));
		return { parts, over, files, digestOf: (file) => digests.get(file) };
	};
}

function aloneWithout(where: "buildroot" | "payload" | "also"): Oci2isoError {
	return invalidOptions([
		{
			code: "INVALID_OPTION",
			what: "there is no image to compare with",
			where,
			remedy: "give --image too",
		},
	]);
}

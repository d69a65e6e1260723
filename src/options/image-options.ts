import type { OpenImageOptions } from "../oci/open-image.ts";
import {
	type accessFields,
	type alsoFields,
	bootFields,
	type buildrootFields,
	type imageFields,
	type OptionsOf,
	type payloadFields,
	type rootFileSystemFields,
	type treeFields,
} from "./fields.ts";

// What building, inspecting and verifying take alike; the command line's options have the same names.

/** How an image is read. */
export interface AccessOptions extends OptionsOf<typeof accessFields> {}

/** Which image is read, and how. */
export interface ImageOptions extends AccessOptions, OptionsOf<typeof imageFields> {}

/** What the image leaves open. */
export interface BootOptions extends OptionsOf<typeof bootFields> {}

/** Those of them that were given. */
export function bootOptionsOf(options: BootOptions): BootOptions {
	const names = Object.keys(bootFields) as (keyof BootOptions)[];
	return Object.fromEntries(names.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])));
}

/** What of the image's tree is left out of the root file system. */
export interface TreeOptions extends OptionsOf<typeof treeFields> {}

/** Another image that boot loaders come from. */
export interface BuildrootOptions extends OptionsOf<typeof buildrootFields> {}

/** Images that the medium carries. */
export interface PayloadOptions extends OptionsOf<typeof payloadFields> {}

/** Systems beside the image's. */
export interface AlsoOptions extends OptionsOf<typeof alsoFields> {}

/** Format of the root file system, and how it is compressed. */
export interface SquashfsOptions extends OptionsOf<typeof rootFileSystemFields> {}

/** For `openImage`. */
export function openingOptions(options: ImageOptions): OpenImageOptions {
	const {
		platform,
		authFile,
		creds,
		tlsVerify,
		certDir,
		transferPolicy: policy,
		maxLayerBytes,
		maxInodes,
		signal,
	} = options;
	return { platform, authFile, creds, tlsVerify, certDir, policy, maxLayerBytes, maxInodes, signal };
}

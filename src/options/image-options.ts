import type { OpenImageOptions } from "../oci/open-image.ts";
import type { TransferPolicy } from "../oci/registry/options.ts";
import type { PresetName } from "./presets.ts";

// What building, inspecting and verifying take alike; the command line's options have the same names.

/** Which image is read, and how. */
export interface ImageOptions {
	/** `OS/ARCHITECTURE[/VARIANT]`. Default: linux on this machine's architecture. */
	readonly platform?: string | undefined;
	/** Uncompressed bytes of one layer. Default: 1100 times its compressed size, at least 4 GiB and at most 64 GiB. */
	readonly maxLayerBytes?: number | undefined;
	/** Entries of all layers together, whiteouts included. Default: 4 000 000. */
	readonly maxInodes?: number | undefined;
	/** auth.json or config.json with the registry's credentials. Default: `REGISTRY_AUTH_FILE`, else where podman and docker keep theirs. */
	readonly authFile?: string | undefined;
	/** `USER:PASSWORD` for the registry. */
	readonly creds?: string | undefined;
	/** False: accept any certificate, and plain HTTP. Default: as registries.conf says, else true. */
	readonly tlsVerify?: boolean | undefined;
	/** Directory with the registry's CA and client certificates. Default: the places of containers-certs.d(5). */
	readonly certDir?: string | undefined;
	/** Attempts, timeouts and memory of transfers from a registry; what is left out keeps its default. */
	readonly transferPolicy?: Partial<TransferPolicy> | undefined;
	/** Ends the work; nothing is left behind. */
	readonly signal?: AbortSignal | undefined;
}

/** What the image leaves open. */
export interface BootOptions {
	/** Volume label, 1-32 bytes. Default: iso.yaml's, else derived from os-release. */
	readonly label?: string | undefined;
	/** Version directory under `/usr/lib/modules`. Default: the first that has a kernel. */
	readonly kernel?: string | undefined;
	/** EFI vendor directory. Default: the first found. */
	readonly vendor?: string | undefined;
}

/** What of the image's tree is left out of the squashfs. */
export interface TreeOptions {
	/** More patterns to leave out, one POSIX extended regular expression per path component (`mksquashfs -regex -e`). */
	readonly exclude?: readonly string[] | undefined;
	/** Also leave out what the reference converter leaves out. Default: true. */
	readonly defaultExcludes?: boolean | undefined;
	/** Extended attributes to leave out: shell patterns for their full names, for example `security.selinux` or `user.*`. Default: none. */
	readonly dropXattr?: readonly string[] | undefined;
}

/** How the squashfs is compressed. */
export interface SquashfsOptions {
	/** Compressor, level and block size together; each can also be given on its own. Default: `balanced`, zstd 6 with blocks of 1 MiB. */
	readonly preset?: PresetName | undefined;
	/** Default: the preset's, zstd. */
	readonly comp?: "zstd" | "xz" | "gzip" | "lz4" | "none" | undefined;
	/** In the compressor's own range. Default: the preset's (6 for zstd), or where `comp` is not the preset's, the one that mksquashfs takes for it. */
	readonly level?: number | undefined;
	/** A power of two, 4096 to 1048576. Default: the preset's, 1048576, for every compressor. */
	readonly blockSize?: number | undefined;
}

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

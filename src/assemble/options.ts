import { availableParallelism } from "node:os";
import { z } from "zod";
import { DEFAULT_CACHE_BYTES } from "../cache/settings.ts";
import { Oci2isoError } from "../errors.ts";
import type { TransferPolicy } from "../oci/registry/options.ts";
import type { BuildListener } from "../report/events.ts";
import { DEFAULT_PRESET, PRESET_NAMES, type PresetName, presets } from "./presets.ts";

/** What `buildIso` takes; the command line's options have the same names. */
export interface BuildOptions {
	/** Image reference with skopeo's transports, for example `oci:DIR:TAG`; a bare one names a registry's image. */
	readonly image: string;
	/** Path of the ISO, or `-` for standard output. */
	readonly output: string;
	/** `os/arch[/variant]`. Default: linux on this machine's architecture. */
	readonly platform?: string | undefined;
	/** Volume label, 1-32 characters. Default: iso.yaml's, else derived from os-release. */
	readonly label?: string | undefined;
	/** Version directory under `/usr/lib/modules`. Default: the first that has a kernel. */
	readonly kernel?: string | undefined;
	/** EFI vendor directory. Default: the first found. */
	readonly vendor?: string | undefined;
	/** Compressor, level and block size together; each can also be given on its own. Default: `balanced`, zstd 6 with blocks of 1 MiB. */
	readonly preset?: PresetName | undefined;
	/** Compressor of the squashfs. Default: the preset's, zstd. */
	readonly comp?: "zstd" | "xz" | "gzip" | "lz4" | "none" | undefined;
	/** Compression level in the compressor's own range. Default: the preset's (6 for zstd), or where `comp` is not the preset's, the one that mksquashfs takes for it. */
	readonly level?: number | undefined;
	/** Squashfs block size: a power of two, 4096 to 1048576. Default: the preset's, 1048576, for every compressor. */
	readonly blockSize?: number | undefined;
	/** More patterns to leave out of the squashfs, one POSIX extended regular expression per path component (`mksquashfs -regex -e`). */
	readonly exclude?: readonly string[] | undefined;
	/** Also leave out what the reference converter leaves out. Default: true. */
	readonly defaultExcludes?: boolean | undefined;
	/** Extended attributes to leave out of the squashfs: shell patterns for their full names, for example `security.selinux` or `user.*`. Default: none. */
	readonly dropXattr?: readonly string[] | undefined;
	/** Who makes the BIOS core image and the media checksum. Default: `auto` = oci2iso itself, as `builtin`; the bytes are the tools'. */
	readonly tools?: "auto" | "buildroot" | "host" | "builtin" | undefined;
	/** Run the image's tools even where they cannot be confined. Default: false. */
	readonly allowUnconfinedTools?: boolean | undefined;
	/** Directory of the store of compressed blocks, which is made where there is none; a build changes no byte for it. Default: none is used. */
	readonly cache?: string | undefined;
	/** Bytes that the store may hold after a build; what was used longest ago goes first. Default: 10 GiB. */
	readonly cacheSize?: number | undefined;
	/** Artifacts in registries to take blocks and layer indexes from, the first that has them. Only trusted writers should be able to push there. */
	readonly cacheFrom?: readonly string[] | undefined;
	/** Tag in a registry to push this build's blocks and layer indexes to. */
	readonly cacheTo?: string | undefined;
	/** Compression threads. The output does not depend on it. Default: the processors of this machine. */
	readonly jobs?: number | undefined;
	/** Seconds since 1970 for every time stamp of ours. Default: `SOURCE_DATE_EPOCH`, else the image's `created`. */
	readonly sourceDateEpoch?: number | undefined;
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
	/** Uncompressed bytes of one layer. Default: 1100 times its compressed size, at least 4 GiB and at most 64 GiB. */
	readonly maxLayerBytes?: number | undefined;
	/** Entries of all layers together, whiteouts included. Default: 4 000 000. */
	readonly maxInodes?: number | undefined;
	/** Replace an existing output. Default: false. */
	readonly overwrite?: boolean | undefined;
	/** Refuse an image that UEFI Secure Boot would refuse. Default: false, a warning. */
	readonly requireSecureBoot?: boolean | undefined;
	/** Build although checks say that the ISO would not boot. Default: false. */
	readonly force?: boolean | undefined;
	/** Called with the layout of the ISO before its tail is written. */
	readonly onPlan?: ((plan: string) => void) | undefined;
	readonly onEvent?: BuildListener | undefined;
	/** Aborts the build; nothing is left behind. */
	readonly signal?: AbortSignal | undefined;
}

/** `BuildOptions` with every default filled in. */
export interface ResolvedOptions extends Omit<BuildOptions, "onEvent"> {
	readonly comp: NonNullable<BuildOptions["comp"]>;
	readonly blockSize: number;
	readonly exclude: readonly string[];
	readonly defaultExcludes: boolean;
	readonly dropXattr: readonly string[];
	readonly tools: NonNullable<BuildOptions["tools"]>;
	readonly allowUnconfinedTools: boolean;
	readonly cacheSize: number;
	readonly cacheFrom: readonly string[];
	readonly jobs: number;
	readonly overwrite: boolean;
	readonly requireSecureBoot: boolean;
	readonly force: boolean;
	readonly onEvent: BuildListener;
}

const MAX_EPOCH_SECONDS = 2 ** 32 - 1;

const isPowerOfTwo = (value: number): boolean => Number.isInteger(Math.log2(value));

const schema = z.object({
	image: z.string().min(1),
	output: z.string().min(1),
	platform: z
		.string()
		.regex(/^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9]+)?$/, "os/arch or os/arch/variant, for example linux/amd64")
		.optional(),
	label: z.string().min(1).optional(),
	kernel: z.string().min(1).optional(),
	vendor: z.string().min(1).optional(),
	preset: z.enum(PRESET_NAMES).default(DEFAULT_PRESET),
	comp: z.enum(["zstd", "xz", "gzip", "lz4", "none"]).optional(),
	level: z.int().optional(),
	blockSize: z
		.int()
		.min(4096)
		.max(1024 * 1024)
		.refine(isPowerOfTwo, "a power of two")
		.optional(),
	exclude: z.array(z.string().min(1)).default([]),
	defaultExcludes: z.boolean().default(true),
	dropXattr: z.array(z.string().min(1)).default([]),
	tools: z.enum(["auto", "buildroot", "host", "builtin"]).default("auto"),
	allowUnconfinedTools: z.boolean().default(false),
	cache: z.string().min(1).optional(),
	cacheSize: z.int().min(0).default(DEFAULT_CACHE_BYTES),
	cacheFrom: z.array(z.string().min(1)).default([]),
	cacheTo: z.string().min(1).optional(),
	jobs: z.int().min(1).max(1024).optional(),
	sourceDateEpoch: z.int().min(0).max(MAX_EPOCH_SECONDS).optional(),
	authFile: z.string().min(1).optional(),
	creds: z.string().min(1).optional(),
	tlsVerify: z.boolean().optional(),
	certDir: z.string().min(1).optional(),
	overwrite: z.boolean().default(false),
	requireSecureBoot: z.boolean().default(false),
	maxLayerBytes: z.int().min(1).optional(),
	maxInodes: z.int().min(1).optional(),
	force: z.boolean().default(false),
});

/** Checks and completes the options; throws `Oci2isoError` INVALID_OPTION (exit 2) naming every fault. */
export function resolveOptions(options: BuildOptions): ResolvedOptions {
	const { onPlan, onEvent, signal, transferPolicy, ...values } = options;
	const result = schema.safeParse(values);
	if (!result.success) {
		const problems = result.error.issues.map((issue) => ({
			code: "INVALID_OPTION",
			what: issue.message,
			where: `--${issue.path.join(".").replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`,
		}));
		const [first] = problems;
		throw new Oci2isoError({
			code: "INVALID_OPTION",
			kind: "usage",
			what: first?.what ?? "invalid options",
			where: first?.where,
			problems,
		});
	}
	const preset = presets[result.data.preset];
	const comp = result.data.comp ?? preset.comp;
	return {
		...result.data,
		comp,
		// another compressor's levels mean something else
		level: result.data.level ?? (comp === preset.comp ? preset.level : undefined),
		blockSize: result.data.blockSize ?? preset.blockSize,
		jobs: result.data.jobs ?? availableParallelism(),
		onPlan,
		onEvent: onEvent ?? (() => {}),
		signal,
		transferPolicy,
	};
}

/** The time of every stamp that we set, in seconds since 1970: the option, else `SOURCE_DATE_EPOCH`, else when the image was made, else 0. */
export function epochSeconds(
	option: number | undefined,
	environment: string | undefined,
	createdSeconds: number | undefined,
): number {
	if (option !== undefined) return option;
	if (environment === undefined || environment === "") {
		return Math.min(MAX_EPOCH_SECONDS, Math.max(0, createdSeconds ?? 0));
	}
	const seconds = /^\d{1,10}$/.test(environment) ? Number(environment) : Number.NaN;
	if (Number.isNaN(seconds) || seconds > MAX_EPOCH_SECONDS) {
		throw new Oci2isoError({
			code: "INVALID_OPTION",
			kind: "usage",
			what: `SOURCE_DATE_EPOCH is "${environment}"`,
			expected: `seconds since 1970, 0 to ${MAX_EPOCH_SECONDS}`,
		});
	}
	return seconds;
}

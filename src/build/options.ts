import { availableParallelism } from "node:os";
import { DEFAULT_CACHE_BYTES } from "../cache/settings.ts";
import { Oci2isoError } from "../errors.ts";
import { checkOptions } from "../options/check-options.ts";
import {
	bootFields,
	buildFields,
	type Field,
	imageFields,
	imageReference,
	MAX_EPOCH_SECONDS,
	registryFields,
	signalField,
	squashfsFields,
	treeFields,
} from "../options/fields.ts";
import type { BootOptions, ImageOptions, SquashfsOptions, TreeOptions } from "../options/image-options.ts";
import { DEFAULT_PRESET, presets } from "../options/presets.ts";
import type { BuildListener } from "./progress.ts";
import type { BuildReport } from "./report.ts";

/** What `buildIso` takes; the command line's options have the same names. */
export interface BuildOptions extends ImageOptions, BootOptions, TreeOptions, SquashfsOptions {
	/** Image reference with skopeo's transports, for example `oci:DIR:TAG`; a bare one names a registry's image. */
	readonly image: string;
	/** Path of the ISO, or `-` for standard output. */
	readonly output: string;
	/** Who makes the BIOS core image and the media checksum. Default: `auto` = oci2iso itself, as `builtin`; the bytes are the tools'. */
	readonly tools?: "auto" | "buildroot" | "host" | "builtin" | undefined;
	/** Run the image's tools even where they cannot be confined. Default: false. */
	readonly allowUnconfinedTools?: boolean | undefined;
	/** Directory of the store of compressed blocks, which is made where there is none; a build changes no byte for it. Default: none is used. */
	readonly cache?: string | undefined;
	/** Bytes that the store may hold after a build; what was used longest ago goes first. Default: 10 GiB. */
	readonly cacheSize?: number | undefined;
	/** Artifacts in registries to take blocks and layer indexes from, the first that has them. Whoever may push there decides bytes of the ISO, unless there is a `cacheKeyFile`. */
	readonly cacheFrom?: readonly string[] | undefined;
	/** Tag in a registry to push this build's blocks and layer indexes to. */
	readonly cacheTo?: string | undefined;
	/** File with a secret: of `cacheFrom` only what was pushed with it is used, and what is pushed is sealed with it. */
	readonly cacheKeyFile?: string | undefined;
	/** Compression threads. The output does not depend on it. Default: the processors of this machine. */
	readonly jobs?: number | undefined;
	/** Seconds since 1970 for every time stamp of ours. Default: `SOURCE_DATE_EPOCH`, else the image's `created`. */
	readonly sourceDateEpoch?: number | undefined;
	/** Replace an existing output. Default: false. */
	readonly overwrite?: boolean | undefined;
	/** Refuse an image that UEFI Secure Boot would refuse. Default: false, a warning. */
	readonly requireSecureBoot?: boolean | undefined;
	/** Build although checks say that the ISO would not boot. Default: false. */
	readonly force?: boolean | undefined;
	/** Called with the layout of the ISO before its tail is written. */
	readonly onPlan?: ((plan: string) => void) | undefined;
	/** Given the report when the ISO is whole and before it has its name. Where it rejects, so does the build, and no ISO is left. */
	readonly onReport?: ((report: BuildReport) => Promise<void>) | undefined;
	readonly onEvent?: BuildListener | undefined;
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

const fields = {
	image: imageReference,
	...imageFields,
	...registryFields,
	...bootFields,
	...treeFields,
	...squashfsFields,
	...buildFields,
	signal: signalField,
} satisfies Record<keyof BuildOptions, Field>;

/** Checks and completes the options; throws `Oci2isoError` INVALID_OPTION (exit 2) naming every fault. */
export function resolveOptions(options: BuildOptions): ResolvedOptions {
	checkOptions(options, fields, ["image", "output"]);
	const preset = presets[options.preset ?? DEFAULT_PRESET];
	const comp = options.comp ?? preset.comp;
	return {
		...options,
		comp,
		// another compressor's levels mean something else
		level: options.level ?? (comp === preset.comp ? preset.level : undefined),
		blockSize: options.blockSize ?? preset.blockSize,
		exclude: options.exclude ?? [],
		defaultExcludes: options.defaultExcludes ?? true,
		dropXattr: options.dropXattr ?? [],
		tools: options.tools ?? "auto",
		allowUnconfinedTools: options.allowUnconfinedTools ?? false,
		cacheSize: options.cacheSize ?? DEFAULT_CACHE_BYTES,
		cacheFrom: options.cacheFrom ?? [],
		jobs: options.jobs ?? availableParallelism(),
		overwrite: options.overwrite ?? false,
		requireSecureBoot: options.requireSecureBoot ?? false,
		force: options.force ?? false,
		onEvent: options.onEvent ?? (() => {}),
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

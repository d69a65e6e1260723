import { endianness } from "node:os";
import { Oci2isoError } from "../errors.ts";

/** What an image runs on, in Go's names: `{ os: "linux", architecture: "arm64", variant: "v8" }`. */
export interface Platform {
	readonly os: string;
	readonly architecture: string;
	readonly variant?: string | undefined;
}

const ALIASES: ReadonlyMap<string, Platform> = new Map([
	["x86_64", { os: "", architecture: "amd64" }],
	["x86-64", { os: "", architecture: "amd64" }],
	["aarch64", { os: "", architecture: "arm64" }],
	["armhf", { os: "", architecture: "arm", variant: "v7" }],
	["armel", { os: "", architecture: "arm", variant: "v6" }],
	["i386", { os: "", architecture: "386" }],
	["i686", { os: "", architecture: "386" }],
]);

const NODE_ARCHITECTURES: ReadonlyMap<string, string> = new Map([
	["x64", "amd64"],
	["ia32", "386"],
	["ppc64", endianness() === "LE" ? "ppc64le" : "ppc64"],
	["mipsel", "mipsle"],
]);

/** Variants, best first; a machine that runs one runs all after it. The baseline is what an absent variant means. */
const VARIANTS: ReadonlyMap<string, { readonly order: readonly string[]; readonly baseline: string }> = new Map([
	["amd64", { order: ["v4", "v3", "v2", "v1"], baseline: "v1" }],
	["arm64", { order: ["v9", "v8"], baseline: "v8" }],
	["arm", { order: ["v8", "v7", "v6", "v5"], baseline: "v7" }],
]);

/** `OS/ARCHITECTURE[/VARIANT]`; throws `Oci2isoError` PLATFORM_INVALID (exit 2). */
export function parsePlatform(text: string): Platform {
	const match = /^([a-z0-9]+)\/([a-z0-9_-]+)(?:\/([a-z0-9._-]+))?$/i.exec(text);
	const [, os, name, variant] = match ?? [];
	if (os === undefined || name === undefined)
		throw new Oci2isoError({
			code: "PLATFORM_INVALID",
			kind: "usage",
			what: `"${text.slice(0, 64)}" is no platform`,
			expected: "OS/ARCHITECTURE[/VARIANT], for example linux/amd64",
		});
	const alias = ALIASES.get(name.toLowerCase());
	return {
		os: os.toLowerCase(),
		architecture: alias?.architecture ?? name.toLowerCase(),
		variant: variant?.toLowerCase() ?? alias?.variant,
	};
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
	const base = `${os || "unknown"}/${architecture || "unknown"}`;
	return variant === undefined || variant === "" ? base : `${base}/${variant}`;
}

/** Linux on this machine's architecture. */
export function hostPlatform(): Platform {
	return { os: "linux", architecture: NODE_ARCHITECTURES.get(process.arch) ?? process.arch };
}

/**
 * How well `offered` serves `wanted`: 0 is best, undefined is not at all. A variant is served by itself, then by lesser ones;
 * no variant by the architecture's baseline, then by the least variant offered.
 */
export function platformRank(offered: Platform, wanted: Platform): number | undefined {
	if (offered.os !== wanted.os || offered.architecture !== wanted.architecture) return undefined;
	const variants = VARIANTS.get(wanted.architecture);
	const wantedVariant = wanted.variant || variants?.baseline || "";
	const offeredVariant = offered.variant || variants?.baseline || "";
	if (offeredVariant === wantedVariant) return 0;
	const order = variants?.order ?? [];
	const wantedAt = order.indexOf(wantedVariant);
	const offeredAt = order.indexOf(offeredVariant);
	if (wantedAt < 0 || offeredAt < 0) return undefined;
	if (offeredAt > wantedAt) return offeredAt - wantedAt;
	return wanted.variant ? undefined : order.length + wantedAt - offeredAt;
}

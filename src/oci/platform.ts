import { endianness } from "node:os";
import { Oci2isoError } from "../errors.ts";

/** What an image runs on, in Go's names: `{ os: "linux", architecture: "arm64", variant: "v8" }`. */
export interface Platform {
	readonly os: string;
	readonly architecture: string;
	readonly variant?: string | undefined;
}

/** What kernels, distributions and other tools call Go's architectures. */
const ALIASES: ReadonlyMap<string, Omit<Platform, "os">> = new Map([
	["x86_64", { architecture: "amd64" }],
	["x86-64", { architecture: "amd64" }],
	["x64", { architecture: "amd64" }],
	["aarch64", { architecture: "arm64" }],
	["armv8l", { architecture: "arm", variant: "v8" }],
	["armhf", { architecture: "arm", variant: "v7" }],
	["armv7", { architecture: "arm", variant: "v7" }],
	["armv7l", { architecture: "arm", variant: "v7" }],
	["armv7hl", { architecture: "arm", variant: "v7" }],
	["armel", { architecture: "arm", variant: "v6" }],
	["armv6", { architecture: "arm", variant: "v6" }],
	["armv6l", { architecture: "arm", variant: "v6" }],
	["armv6hl", { architecture: "arm", variant: "v6" }],
	["armv5", { architecture: "arm", variant: "v5" }],
	["i386", { architecture: "386" }],
	["i486", { architecture: "386" }],
	["i586", { architecture: "386" }],
	["i686", { architecture: "386" }],
	["x86", { architecture: "386" }],
	["ppc64el", { architecture: "ppc64le" }],
	["powerpc64le", { architecture: "ppc64le" }],
	["powerpc64", { architecture: "ppc64" }],
	["loongarch64", { architecture: "loong64" }],
	["mipsel", { architecture: "mipsle" }],
	["mips64el", { architecture: "mips64le" }],
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
	return canonicalPlatform({ os, architecture: name, variant });
}

/** In Go's names and in lower case, whatever names an image or a user has for it; a variant that is given goes before one that a name implies. */
export function canonicalPlatform({ os, architecture, variant }: Platform): Platform {
	const name = architecture.trim().toLowerCase();
	const alias = ALIASES.get(name);
	const canonical = alias?.architecture ?? name;
	const given = variant?.trim().toLowerCase() || undefined;
	// arm's variants are written without their letter, too
	const isBare = given !== undefined && given.length === 1 && given >= "0" && given <= "9";
	return {
		os: os.trim().toLowerCase(),
		architecture: canonical,
		variant: isBare && canonical.startsWith("arm") ? `v${given}` : (given ?? alias?.variant),
	};
}

/** Whether `--platform` can name it. */
export function isNameable(platform: Platform): boolean {
	try {
		return formatPlatform(parsePlatform(formatPlatform(platform))) === formatPlatform(platform);
	} catch {
		return false;
	}
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

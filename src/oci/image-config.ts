import * as z from "zod";
import { corrupt } from "../errors.ts";
import { digestSchema } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import { parseDocument } from "./json-document.ts";

/** The parts of OCI image-spec config.md that matter to a file system. */
export interface ImageConfig {
	/** When the image was made, whole Unix seconds rounded down. Absent where the image does not say or says Go's zero time. */
	readonly createdSeconds: number | undefined;
	/** GOARCH name, for example "amd64"; "" where the image does not say. */
	readonly architecture: string;
	/** GOOS name; "" where the image does not say. */
	readonly os: string;
	readonly variant: string | undefined;
	readonly labels: ReadonlyMap<string, string>;
	/** Digests of the uncompressed layers, bottom first. */
	readonly diffIds: readonly Digest[];
}

const configSchema = z.object({
	created: z.string().nullish(),
	architecture: z.string().nullish(),
	os: z.string().nullish(),
	variant: z.string().nullish(),
	config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }).nullish(),
	rootfs: z.object({
		// left out by some writers; there is only one
		type: z.custom<string>((value) => value === "layers" || value === "", "layers").nullish(),
		diff_ids: z.array(digestSchema).nullish(),
	}),
});

/** `layerCount` is the manifest's. Throws `Oci2isoError` CONFIG_INVALID (exit 5), also where the configuration has another number of layers. */
export function parseImageConfig(bytes: Uint8Array, digest: Digest, layerCount: number): ImageConfig {
	const origin = { code: "CONFIG_INVALID", name: "image configuration", where: digest };
	const { created, architecture, os, variant, config, rootfs } = parseDocument(bytes, configSchema, origin);
	const diffIds = rootfs.diff_ids ?? [];
	if (diffIds.length !== layerCount)
		throw corrupt(
			origin.code,
			`image configuration has ${diffIds.length} diff_ids`,
			origin.where,
			`${layerCount}, one for each layer of the manifest`,
		);
	return {
		createdSeconds: secondsOf(created ?? undefined, origin.where),
		architecture: architecture ?? "",
		os: os ?? "",
		variant: variant === null || variant === "" ? undefined : variant,
		labels: new Map(Object.entries(config?.Labels ?? {})),
		diffIds,
	};
}

const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,30})?(?:[Zz]|[+-]\d\d:\d\d)$/;

function secondsOf(created: string | undefined, where: string): number | undefined {
	if (created === undefined || created === "") return undefined;
	// ECMAScript guarantees milliseconds only; the digits below the second are dropped anyway
	const seconds = RFC_3339.test(created) ? Date.parse(created.toUpperCase().replace(/\.\d+/, "")) / 1000 : Number.NaN;
	if (Number.isNaN(seconds))
		throw corrupt("CONFIG_INVALID", `created is "${created.slice(0, 64)}"`, where, "a date and time as in RFC 3339");
	return created.startsWith("0001-01-01T") ? undefined : seconds;
}

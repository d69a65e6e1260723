import * as z from "zod";
import { digestOf } from "./digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "./media-types.ts";

const listSchema = z.looseObject({ manifests: z.array(z.looseObject({ digest: z.string() })) });
const manifestSchema = z.object({ artifactType: z.string() });

/**
 * The list of manifests about another one, under the tag that its digest gives, with `manifest` in it: for registries without the referrers API
 * (distribution-spec 1.1, "Referrers Tag Schema"). What is no list is replaced.
 */
export function referrersWith(existing: Uint8Array | undefined, manifest: Uint8Array): Buffer {
	const own = referrerDescriptor(manifest);
	const others = (listed(existing) ?? []).filter((entry) => entry.digest !== own.digest);
	return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [...others, own] }));
}

/** Of a manifest about another one, as lists have it. */
export function referrerDescriptor(manifest: Uint8Array) {
	const { artifactType } = manifestSchema.parse(JSON.parse(Buffer.from(manifest).toString("utf8")));
	return { mediaType: OCI_MANIFEST, digest: digestOf(manifest), size: manifest.byteLength, artifactType };
}

function listed(bytes: Uint8Array | undefined) {
	try {
		return listSchema.parse(JSON.parse(Buffer.from(bytes ?? []).toString("utf8"))).manifests;
	} catch {
		return undefined;
	}
}

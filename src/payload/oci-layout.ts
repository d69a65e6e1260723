import { ISO_PATHS } from "../boot/iso-paths.ts";
import type { MediumFile } from "../medium/medium-file.ts";
import { REF_NAME } from "../oci/descriptor.ts";
import { digestOf } from "../oci/digest.ts";
import { layoutPath } from "../oci/layout-source.ts";
import { OCI_INDEX } from "../oci/media-types.ts";
import type { PayloadImage } from "./payload-images.ts";

/**
 * An OCI image layout (image-layout.md 1.0.0) of these images at `ISO_PATHS.payloadLayout`, with the blobs as they are stored, each once. What is of one
 * platform is written of an image of several.
 */
export function payloadLayoutFiles(payloads: readonly PayloadImage[]): MediumFile[] {
	const index = {
		schemaVersion: 2,
		mediaType: OCI_INDEX,
		manifests: payloads.map(({ name, manifest }) => ({
			mediaType: manifest.mediaType,
			digest: manifest.digest,
			size: manifest.bytes.byteLength,
			annotations: { [REF_NAME]: name },
		})),
	};
	const files = [
		made("oci-layout", Buffer.from(JSON.stringify({ imageLayoutVersion: "1.0.0" }))),
		made("index.json", Buffer.from(JSON.stringify(index))),
		...payloads.flatMap(({ manifest, distribution }) => [
			made(layoutPath(manifest.digest), manifest.bytes),
			...(distribution?.blobs ?? []).map(
				({ digest, size, read }): MediumFile => file(layoutPath(digest), digest, size, read),
			),
		]),
	];
	return [...new Map(files.map((each) => [each.path, each])).values()];
}

function made(path: string, bytes: Uint8Array): MediumFile {
	return file(path, digestOf(bytes), bytes.byteLength, async function* () {
		yield bytes;
	});
}

function file(path: string, contentKey: string, byteLength: number, stream: MediumFile["stream"]): MediumFile {
	return { path: `${ISO_PATHS.payloadLayout}/${path}`, contentKey, byteLength, stream };
}

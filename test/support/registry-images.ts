import type { OciImage } from "../../src/oci/open-image.ts";
import { run } from "./run.ts";

/** The bytes of every layer's archive, bottom first; layers are read from the top as a build does. */
export async function readArchives(image: OciImage, signal?: AbortSignal): Promise<Buffer[]> {
	const archives: Buffer[] = [];
	for (const layer of image.layers.toReversed()) {
		const pieces: Buffer[] = [];
		for await (const piece of layer.tar(signal)) pieces.push(Buffer.from(piece));
		archives.unshift(Buffer.concat(pieces));
	}
	return archives;
}

/** Copies an image with skopeo; `docker://` destinations without certificate checks. */
export async function skopeoCopy(from: string, to: string, ...options: string[]): Promise<void> {
	const flags = ["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", "--src-tls-verify=false"];
	await run("skopeo", [...flags, ...options, from, to]);
}

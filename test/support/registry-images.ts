import { createHash } from "node:crypto";
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

/** Bytes that do not compress, the same for the same seed. */
export function noise(seed: string, byteLength: number): Buffer {
	const pieces = Array.from({ length: Math.ceil(byteLength / 32) }, (_, i) =>
		createHash("sha256").update(`${seed}/${i}`).digest(),
	);
	return Buffer.concat(pieces).subarray(0, byteLength);
}

/** Copies an image with skopeo; `docker://` destinations without certificate checks. */
export async function skopeoCopy(from: string, to: string, ...options: string[]): Promise<void> {
	const flags = ["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", "--src-tls-verify=false"];
	await run("skopeo", [...flags, ...options, from, to]);
}

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll } from "vitest";
import { Oci2isoError } from "../../../src/errors.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { type OciImage, type OpenImageOptions, openImage } from "../../../src/oci/open-image.ts";
import { filesBelow, tarOf } from "../../support/oci-archive.ts";
import { blobPath } from "../../support/oci-layout.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

/** Digests of the uncompressed layers, read to the end. */
export async function contentsOf(image: OciImage): Promise<string[]> {
	const digests: string[] = [];
	for (const layer of image.layers) {
		const pieces: Buffer[] = [];
		for await (const chunk of layer.tar()) pieces.push(Buffer.from(chunk));
		digests.push(digestOf(Buffer.concat(pieces)));
	}
	return digests;
}

export const amd64: OpenImageOptions = { platform: "linux/amd64" };

export async function failure(reference: string, options: OpenImageOptions = amd64): Promise<Oci2isoError> {
	try {
		const image = await openImage(reference, options);
		await contentsOf(image);
	} catch (error) {
		if (error instanceof Oci2isoError) return error;
		throw error;
	}
	throw new Error("no error");
}

export async function codeOf(reference: string, options: OpenImageOptions = amd64): Promise<string> {
	const { kind, code } = await failure(reference, options);
	return `${kind} ${code}`;
}

/** Layers, and places for images of them, while the tests of a file run. */
export function imagePlaces() {
	const scratch = temporaryDirectory("open-image");
	let count = 0;
	const fresh = (): string => join(scratch, `${count++}`);

	const tars: Buffer[] = [];
	const contents: string[] = [];
	beforeAll(async () => {
		for (const name of ["base", "middle", "top"])
			tars.push(await tarOf([{ name, bytes: Buffer.from(name.repeat(5000)) }]));
		contents.push(...tars.map((bytes) => digestOf(bytes)));
	});
	const layers = (...compressions: ("none" | "gzip" | "zstd")[]) =>
		compressions.map((compression, index) => ({ tar: tars[index] ?? Buffer.alloc(0), compression }));

	async function asArchive(directory: string, prefix = ""): Promise<string> {
		const file = `${fresh()}.tar`;
		writeFileSync(file, await tarOf(filesBelow(directory).map(({ name, bytes }) => ({ name: prefix + name, bytes }))));
		return file;
	}

	/** Copies an image layout's image the way skopeo writes `dir:`. */
	function asDirectory(
		layout: string,
		image: { manifest: { digest: `sha256:${string}` | `sha512:${string}` } },
	): string {
		const directory = fresh();
		mkdirSync(directory);
		for (const { name, bytes } of filesBelow(join(layout, "blobs")))
			writeFileSync(join(directory, name.split("/")[1] ?? ""), bytes);
		writeFileSync(join(directory, "manifest.json"), readFileSync(blobPath(layout, image.manifest.digest)));
		writeFileSync(join(directory, "version"), "Directory Transport Version: 1.1\n");
		return directory;
	}

	return { scratch, fresh, tars, contents, layers, asArchive, asDirectory };
}

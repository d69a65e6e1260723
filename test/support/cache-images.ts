import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { STORE_VERSION } from "../../src/cache/settings.ts";
import { contractLayers } from "./contract-image.ts";
import { noise } from "./noise.ts";
import { blobPath, type WrittenLayout, writeOciLayout } from "./oci-layout.ts";
import { type TarMember, tarArchive } from "./tar-fixtures.ts";

/** Squashfs block size of the builds: small, so that small images have many blocks. */
export const BLOCK_BYTES = 4096;

/** Text that compresses, different for every name. */
export function words(name: string, byteLength: number): Buffer {
	const seed = noise(64, name).toString("hex");
	const line = (i: number): string => `${seed.slice(i % 60, (i % 60) + 40)} ${i}\n`;
	const text = Array.from({ length: Math.ceil(byteLength / 40) }, (_, i) => line(i)).join("");
	return Buffer.from(text).subarray(0, byteLength);
}

const file = (path: string, content: Buffer): TarMember => ({ type: "file", path, content });

/** A layer of many small files, a few of several blocks, copies, zeros, links and attributes. */
export function dataLayer(name: string, files = 120): TarMember[] {
	const small = Array.from({ length: files }, (_, i) =>
		file(`data/${name}/${i}`, words(`${name}-${i}`, 40 + ((i * 397) % 3900))),
	);
	return [
		{ type: "directory", path: `data/${name}/`, xattrs: new Map([["user.layer", Buffer.from(name)]]) },
		...small,
		file(`data/${name}/large`, words(`${name}-large`, 70_000)),
		file(`data/${name}/noise`, noise(30_000, `${name}-noise`)),
		file(`data/${name}/zeros`, Buffer.concat([words(name, 5000), Buffer.alloc(50_000), words(name, 3000)])),
		file(`data/${name}/copy`, words(`${name}-large`, 70_000)),
		file(`data/${name}/nearly`, Buffer.concat([words(`${name}-large`, 40_960), noise(9000, name)])),
		file(`data/${name}/everywhere`, words("everywhere", 20_000)),
		{ type: "hard-link", path: `data/${name}/link`, linkTarget: `data/${name}/large` },
		{ type: "symlink", path: `data/${name}/symlink`, linkTarget: "large" },
		file(`boot/efi/EFI/test/${name}.txt`, words(`efi-${name}`, 6000)),
	];
}

/** Layers of a convertible image with data in each of the named ones, bottom first. */
export function imageLayers(...data: readonly (readonly TarMember[])[]): Buffer[] {
	return [...contractLayers(), ...data.map((members) => tarArchive(members))];
}

/** An entry that a symbolic link leads elsewhere: its content is passed over at first, and fetched afterwards. */
export function passedOver(): { lower: TarMember[]; upper: TarMember[] } {
	return {
		lower: [
			{ type: "directory", path: "real/" },
			{ type: "symlink", path: "alias", linkTarget: "real" },
			file("alias/late", words("late", 9000)),
			file("hidden/later", words("later", 9000)),
		],
		upper: [file("alias", Buffer.from("no directory any more")), file("hidden/.wh.later", Buffer.alloc(0))],
	};
}

export function writeCacheImage(directory: string, layers: readonly Buffer[]): WrittenLayout {
	return writeOciLayout(directory, { layers: layers.map((tar) => ({ tar, compression: "gzip" })) });
}

/** Overwrites the blobs of layers: whoever reads one fails. */
export function spoilLayers(directory: string, layout: WrittenLayout, from = 0): void {
	for (const { digest, size } of layout.layers.slice(from))
		writeFileSync(blobPath(directory, digest), Buffer.alloc(size));
}

export function storeFiles(cache: string, kind: "layers" | "packs"): string {
	return join(cache, `v${STORE_VERSION}`, kind);
}

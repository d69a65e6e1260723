import { corrupt } from "../errors.ts";
import type { ImageSource } from "./blob-source.ts";
import { type Digest, digestAlgorithm, digestHex, digestOf } from "./digest.ts";
import { unsupported } from "./failures.ts";
import type { FileRegion } from "./file-region.ts";
import { type FileStore, readSmallFile } from "./file-store.ts";
import { storedBlobs } from "./layout-source.ts";
import { parseManifest } from "./manifest.ts";

/** skopeo's `dir:` transport: manifest.json as it was served, and beside it blobs named by the digest's hexadecimal digits. */
export function directorySource(store: FileStore): ImageSource {
	const find = async (digest: Digest): Promise<FileRegion | undefined> => {
		const hex = digestHex(digest);
		const stem = digestAlgorithm(digest) === "sha256" ? [hex] : [hex, `${digestAlgorithm(digest)}-${hex}`];
		for (const name of stem.flatMap((text) => [text, `${text}.manifest.json`])) {
			const region = await store.find(name);
			if (region !== undefined) return region;
		}
		return undefined;
	};
	return {
		...storedBlobs(store, find),
		notes: store.notes,
		async root(signal) {
			const version = (await readSmallFile(store, "version", signal))?.toString("latin1");
			if (version !== undefined && !/^Directory Transport Version: 1\.\d+\s*$/.test(version))
				throw corrupt(
					"DIRECTORY_INVALID",
					"the file version names no version that is known",
					store.path,
					"Directory Transport Version: 1.1",
				);
			const bytes = await readSmallFile(store, "manifest.json", signal);
			if (bytes === undefined) {
				const isLayout = (await store.find("index.json")) !== undefined;
				throw unsupported(
					"IMAGE_NOT_FOUND",
					"manifest.json is missing",
					store.path,
					isLayout ? "it looks like oci:" : undefined,
				);
			}
			return parseManifest(bytes, digestOf(bytes), undefined);
		},
		close: () => store.close(),
	};
}

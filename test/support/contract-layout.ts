import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { contractLayers } from "./contract-image.ts";
import { withExtraLayer } from "./large-layout.ts";
import { writeOciLayout } from "./oci-layout.ts";

/** An image that can be converted with `--tools builtin`, with the given archives as its upper layers. `directory` must not exist. */
export function writeContractLayout(directory: string, archives: readonly Uint8Array[]): string {
	mkdirSync(directory);
	const layers = [...contractLayers(), ...archives];
	return writeOciLayout(directory, { layers: layers.map((tar) => ({ tar, compression: "none" })) }).reference;
}

/** The same with one upper layer that `write` streams. */
export function streamContractLayout(
	directory: string,
	write: (append: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<string> {
	const base = join(directory, "base");
	mkdirSync(base, { recursive: true });
	writeOciLayout(base, { layers: contractLayers().map((tar) => ({ tar, compression: "none" })) });
	return withExtraLayer(base, join(directory, "image"), write);
}

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * Where a compiled part of this package is: what was compiled on this machine, else, and only in a published package, what was compiled for its kind of
 * machine when it was packed. The former where there is neither.
 */
export function builtFile(name: "oci2iso.node" | "oci2iso_confine"): string {
	const compiled = placeOf(`build/Release/${name}`);
	const prebuilt = placeOf(`prebuilt/${process.platform}-${process.arch}/${name}`);
	return !existsSync(compiled) && existsSync(prebuilt) ? prebuilt : compiled;
}

function placeOf(path: string): string {
	return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}

import type { Parsed } from "./packages.ts";
import { readStanzas } from "./stanzas.ts";

/** Package, version, architecture, licence, origin, URL, maintainer. */
const FIELDS = new Set(["P", "V", "A", "L", "o", "U", "m"]);

/** apk's list of what is installed. */
export function* parseApkInstalled(text: string): Parsed {
	for (const stanza of readStanzas(text, FIELDS)) {
		const name = stanza?.get("P");
		if (stanza === undefined || name === undefined) {
			yield undefined;
			continue;
		}
		const origin = stanza.get("o");
		yield {
			type: "apk",
			name,
			version: stanza.get("V") ?? "",
			architecture: stanza.get("A"),
			upstream: origin === name ? undefined : origin,
			license: stanza.get("L"),
			supplier: stanza.get("m"),
			homepage: stanza.get("U"),
		};
	}
}

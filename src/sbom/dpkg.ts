import type { Parsed } from "./packages.ts";
import { readStanzas } from "./stanzas.ts";

const FIELDS = new Set(["Package", "Status", "Version", "Architecture", "Source", "Maintainer", "Homepage"]);
/** Of these, no program is there. */
const ABSENT = new Set(["not-installed", "config-files"]);

/** dpkg's status file, or one of a package alone as distroless images have it, without a `Status`. */
export function* parseDpkgStatus(text: string): Parsed {
	for (const stanza of readStanzas(text, FIELDS)) {
		const name = stanza?.get("Package");
		const state = stanza?.get("Status")?.split(" ").at(-1);
		if (stanza === undefined || name === undefined || (state !== undefined && ABSENT.has(state))) {
			yield undefined;
			continue;
		}
		yield {
			type: "deb",
			name,
			version: stanza.get("Version") ?? "",
			architecture: stanza.get("Architecture"),
			upstream: upstreamOf(stanza.get("Source")),
			supplier: stanza.get("Maintainer"),
			homepage: stanza.get("Homepage"),
		};
	}
}

/** Of `NAME` or `NAME (VERSION)`. */
function upstreamOf(source: string | undefined): string | undefined {
	const open = source?.indexOf(" (") ?? -1;
	if (source === undefined || open < 0 || !source.endsWith(")")) return source;
	return `${source.slice(0, open)}@${source.slice(open + 2, -1)}`;
}

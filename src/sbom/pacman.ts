import type { InstalledPackage } from "./packages.ts";

const FIELDS = new Set(["NAME", "VERSION", "ARCH", "LICENSE", "BASE", "URL", "PACKAGER"]);

/** One package's `desc` of pacman's local database: `%FIELD%` lines, each with values below it, up to an empty line. */
export function parsePacmanDesc(text: string): InstalledPackage {
	const fields = new Map<string, string[]>();
	let values: string[] | undefined;
	for (let at = 0; at < text.length; ) {
		const newline = text.indexOf("\n", at);
		const end = newline < 0 ? text.length : newline;
		const line = text.slice(at, end);
		at = end + 1;
		if (line === "") values = undefined;
		else if (values !== undefined) values.push(line);
		else if (line.startsWith("%") && line.endsWith("%")) {
			const name = line.slice(1, -1);
			values = [];
			if (FIELDS.has(name) && !fields.has(name)) fields.set(name, values);
		}
	}
	const first = (name: string): string | undefined => fields.get(name)?.[0];
	const licenses = fields.get("LICENSE") ?? [];
	return {
		type: "alpm",
		name: first("NAME") ?? "",
		version: first("VERSION") ?? "",
		architecture: first("ARCH"),
		upstream: first("BASE"),
		// each may be an expression
		license:
			licenses.length > 1
				? licenses.map((each) => (each.includes(" ") ? `(${each})` : each)).join(" AND ")
				: licenses[0],
		supplier: first("PACKAGER"),
		homepage: first("URL"),
	};
}

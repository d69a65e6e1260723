/** Of documents, by their names on the command line. */
export const SBOM_FORMATS = ["spdx", "cyclonedx"] as const;
export type SbomFormat = (typeof SBOM_FORMATS)[number];

/** As IANA has them. */
export const SBOM_MEDIA_TYPES: Readonly<Record<SbomFormat, string>> = {
	spdx: "application/spdx+json",
	cyclonedx: "application/vnd.cyclonedx+json",
};

/** By which their readers know them. */
const SUFFIXES: Readonly<Record<SbomFormat, string>> = { spdx: ".spdx.json", cyclonedx: ".cdx.json" };
const MEDIUM_SUFFIX = /\.iso$/i;

/** Where a medium's document goes: beside `NAME.iso` as `NAME.spdx.json` or `NAME.cdx.json`. */
export function sbomPathOf(output: string, format: SbomFormat): string {
	return `${output.replace(MEDIUM_SUFFIX, "")}${SUFFIXES[format]}`;
}

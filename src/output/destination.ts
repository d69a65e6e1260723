import { withoutTrailing } from "../binary/trim-end.ts";
import { Oci2isoError } from "../errors.ts";
import { resolvePlace } from "./place.ts";

/** Where a build's result goes, as `--output` says it. */
export type Destination =
	/** A file, or `-` for standard output. */
	| { readonly kind: "iso"; readonly path: string }
	/** A directory of files for network boot. */
	| { readonly kind: "pxe"; readonly directory: string }
	/** A tag in a registry, for the ISO as an OCI artifact. */
	| { readonly kind: "registry"; readonly reference: string }
	/** A tag of an image layout in a directory, for the same. */
	| { readonly kind: "layout"; readonly directory: string; readonly tag: string };

/** Words before a colon that other tools read as a place of another kind; a file of such a name is written `./NAME`. */
const OTHER_KINDS = /^(pxe-tar|oci-archive|docker|dir|s3|https?|file|iso):/;

/** `pxe:DIR`, `docker://REF` (also `oci-artifact:REF`), `oci:DIR[:TAG]`, or the path of an ISO. Throws `Oci2isoError` INVALID_OPTION (exit 2) for what names another kind of place, and for `pxe:` alone. */
export function parseDestination(text: string): Destination {
	if (text.startsWith("pxe:")) {
		const given = text.slice("pxe:".length);
		const directory = withoutTrailing(given, "/") || given;
		if (directory === "") throw invalid("it names no directory", text, "pxe:DIR");
		return { kind: "pxe", directory };
	}
	const [, reference] = /^(?:docker:\/\/|oci-artifact:(?:\/\/)?)(.+)$/s.exec(text) ?? [];
	if (reference !== undefined) return { kind: "registry", reference };
	const [, directory, tag = "latest"] = /^oci:([^:]+)(?::([\w][\w.-]{0,127}))?$/.exec(text) ?? [];
	if (directory !== undefined) return { kind: "layout", directory: withoutTrailing(directory, "/") || directory, tag };
	if (text.startsWith("oci:")) throw invalid("it names no tag of a layout", text, "oci:DIR or oci:DIR:TAG");
	if (OTHER_KINDS.test(text))
		throw invalid(
			"nothing is written there",
			text,
			"the path of an ISO, -, pxe:DIR, oci:DIR:TAG, or docker://HOST/NAME:TAG",
		);
	return { kind: "iso", path: text };
}

/** Throws as `parseDestination`. */
export function parseDestinations(output: string | readonly string[]): readonly Destination[] {
	return (typeof output === "string" ? [output] : output).map(parseDestination);
}

/** Paths of ISOs that have a name: all but standard output's. */
export function namedIsos(destinations: readonly Destination[]): string[] {
	return destinations.flatMap((to) => (to.kind === "iso" && resolvePlace(to.path).kind !== "stdout" ? [to.path] : []));
}

/** What is beside the results is called after the first of them that has a name; undefined where none has. */
export function nameFor(destinations: readonly Destination[]): string | undefined {
	const [directory] = destinations.flatMap((to) => (to.kind === "pxe" ? [to.directory] : []));
	return namedIsos(destinations)[0] ?? directory;
}

function invalid(what: string, text: string, expected: string): Oci2isoError {
	return new Oci2isoError({
		code: "INVALID_OPTION",
		kind: "usage",
		what: `${what}: ${text}`,
		where: "output",
		expected,
		remedy: `for a file of that name write ./${text}`,
	});
}

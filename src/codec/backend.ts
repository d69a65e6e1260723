import { fileURLToPath } from "node:url";
import { Oci2isoError } from "../errors.ts";
import type { CodecBackend, CodecName } from "./types.ts";

/** Compiles the addon and the launcher of confined tools, in a checkout and where oci2iso is a dependency, install scripts forbidden or not. */
export const BUILD_COMMAND = `node ${fileURLToPath(new URL("../../scripts/build-native.mjs", import.meta.url))}`;
const VARIABLE = "OCI2ISO_CODEC_BACKEND";

/** What the caller asks for, or the environment, or `auto`. Throws `Oci2isoError` (usage) for an unknown word in the environment. */
export function codecBackend(requested?: CodecBackend): CodecBackend {
	const word = requested ?? process.env[VARIABLE] ?? "auto";
	if (word === "native" || word === "portable" || word === "auto") return word;
	throw new Oci2isoError({
		code: "UNKNOWN_CODEC_BACKEND",
		kind: "usage",
		what: `unknown codec backend "${word}"`,
		where: `environment variable ${VARIABLE}`,
		expected: "native, portable or auto",
	});
}

/** No encoder or decoder of `codec` works here (exit 2). */
export function codecUnavailable(codec: CodecName, what: string): Oci2isoError {
	const needs = codec === "xz" ? "a C++ compiler and liblzma's headers (liblzma-dev, xz-devel)" : "a C++ compiler";
	return new Oci2isoError({
		code: "CODEC_UNAVAILABLE",
		kind: "usage",
		what,
		remedy: `install ${needs} and run \`${BUILD_COMMAND}\`, or choose another --comp`,
	});
}

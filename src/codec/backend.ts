import { Oci2isoError } from "../errors.ts";
import type { CodecBackend } from "./types.ts";

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

export function codecUnavailable(what: string, cause?: unknown): Oci2isoError {
	return new Oci2isoError({
		code: "CODEC_UNAVAILABLE",
		kind: "usage",
		what,
		remedy: "install a C++ compiler and run npm run build:native, or choose another --comp",
		cause,
	});
}

import type * as z from "zod";
import { corrupt } from "../errors.ts";
import { describeIssue } from "./schema-issue.ts";

/** Manifests, indexes and configurations beyond this are refused, as registries and other clients do. */
export const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

/** What a JSON document is and where it came from, for errors: `{ code: "MANIFEST_INVALID", name: "image manifest", where: "sha256:…" }`. */
export interface DocumentOrigin {
	readonly code: string;
	readonly name: string;
	readonly where: string;
	/** Absent: `MAX_DOCUMENT_BYTES`. */
	readonly maxBytes?: number;
}

/** Decodes UTF-8 JSON and checks it against `schema`; throws `Oci2isoError` (exit 5) that names the first offending field. */
export function parseDocument<Schema extends z.ZodType>(
	bytes: Uint8Array,
	schema: Schema,
	origin: DocumentOrigin,
): z.infer<Schema> {
	return checkDocument(parseJson(bytes, origin), schema, origin);
}

export function parseJson(bytes: Uint8Array, origin: DocumentOrigin): unknown {
	const { code, name, where, maxBytes = MAX_DOCUMENT_BYTES } = origin;
	if (bytes.byteLength > maxBytes)
		throw corrupt(code, `${name} of ${bytes.byteLength} bytes`, where, `at most ${maxBytes} bytes`);
	try {
		return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
	} catch {
		// the parser's own message quotes what it found, which may be another file of this machine that a link led to
		throw corrupt(code, `${name} is not JSON`, where, "a JSON document in UTF-8");
	}
}

export function checkDocument<Schema extends z.ZodType>(
	document: unknown,
	schema: Schema,
	{ code, name, where }: DocumentOrigin,
): z.infer<Schema> {
	const result = schema.safeParse(document);
	if (result.success) return result.data;
	const { field, expected } = describeIssue(result.error);
	throw corrupt(code, `${name} field ${field === "" ? "(top level)" : field} is wrong`, where, expected);
}

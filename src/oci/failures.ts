import { Oci2isoError } from "../errors.ts";

/** Well-formed input that this program does not take, or a request it cannot fulfil (exit 2). */
export function unsupported(code: string, what: string, where?: string, remedy?: string): Oci2isoError {
	return new Oci2isoError({ code, kind: "usage", what, where, remedy });
}

/** A system call on the image's files failed; `where` names the file. */
export function unreadable(cause: unknown, where: string): Oci2isoError {
	if (cause instanceof Oci2isoError) return cause;
	const reason = errnoOf(cause) ?? (cause instanceof Error ? cause.message : String(cause));
	const code = reason === "ENOENT" || reason === "ENOTDIR" ? "IMAGE_NOT_FOUND" : "IMAGE_UNREADABLE";
	return new Oci2isoError({
		code,
		kind: reason === "EIO" ? "corrupt" : "usage",
		what: code === "IMAGE_NOT_FOUND" ? "the image does not exist" : `cannot read the image: ${reason}`,
		where,
		cause,
	});
}

/** `ENOENT` and the like, where a system call failed. */
export function errnoOf(error: unknown): string | undefined {
	return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** A layer that is compressed in another way than OCI's image specification has. */
export function unsupportedCompression(what: string, where: string): Oci2isoError {
	const remedy = "store it again as tar, tar+gzip or tar+zstd, for example with `skopeo copy`";
	return unsupported("LAYER_COMPRESSION_UNSUPPORTED", what, where, remedy);
}

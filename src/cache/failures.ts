import { Oci2isoError } from "../errors.ts";

export const CACHE_DAMAGED = "CACHE_DAMAGED";

/** A file of the store is not what it was when it was written; `path` names it. The build goes on without it. */
export function damaged(what: string, path: string): Oci2isoError {
	return new Oci2isoError({ code: CACHE_DAMAGED, kind: "corrupt", what, where: path });
}

/** A file of the store cannot be read now, and may be as it was written; the build goes on without it, as without a damaged one. */
export function unreadable(reason: string, path: string): Oci2isoError {
	return new Oci2isoError({
		code: CACHE_DAMAGED,
		kind: "corrupt",
		what: `a file cannot be read: ${reason}`,
		where: path,
	});
}

/** A layer index whose checksum holds and whose content makes no sense. */
export class BrokenIndex extends Error {
	override readonly name = "BrokenIndex";
}

export function isDamage(error: unknown): error is Oci2isoError {
	return error instanceof Oci2isoError && error.code === CACHE_DAMAGED;
}

import { accessSync, constants, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { corrupt, Oci2isoError } from "../../errors.ts";
import { errnoOf, unreadable } from "../failures.ts";
import { ifThere, namesIn } from "../if-there.ts";

/** A whole file, or undefined where there is none. Throws `Oci2isoError` STORE_INVALID (exit 5) where it is larger or no file, and as `storeUnreadable`. */
export async function readStoreFile(path: string, maxBytes: number): Promise<Buffer | undefined> {
	const file = await openStoreFile(path);
	if (file === undefined) return undefined;
	try {
		const { size } = await file.stat();
		const bytes = Buffer.allocUnsafe(Math.min(size, maxBytes) + 1);
		let length = 0;
		for (let bytesRead = 1; bytesRead > 0 && length < bytes.byteLength; length += bytesRead)
			({ bytesRead } = await file.read(bytes, length));
		if (length > maxBytes || length > size)
			throw corrupt("STORE_INVALID", `a file of ${Math.max(size, length)} bytes`, path, `at most ${maxBytes} bytes`);
		return bytes.subarray(0, length);
	} catch (error) {
		throw storeUnreadable(error, path);
	} finally {
		await file.close();
	}
}

/** Undefined where there is none. Throws as `readStoreFile`. */
export async function openStoreFile(path: string): Promise<FileHandle | undefined> {
	// what is no file must not make us wait
	const opening = (): Promise<FileHandle> => open(path, constants.O_RDONLY | constants.O_NONBLOCK);
	const file = await ifThere(opening, (error) => storeUnreadable(error, path));
	if (file === undefined) return undefined;
	if ((await file.stat()).isFile()) return file;
	await file.close();
	throw corrupt("STORE_INVALID", "it is no file", path, "a regular file");
}

/** The entries of a store's directory, as `namesIn` has them. Throws as `storeUnreadable`. */
export function storeNames(directory: string): Promise<string[]> {
	return namesIn(directory, (error) => storeUnreadable(error, directory));
}

/** A system call on a store's own file failed: IMAGE_UNREADABLE (exit 2). */
export function storeUnreadable(
	error: unknown,
	where: string,
	remedy = "run it as the user whose store it is",
): Oci2isoError {
	const reason = errnoOf(error);
	if (reason !== "EACCES" && reason !== "EPERM") return unreadable(error, where);
	const what = `cannot read the store: ${reason}`;
	return new Oci2isoError({ code: "IMAGE_UNREADABLE", kind: "usage", what, where, remedy, cause: error });
}

/** A system call on a file of an image failed: as `storeUnreadable`, with what helps where the file belongs to one of the many that an image's files belong to. */
export function contentUnreadable(error: unknown, where: string, root: string): Oci2isoError {
	const user = process.getuid?.();
	if (user === 0)
		return storeUnreadable(error, where, "root of this namespace may not read it: run it where the store was written");
	const owner = statSync(root, { throwIfNoEntry: false })?.uid;
	if (owner !== user)
		return storeUnreadable(error, where, `run it as the user whose store it is${owner === 0 ? ", root" : ""}`);
	const why = "files of a user's store belong to subordinate ids of that user, as whom they can be read";
	const tool = ["podman", "buildah"].find(isOnPath);
	const how =
		tool === undefined
			? "install podman or buildah, and run `podman unshare oci2iso …` or `buildah unshare oci2iso …`"
			: `run \`${tool} unshare oci2iso …\``;
	return storeUnreadable(error, where, `${why}: ${how}`);
}

function isOnPath(name: string): boolean {
	return (process.env["PATH"] ?? "").split(":").some((directory) => {
		try {
			accessSync(join(directory, name), constants.X_OK);
			return true;
		} catch {
			return false;
		}
	});
}

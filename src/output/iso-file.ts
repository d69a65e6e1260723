import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { type ByteSource, unexpectedEnd } from "../binary/byte-source.ts";
import { Oci2isoError } from "../errors.ts";

/** An open file. */
export interface FileSource extends ByteSource {
	readonly descriptor: number;
	close(): void;
}

const REASONS: Readonly<Record<string, string>> = {
	ENOENT: "there is no such file",
	ENOTDIR: "a part of the path is not a directory",
	EACCES: "permission to read it is denied",
};

function whyUnreadable(code = "unknown error"): string {
	return REASONS[code] ?? `the ISO cannot be read: ${code}`;
}

/** Opens an ISO for `verifyAgainstImage`; throws `Oci2isoError` ISO_UNREADABLE (exit 2). */
export function openIso(path: string): FileSource {
	const unreadable = (cause: unknown): Oci2isoError =>
		new Oci2isoError({
			code: "ISO_UNREADABLE",
			kind: "usage",
			what: whyUnreadable((cause as NodeJS.ErrnoException).code),
			where: path,
			remedy: /^[a-z-]+:/.test(`${path}`) ? "verify reads an ISO; oci2iso inspect looks at an image" : undefined,
			cause,
		});
	if (typeof path !== "string" || path === "")
		throw unreadable(Object.assign(new Error(), { code: "neither a path nor a ByteSource was given" }));
	let file: number | undefined;
	try {
		// A pipe without a writer would be waited for.
		const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
		file = descriptor;
		const status = fstatSync(descriptor);
		if (!status.isFile()) throw Object.assign(new Error("not a regular file"), { code: "not a regular file" });
		const byteLength = status.size;
		return {
			byteLength,
			descriptor,
			read(position, length, into) {
				if (!(position >= 0 && length >= 0 && position + length <= byteLength))
					return Promise.reject(unexpectedEnd(position, length, byteLength));
				const bytes = into?.subarray(0, length) ?? Buffer.allocUnsafe(length);
				for (let done = 0; done < length; ) {
					let count: number;
					try {
						count = readSync(descriptor, bytes, done, length - done, position + done);
					} catch (cause) {
						return Promise.reject(unreadable(cause));
					}
					if (count === 0) return Promise.reject(unexpectedEnd(position, length, byteLength));
					done += count;
				}
				return Promise.resolve(bytes);
			},
			close: () => closeSync(descriptor),
		};
	} catch (cause) {
		if (file !== undefined) closeSync(file);
		throw unreadable(cause);
	}
}

import { type FileHandle, open } from "node:fs/promises";
import { type ByteSource, unexpectedEnd } from "../binary/byte-source.ts";
import { MiB } from "../binary/units.ts";
import { corrupt, throwIfAborted } from "../errors.ts";
import { unreadable } from "./failures.ts";

/** A run of bytes in a regular file. */
export interface FileRegion {
	readonly path: string;
	/** Offset of its first byte in the file. */
	readonly position: number;
	readonly byteLength: number;
}

const CHUNK_BYTES = MiB;

/**
 * The region's bytes in chunks of 1 MiB (the last may be shorter), each valid until the next is asked for. The file is open while the
 * iterator is; one read is ahead of the consumer. Throws `Oci2isoError` IMAGE_UNREADABLE, BLOB_SIZE_MISMATCH where the file ends inside the region, INTERRUPTED.
 */
export async function* readRegion(
	{ path, position, byteLength }: FileRegion,
	signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
	throwIfAborted(signal);
	const file = await open(path, "r").catch((error: unknown) => {
		throw unreadable(error, path);
	});
	const buffers = [0, 1].map(() => Buffer.allocUnsafe(Math.min(CHUNK_BYTES, byteLength)));
	let at = 0;
	const readNext = (buffer: Buffer | undefined): Promise<Buffer> | undefined => {
		const length = Math.min(CHUNK_BYTES, byteLength - at);
		if (length === 0 || buffer === undefined) return undefined;
		const start = position + at;
		at += length;
		const reading = readFully(file, path, buffer.subarray(0, length), start);
		// the failure is thrown where the chunk is awaited, unless the consumer has left by then
		reading.catch(() => {});
		return reading;
	};
	let reading = readNext(buffers[0]);
	try {
		for (let turn = 1; reading !== undefined; turn++) {
			const chunk = await reading;
			throwIfAborted(signal);
			reading = readNext(buffers[turn % 2]);
			yield chunk;
		}
	} finally {
		await reading?.catch(() => {});
		await file.close();
	}
}

/** Random access to a whole file; `close` it. Throws as `readRegion` does. */
export class FileSource implements ByteSource {
	readonly byteLength: number;
	readonly #file: FileHandle;
	readonly #path: string;

	private constructor(file: FileHandle, path: string, byteLength: number) {
		this.#file = file;
		this.#path = path;
		this.byteLength = byteLength;
	}

	static async open(path: string, byteLength: number): Promise<FileSource> {
		const file = await open(path, "r").catch((error: unknown) => {
			throw unreadable(error, path);
		});
		return new FileSource(file, path, byteLength);
	}

	async read(position: number, length: number): Promise<Uint8Array> {
		if (position < 0 || length < 0 || position + length > this.byteLength)
			throw unexpectedEnd(position, length, this.byteLength);
		return await readFully(this.#file, this.#path, Buffer.allocUnsafe(length), position);
	}

	close(): Promise<void> {
		return this.#file.close();
	}
}

async function readFully(file: FileHandle, path: string, buffer: Buffer, position: number): Promise<Buffer> {
	let done = 0;
	while (done < buffer.byteLength) {
		const { bytesRead } = await file
			.read(buffer, done, buffer.byteLength - done, position + done)
			.catch((error: unknown) => {
				throw unreadable(error, path);
			});
		if (bytesRead === 0)
			throw corrupt(
				"BLOB_SIZE_MISMATCH",
				"file became shorter while it was read",
				path,
				`${position + buffer.byteLength} bytes`,
			);
		done += bytesRead;
	}
	return buffer;
}

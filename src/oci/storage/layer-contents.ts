import { closeSync, read, readSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { displayPath } from "../../binary/byte-string.ts";
import { KiB } from "../../binary/units.ts";
import { Oci2isoError } from "../../errors.ts";
import { errnoOf } from "../failures.ts";
import { FilesBelow, type OpenFile } from "./files-below.ts";
import type { LayerPlace } from "./layer-tar-split.ts";
import { contentUnreadable } from "./store-file.ts";
import type { TarSplitEntry } from "./tar-split.ts";

type FileEntry = TarSplitEntry & { readonly kind: "file" };

/** What is read at once: a file of this size costs less than another thread's being asked for it. */
const SMALL_BYTES = 64 * KiB;

const readAsync = promisify(read);

/** Contents of a layer's files. All throw `Oci2isoError` LAYER_CHANGED (exit 5) where a file is another or gone, and IMAGE_UNREADABLE (exit 2). */
export class LayerContents {
	readonly #files: FilesBelow;
	readonly #root: string;
	/** For errors. */
	readonly #where: string;

	constructor({ root, driver, layerId }: LayerPlace, where: string) {
		const [path, inner] =
			driver === "vfs" ? [join(root, "vfs/dir"), [layerId]] : [join(root, driver), [layerId, "diff"]];
		[this.#root, this.#where] = [root, where];
		try {
			this.#files = new FilesBelow(path, inner);
		} catch (error) {
			if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR") throw contentUnreadable(error, path, root);
			throw layerChanged("the layer's directory is gone", where);
		}
	}

	/** The file's bytes, read into the buffers that `room` gives, of at most as many bytes as are left. */
	async *pieces(entry: FileEntry, room: (left: number) => Buffer): AsyncGenerator<Buffer, void, undefined> {
		const file = this.#open(entry);
		try {
			for (let at = 0; at < entry.byteLength; ) {
				const piece = room(entry.byteLength - at);
				await this.#read(file, piece, at, entry);
				at += piece.byteLength;
				yield piece;
			}
		} finally {
			closeSync(file.fd);
		}
	}

	close(): void {
		this.#files.close();
	}

	#open(entry: FileEntry): OpenFile {
		let file: OpenFile | undefined;
		try {
			file = this.#files.open(entry.path);
		} catch (error) {
			const code = errnoOf(error) ?? "";
			if (["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"].includes(code))
				throw this.changed(entry, `is not there (${code})`);
			throw this.#unreadable(error, entry);
		}
		if (file === undefined) throw this.changed(entry, "is no regular file");
		if (file.byteLength === entry.byteLength) return file;
		closeSync(file.fd);
		throw this.changed(entry, `has ${file.byteLength} bytes, not ${entry.byteLength}`);
	}

	async #read(file: OpenFile, target: Buffer, position: number, entry: FileEntry): Promise<void> {
		for (let done = 0; done < target.byteLength; ) {
			const left = target.byteLength - done;
			let length: number;
			try {
				length =
					entry.byteLength <= SMALL_BYTES
						? readSync(file.fd, target, done, left, position + done)
						: (await readAsync(file.fd, target, done, left, position + done)).bytesRead;
			} catch (error) {
				throw this.#unreadable(error, entry);
			}
			if (length === 0) throw this.changed(entry, "became shorter while it was read");
			done += length;
		}
	}

	changed({ path }: FileEntry, how: string): Oci2isoError {
		return layerChanged(`the store's file ${displayPath(path)} ${how}`, this.#where);
	}

	#unreadable(error: unknown, { path }: FileEntry): Oci2isoError {
		return contentUnreadable(error, `${this.#where}, ${displayPath(path)}`, this.#root);
	}
}

export function layerChanged(what: string, where: string): Oci2isoError {
	return new Oci2isoError({
		code: "LAYER_CHANGED",
		kind: "corrupt",
		what: `${what}: it was changed since the image was stored`,
		where,
		remedy: "try again if podman was changing the image; else remove the image and pull or build it again",
	});
}

import { CUT_SHORT, WRONG_CHECKSUM } from "../cache/block-store.ts";
import type { BlockCopier } from "../content/block-copier.ts";
import type { BlockFile, StoredBlock } from "../content/stored-blocks.ts";
import { interruption } from "../errors.ts";
import { type BackgroundCopy, type CopyFailure, copyInBackground } from "../native/background-copy.ts";
import type { FileTarget } from "../output/file-target.ts";

/** What copying in the background needs of the ISO. */
export type CopyTarget = Pick<FileTarget, "write" | "readNow" | "descriptor" | "failure">;

/** Copies stored blocks into the root file system on a thread of the addon; without the addon at once. */
export class ImageCopier implements BlockCopier {
	readonly #target: CopyTarget;
	readonly #start: number;
	/** Undefined until there is something to copy. */
	#background: { readonly copy: BackgroundCopy | undefined } | undefined;
	/** Of each copy, where it comes from; undefined: from the image itself. */
	readonly #files: (BlockFile | undefined)[] = [];

	/** The image begins at `start` of the target. */
	constructor(target: CopyTarget, start: number) {
		this.#target = target;
		this.#start = start;
	}

	/** Something is not copied yet. */
	get isBusy(): boolean {
		return this.#background?.copy?.isBusy === true;
	}

	copyStored(block: StoredBlock, position: number): void {
		const { place, byteLength } = block;
		const copy = this.#copy();
		if (copy === undefined || place === undefined) {
			this.#target.write(this.#start + position, block.read());
			return;
		}
		this.#files.push(place.file);
		copy.fromFile(place.file.descriptor, place.offset, byteLength, place.checksum, this.#start + position);
	}

	copyWithin(from: number, byteLength: number, position: number): void {
		const copy = this.#copy();
		if (copy === undefined) {
			this.#target.write(this.#start + position, this.#target.readNow(this.#start + from, byteLength));
			return;
		}
		this.#files.push(undefined);
		copy.within(this.#start + from, byteLength, this.#start + position);
	}

	/** Begins with what was asked for so far, for who has other things to do next. */
	flush(): void {
		this.#background?.copy?.flush();
	}

	/** Resolves once everything is copied. Rejects as reading a stored block throws, with an `Oci2isoError` (exit 6) or with the signal's reason. */
	async finish(signal: AbortSignal | undefined): Promise<void> {
		const copy = this.#background?.copy;
		if (copy === undefined) return;
		let stop = (): void => {};
		const failure = await new Promise<CopyFailure | undefined>((resolve, reject) => {
			stop = () => reject(signal && interruption(signal));
			if (signal?.aborted === true) stop();
			signal?.addEventListener("abort", stop, { once: true });
			copy.finish().then(resolve, reject);
		}).finally(() => signal?.removeEventListener("abort", stop));
		if (failure !== undefined) throw this.#errorOf(failure);
	}

	/** Ends copying, whatever has been copied. */
	close(): void {
		this.#background?.copy?.close();
	}

	#copy(): BackgroundCopy | undefined {
		this.#background ??= { copy: copyInBackground(this.#target.descriptor) };
		return this.#background.copy;
	}

	#errorOf({ job, side, code }: CopyFailure): Error {
		const file = this.#files[job];
		if (side === "output" || file === undefined) return this.#target.failure({ code });
		if (/^E[A-Z0-9]{1,20}$/.test(code)) return file.unreadable(code);
		return file.damaged(code === "checksum" ? WRONG_CHECKSUM : CUT_SHORT);
	}
}

import { codecBackend } from "../codec/backend.ts";
import { loadNativeAddon, startThreads } from "./addon.ts";

/** MD5 of a file that is still being written, on a thread of the addon. */
interface BackgroundFileDigest {
	/** Bytes hashed so far. */
	readonly doneBytes: number;
	/** What lies below this offset in bytes is final: it may be read now. */
	allow(bytes: number): void;
	/** In hexadecimal digits, the MD5 of what lies below each of the offsets. Everything must be allowed. Rejects with an error that has a system call's `code` where the file cannot be read. */
	finish(): Promise<readonly string[]>;
	/** Ends the thread, whatever it has done. */
	close(): void;
}

/**
 * Starts on the file behind `descriptor`, of which the first bytes are taken from `head` instead. `offsets`, in bytes, ascend from `head`'s length at least to
 * the end of what is hashed. Undefined where there is no addon.
 */
export function digestFileInBackground(
	descriptor: number,
	head: Uint8Array,
	offsets: readonly number[],
): BackgroundFileDigest | undefined {
	if (codecBackend() === "portable") return undefined;
	const { addon } = loadNativeAddon();
	if (addon === undefined) return undefined;
	let onReady = (): void => {};
	const ready = new Promise<void>((resolve) => {
		onReady = resolve;
	});
	const native = startThreads(() => new addon.FileDigester(descriptor, head, Float64Array.from(offsets), onReady));
	return {
		get doneBytes() {
			return native.doneBytes();
		},
		allow: (bytes) => native.allow(bytes),
		async finish() {
			await ready;
			const result = native.result();
			if (Array.isArray(result)) return result;
			const code = result ?? "closed";
			throw Object.assign(new Error(`the file cannot be read back: ${code}`), { code });
		},
		close: () => native.close(),
	};
}

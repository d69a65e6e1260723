import { dirname, join } from "node:path";
import { withoutTrailing } from "../binary/trim-end.ts";
import { MiB } from "../binary/units.ts";
import { throwIfAborted } from "../errors.ts";
import type { MediumRegion } from "../exporters/exporter.ts";
import type { LiveSystem } from "../exporters/live-system.ts";
import { fileSets } from "../exporters/table.ts";
import { MadeDirectories } from "../output/directories.ts";
import type { FileTarget } from "../output/file-target.ts";
import { openOutput, type PendingOutput } from "../output/output-file.ts";
import type { Work } from "./options.ts";

const { pxe } = fileSets;

/** What a set for network boot came to. */
export interface PxeSetReport {
	readonly directory: string;
	/** In their order of publication, paths below the directory. */
	readonly files: readonly { readonly path: string; readonly byteLength: number }[];
}

/** Its files as a medium's, one behind the other. */
export function regionsOfSet({ files }: PxeSetReport): MediumRegion[] {
	let end = 0;
	return files.map(({ path, byteLength }) => {
		const start = end;
		end += byteLength;
		return { kind: path === pxe.rootfs ? "rootfs" : "boot", what: `/${path}`, start, byteLength };
	});
}

/** A directory of files for network boot, each of which gets its name when all are whole: scripts last. */
export interface PxeSet {
	/** Where the root file system goes, if this is where it is written while layers are read. */
	readonly root: PendingOutput | undefined;
	readonly notices: readonly string[];
	readonly report: PxeSetReport;
	/** Writes everything else, and the root file system where it lies in another file. Throws as `pxeFiles`, and (exit 6) where it cannot be written. */
	write(system: LiveSystem, root: { readonly target: FileTarget; readonly start: number }): Promise<void>;
	flush(): Promise<void>;
	publish(): Promise<void>;
	discard(): void;
}

/**
 * Opens the set that is to be in `directory`, which is made where there is none. `isFirst`: layers are read into its root file system. Throws `Oci2isoError`
 * (exit 6) as `openOutput` does for each file.
 */
export function openPxeSet(directory: string, isFirst: boolean, { overwrite, pxeBaseUrl, signal }: Work): PxeSet {
	const made = new MadeDirectories();
	const files = new Map<string, PendingOutput>();
	const open = (path: string): PendingOutput => {
		const whole = join(directory, path);
		made.make(dirname(whole));
		const output = openOutput(whole, { overwrite });
		files.set(path, output);
		return output;
	};
	const discard = (): void => {
		for (const file of files.values()) file.discard();
		made.discard();
	};
	try {
		const root = open(pxe.rootfs);
		// whether they are taken is known before layers are read
		for (const path of pxe.known) open(path);
		const inOrder = () => [...files].toSorted(([a], [b]) => Number(pxe.isLast(a)) - Number(pxe.isLast(b)));
		return {
			root: isFirst ? root : undefined,
			notices: root.notices,
			get report() {
				return { directory, files: inOrder().map(([path, { target }]) => ({ path, byteLength: target.byteLength })) };
			},
			async write(system, from) {
				const { byteLength } = system.rootfs;
				if (!isFirst) await copyRange(from, byteLength, root.target, signal);
				root.target.truncate(byteLength);
				for (const { path, stream } of pxe.files(system, pxeBaseUrl && withoutTrailing(pxeBaseUrl, "/"))) {
					const { target } = files.get(path) ?? open(path);
					let position = 0;
					for await (const bytes of stream()) {
						throwIfAborted(signal);
						target.write(position, bytes);
						position += bytes.byteLength;
					}
				}
			},
			async flush() {
				for (const file of files.values()) await file.flush();
			},
			async publish() {
				for (const [, file] of inOrder()) await file.publish();
			},
			discard,
		};
	} catch (error) {
		discard();
		throw error;
	}
}

async function copyRange(
	{ target: from, start }: { readonly target: FileTarget; readonly start: number },
	byteLength: number,
	to: FileTarget,
	signal: AbortSignal | undefined,
): Promise<void> {
	const buffer = Buffer.allocUnsafe(4 * MiB);
	for (let done = 0; done < byteLength; ) {
		throwIfAborted(signal);
		const bytes = await from.read(start + done, Math.min(buffer.byteLength, byteLength - done), buffer);
		to.write(done, bytes);
		done += bytes.byteLength;
	}
}

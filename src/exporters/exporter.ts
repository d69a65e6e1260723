import type { ToolChoice, ToolReport } from "../buildroot/tools.ts";
import type { FileTarget } from "../output/file-target.ts";
import type { LiveSystem } from "./live-system.ts";

/** Makes one kind of medium of a live system. */
export interface Exporter {
	readonly name: string;
	/** Byte of the output where the root file system is written while the layers are read: its place on the medium. */
	readonly rootfsStart: number;
	/** Writes everything else around it. Throws `Oci2isoError` (exit 6) on a full disk, and as reading the system's files does. */
	write(system: LiveSystem, target: FileTarget, run: ExportRun): Promise<WrittenMedium>;
}

/** How an exporter works; none of it decides a byte. */
export interface ExportRun {
	/** Who makes what has a tool of its own. */
	readonly tools: ToolChoice;
	readonly signal?: AbortSignal | undefined;
	readonly onBytes: (doneBytes: number, totalBytes?: number) => void;
	/** Something the user should know, one sentence. */
	readonly onNotice: (text: string) => void;
	/** Called with what is where, a line for each thing, before it is written. */
	readonly onLayout?: ((layout: string) => void) | undefined;
}

/** A medium that is written; what takes long and needs nobody may still be going on. */
export interface WrittenMedium {
	/** Resolves when it is whole. */
	finish(): Promise<MediumReport>;
	/** Ends what is going on; to be called in the end, whatever happened. */
	close(): void;
}

export interface MediumReport {
	readonly byteLength: number;
	readonly volumeIdentifier: string;
	readonly diskGuid: string;
	/** The media checksum's MD5, as `checkisomd5` verifies it. */
	readonly mediaMd5: string;
	/** What lies where, in its order. */
	readonly regions: readonly MediumRegion[];
	readonly tools: readonly ToolReport[];
}

/** A stretch of a medium; all of it but what is zero. */
export interface MediumRegion {
	readonly kind: "rootfs" | "payload" | "boot" | "tables" | "padding";
	readonly what: string;
	/** From the beginning of the medium. */
	readonly start: number;
	readonly byteLength: number;
}

/** Makes a directory of files of a live system. */
export interface FileSetExporter {
	/** Of the root file system, which is written while the layers are read. */
	readonly rootfs: string;
	/** Others that every set has. */
	readonly known: readonly string[];
	/** Whether it leads to others, which are to be there before it. */
	isLast(path: string): boolean;
	/** All but the root file system. `baseUrl`: where clients find the directory, without a slash at its end. Throws `Oci2isoError` (exit 3). */
	files(system: LiveSystem, baseUrl: string | undefined): readonly SetFile[];
}

export interface SetFile {
	/** In the directory, components separated by `/`. */
	readonly path: string;
	/** Each chunk is valid until the next is asked for. */
	stream(): AsyncIterable<Uint8Array>;
}

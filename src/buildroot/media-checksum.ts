import { type FileHandle, open, realpath } from "node:fs/promises";
import { KiB, MiB } from "../binary/units.ts";
import { Oci2isoError } from "../errors.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import { runTool, type ToolOptions, type ToolRun } from "./run.ts";

/** ECMA-119 8.4.32: the application use field of the first volume descriptor, at BP 884 of block 16. */
const APPLICATION_USE_START = 16 * 2 * KiB + 883;
const APPLICATION_USE_END = APPLICATION_USE_START + 512;
export const CHECKSUM_TOOL_NAMES = ["implantisomd5"];
/** The tool may not write beyond this offset. */
const WRITABLE_BYTES = 64 * KiB;
/** The slowest medium that is waited for. */
const MIN_BYTES_PER_SECOND = 8 * MiB;

export interface MediaChecksum {
	readonly run: ToolRun;
}

/**
 * Runs the image's `implantisomd5` on the finished ISO at `isoPath` (a host path, at least 64 KiB), which must not be open for writing elsewhere with unflushed data.
 * Throws `Oci2isoError` as `runTool` does, and TOOL_DAMAGED_ISO when anything but the application use field changed.
 */
export async function implantMediaChecksum(
	tree: ImageTree,
	isoPath: string,
	options: ToolOptions = {},
): Promise<MediaChecksum> {
	const iso = await openIso(isoPath);
	try {
		const before = await readStart(iso);
		const { size } = await iso.stat();
		const seconds = 60 + Math.ceil(size / MIN_BYTES_PER_SECOND);
		try {
			const { outputs: _, ...run } = await runTool({
				tree,
				names: CHECKSUM_TOOL_NAMES,
				args: (paths) => [paths.writable("image.iso")],
				updates: new Map([["image.iso", await realpath(isoPath)]]),
				limits: {
					timeoutSeconds: seconds,
					cpuSeconds: seconds,
					addressSpaceBytes: 512 * MiB,
					fileBytes: WRITABLE_BYTES,
				},
				options,
			});
			return { run };
		} finally {
			// Also where the tool failed: the caller may go on with the ISO.
			await requireUndamaged(iso, isoPath, before, size);
		}
	} finally {
		await iso.close();
	}
}

async function openIso(path: string): Promise<FileHandle> {
	try {
		return await open(path);
	} catch (cause) {
		throw new Oci2isoError({ code: "ISO_UNREADABLE", kind: "output", what: "cannot open the ISO", where: path, cause });
	}
}

async function readStart(iso: FileHandle): Promise<Buffer> {
	const start = Buffer.alloc(WRITABLE_BYTES);
	const { bytesRead } = await iso.read(start, 0, WRITABLE_BYTES, 0);
	return start.subarray(0, bytesRead);
}

async function requireUndamaged(iso: FileHandle, isoPath: string, before: Buffer, byteLength: number): Promise<void> {
	const after = await readStart(iso);
	if (
		(await iso.stat()).size === byteLength &&
		before.subarray(0, APPLICATION_USE_START).equals(after.subarray(0, APPLICATION_USE_START)) &&
		before.subarray(APPLICATION_USE_END).equals(after.subarray(APPLICATION_USE_END))
	)
		return;
	throw new Oci2isoError({
		code: "TOOL_DAMAGED_ISO",
		kind: "tool",
		what: "implantisomd5 changed more than the checksum",
		where: isoPath,
		expected: "a change of the application use field of the volume descriptor only",
		remedy: "use --tools builtin",
	});
}

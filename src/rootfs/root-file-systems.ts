import type { RootFileSystem } from "./root-file-system.ts";
import { SQUASHFS } from "./squashfs/squashfs.ts";

/** Every format that can be written and read, the one of builds first. */
const ROOT_FILE_SYSTEMS: readonly [RootFileSystem, ...RootFileSystem[]] = [SQUASHFS];

export const [DEFAULT_ROOT_FILE_SYSTEM] = ROOT_FILE_SYSTEMS;

/** The format of an image with this head, of `HEAD_BYTES` or all that there are. */
export function rootFileSystemAt(head: Uint8Array): RootFileSystem | undefined {
	return ROOT_FILE_SYSTEMS.find((format) => format.isAt(head));
}

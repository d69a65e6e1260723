import { byteStringFromText, displayName } from "../../binary/byte-string.ts";
import { type LiveSupport, liveSupportOf } from "../live-root/live-support.ts";
import type { Initramfs } from "./initramfs.ts";

/** What an unpacked initramfs does to find its root; undefined where it could not be looked into. */
export function initramfsSupport(content: Initramfs): LiveSupport | undefined {
	if (content.isOpaque) return undefined;
	const at = (path: string): ReturnType<Initramfs["lookup"]> => content.lookup(byteStringFromText(path));
	return liveSupportOf({
		isFile: (path) => at(path)?.inode.type === "file",
		isExecutable: (path) => {
			const inode = at(path)?.inode;
			return inode?.type === "file" && (inode.mode & 0o111) !== 0;
		},
		exists: (path) => at(path) !== undefined,
		names: (path) => {
			const inode = at(path)?.inode;
			return inode?.type === "directory" ? [...inode.entries.keys()].map(displayName) : [];
		},
		text: (path) => content.content(byteStringFromText(path))?.toString("utf8"),
	});
}

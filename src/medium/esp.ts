import { MAX_ESP_BYTES } from "../boot/boot-file-limits.ts";
import type { BootFile } from "../boot/boot-files.ts";
import { buildFat, type FatImage, fatDirectoryOf } from "../formats/fat/build-fat.ts";
import type { ImageTree } from "../tree/image-tree.ts";

/** The EFI system partition with every file that has a place on it. Rejects as `tree.read` does. */
export async function buildEsp(
	tree: ImageTree,
	files: readonly BootFile[],
	volumeId: number,
	epoch: number,
): Promise<FatImage> {
	const contents = [];
	let bytesLeft = MAX_ESP_BYTES;
	for (const { esp, content } of files) {
		if (esp === undefined) continue;
		if (content.kind === "generated") {
			contents.push({ path: esp, content: content.bytes });
			continue;
		}
		if (content.kind === "rootfs") continue;
		const { inode } = content.file;
		contents.push({ path: esp, content: await tree.read(inode, bytesLeft), mtime: inode.mtime });
		bytesLeft -= inode.byteLength;
	}
	return buildFat(fatDirectoryOf(contents), { volumeId, timestamp: { seconds: epoch, nanoseconds: 0 } });
}

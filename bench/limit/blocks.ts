import { closeSync, openSync, statSync, writeSync } from "node:fs";
import { region } from "../../src/binary/byte-source.ts";
import { ISO_BLOCK_BYTES, MiB } from "../../src/binary/units.ts";
import { ROOT_FS_BLOCK } from "../../src/medium/iso-layout.ts";
import { FileSource } from "../../src/oci/file-region.ts";
import type { RootDirectory } from "../../src/rootfs/root-inode.ts";
import { openSquashfs } from "../../src/rootfs/squashfs/squashfs-reader.ts";

const STORED_RAW = 1 << 24;

/**
 * Writes every data and fragment block of an ISO that was built with `--comp none`, each behind its length as 32-bit little-endian number:
 * with any other codec exactly these blocks are compressed.
 */
export async function extractBlocks(iso: string, output: string): Promise<void> {
	const file = await FileSource.open(iso, statSync(iso).size);
	const out = openSync(output, "w");
	try {
		const start = ROOT_FS_BLOCK * ISO_BLOCK_BYTES;
		const image = region(file, start, file.byteLength - start);
		const reader = await openSquashfs(image);
		const blocks = await blocksOf(await reader.readTree());
		const parts: Uint8Array[] = [];
		let held = 0;
		const flush = (): void => {
			const bytes = Buffer.concat(parts.splice(0));
			for (let done = 0; done < bytes.byteLength; ) done += writeSync(out, bytes, done);
			held = 0;
		};
		for (const [position, length] of [...blocks].sort(([a], [b]) => a - b)) {
			const head = Buffer.alloc(4);
			head.writeUInt32LE(length);
			parts.push(head, await image.read(position, length));
			held += length;
			if (held > 8 * MiB) flush();
		}
		flush();
	} finally {
		closeSync(out);
		await file.close();
	}
}

/** Length by position; files that share their content share its blocks. */
async function blocksOf(root: RootDirectory): Promise<Map<number, number>> {
	const blocks = new Map<number, number>();
	const pending = [root];
	for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
		for (const inode of next.entries.values()) {
			if (inode.type === "directory") pending.push(inode);
			if (inode.type !== "file" || inode.layout.blocks === undefined) continue;
			let position = inode.layout.firstBlock;
			for await (const sizes of inode.layout.blocks.chunks())
				for (const size of sizes) {
					const length = size & (STORED_RAW - 1);
					if (length > 0) blocks.set(position, length);
					position += length;
				}
			const { tail } = inode.layout;
			if (tail !== undefined) blocks.set(tail.position, tail.size & (STORED_RAW - 1));
		}
	}
	return blocks;
}

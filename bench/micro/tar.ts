import { readFileSync } from "node:fs";
import { KiB, MiB } from "../../src/binary/units.ts";
import { createCompressor } from "../../src/codec/compressor.ts";
import type { TarHandler } from "../../src/formats/tar/entry.ts";
import { TarReader } from "../../src/formats/tar/reader.ts";
import { SquashfsWriter } from "../../src/rootfs/squashfs/squashfs-writer.ts";
import { microInputs, report } from "./repeat.ts";

/** What the JavaScript thread does with every byte of a layer: finding the members, and cutting their contents into blocks. */
const bytes = readFileSync(microInputs().tar);
const ignore: TarHandler = { entry: () => {}, data: () => {}, hole: () => {}, endEntry: () => {} };

async function read(chunkBytes: number, handler: TarHandler, settle?: () => Promise<void>): Promise<void> {
	const reader = new TarReader(handler, { origin: "layer" });
	for (let at = 0; at < bytes.byteLength; at += chunkBytes) {
		reader.push(bytes.subarray(at, at + chunkBytes));
		await settle?.();
	}
	reader.finish();
}

for (const chunkBytes of [64 * KiB, 256 * KiB, MiB])
	await report(`tar: members, ${chunkBytes / KiB} KiB at a time`, bytes.byteLength, () => read(chunkBytes, ignore));

await report("tar: members into squashfs blocks, none compressed or written", bytes.byteLength, async () => {
	const blockBytes = 128 * KiB;
	const compressor = await createCompressor({ codec: "none", blockBytes, threads: 1 });
	const squashfs = new SquashfsWriter({
		sink: { write: () => {}, readNow: (_, length) => Buffer.alloc(length) },
		compressor,
		blockBytes,
		modificationTimeSeconds: 0,
	});
	let isFile = false;
	const handler: TarHandler = {
		entry(entry) {
			isFile = entry.type === "file";
			if (isFile) squashfs.data.beginFile();
		},
		data: (part) => squashfs.data.append(part),
		hole: (byteLength) => squashfs.data.appendHole(byteLength),
		endEntry() {
			if (isFile) squashfs.data.endFile();
		},
	};
	await read(MiB, handler, () => squashfs.data.settle());
	await squashfs.data.finish();
	await compressor.close();
});

import { type ByteSource, unexpectedEnd } from "../../../../src/binary/byte-source.ts";
import { ISO_BLOCK_BYTES } from "../../../../src/binary/units.ts";
import type { Table } from "../../../../src/formats/iso9660/directory-tree.ts";
import { finishVolume } from "../../../../src/formats/iso9660/finish-volume.ts";
import type { VolumeOptions, VolumePlan } from "../../../../src/formats/iso9660/plan-volume.ts";

export const OPTIONS: VolumeOptions = {
	volumeIdentifier: "TEST",
	systemIdentifier: "LINUX",
	preparer: "OCI2ISO",
	timestampSeconds: 1_700_000_000,
	firstFreeBlock: 64,
	partitionOffsetBlocks: 16,
	hiddenFiles: [],
};

/** The whole image of `plan` without file bodies, of any length; holes read as zeros. */
export function imageOf(plan: VolumePlan, bootRecords: readonly Uint8Array[] = []): ByteSource {
	const imageBlocks = plan.endBlock + 100;
	return sparseSource([...plan.tables, ...finishVolume(plan, { imageBlocks, bootRecords })], imageBlocks);
}

export function sparseSource(tables: readonly Table[], blocks: number): ByteSource {
	const byBlock = new Map<number, Uint8Array>();
	for (const { block, bytes } of tables)
		for (let at = 0; at < bytes.byteLength; at += ISO_BLOCK_BYTES)
			byBlock.set(block + at / ISO_BLOCK_BYTES, bytes.subarray(at, at + ISO_BLOCK_BYTES));
	const byteLength = blocks * ISO_BLOCK_BYTES;
	return {
		byteLength,
		read(position, length) {
			if (position < 0 || length < 0 || position + length > byteLength)
				return Promise.reject(unexpectedEnd(position, length, byteLength));
			const result = Buffer.alloc(length);
			for (let at = 0; at < length; ) {
				const block = Math.floor((position + at) / ISO_BLOCK_BYTES);
				const within = (position + at) % ISO_BLOCK_BYTES;
				const part = Math.min(ISO_BLOCK_BYTES - within, length - at);
				const bytes = byBlock.get(block);
				if (bytes !== undefined) result.set(bytes.subarray(within, within + part), at);
				at += part;
			}
			return Promise.resolve(result);
		},
	};
}

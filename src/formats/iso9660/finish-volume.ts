import { utf8TextOf } from "../../binary/byte-string.ts";
import { ISO_BLOCK_BYTES } from "../../binary/units.ts";
import { assert, Oci2isoError } from "../../errors.ts";
import { type DirectoryTree, encodeRootRecord, type Table } from "./directory-tree.ts";
import type { VolumeOptions, VolumePlan } from "./plan-volume.ts";
import {
	DESCRIPTOR_TYPE,
	encodeTerminator,
	JOLIET_ESCAPE_SEQUENCE,
	jolietDescriptor,
	primaryDescriptor,
	STANDARD_IDENTIFIER,
	type VolumeDescriptor,
} from "./volume-descriptor.ts";

/** Block of the first volume descriptor of every volume (ECMA-119 6.2.1: the system area has 16 blocks). */
export const FIRST_DESCRIPTOR_BLOCK = 16;

/** The volume descriptors: those of the image, and with a partition offset those of the second volume. */
export function finishVolume(
	plan: VolumePlan,
	known: {
		/** Blocks of the whole image, appended partitions and backup GPT included: the primary descriptor covers them. */
		readonly imageBlocks: number;
		/** Boot record descriptors of 2048 bytes each; they follow the primary descriptor of the first set. */
		readonly bootRecords: readonly Uint8Array[];
	},
): Table[] {
	const { primary, joliet, secondPrimary, secondJoliet } = plan.trees;
	assert(known.imageBlocks >= plan.endBlock, "the image is shorter than its volume");
	if (known.imageBlocks > 2 ** 32 - 1)
		throw new Oci2isoError({
			code: "ISO_TOO_LARGE",
			kind: "contract",
			what: `an image of ${known.imageBlocks} blocks of 2048 bytes`,
			expected: "fewer than 2^32 blocks",
		});
	const first = descriptorSet(FIRST_DESCRIPTOR_BLOCK, "", [
		encodePrimary(plan.options, primary, known.imageBlocks),
		...known.bootRecords,
		encodeJoliet(plan.options, joliet, plan.endBlock),
	]);
	const offset = plan.options.partitionOffsetBlocks;
	const second =
		secondPrimary === undefined || secondJoliet === undefined
			? []
			: descriptorSet(offset + FIRST_DESCRIPTOR_BLOCK, "second ", [
					encodePrimary(plan.options, secondPrimary, plan.endBlock - offset),
					encodeJoliet(plan.options, secondJoliet, plan.endBlock - offset),
				]);
	assert(second.length === 0 || first.length <= offset, "the first descriptor set reaches into the second");
	const descriptors = [...first, ...second];
	const endOfDescriptors = (descriptors.at(-1)?.block ?? 0) + 1;
	for (const { block } of [...plan.tables, ...plan.files])
		assert(block >= endOfDescriptors, "the volume descriptors reach into the volume's content");
	return descriptors;
}

function descriptorSet(firstBlock: number, prefix: string, descriptors: readonly Uint8Array[]): Table[] {
	return [...descriptors, encodeTerminator()].map((bytes, i) => {
		assert(bytes.byteLength === ISO_BLOCK_BYTES, "a volume descriptor is one block");
		return { name: `${prefix}volume descriptor ${i}`, block: firstBlock + i, bytes };
	});
}

function encodePrimary(options: VolumeOptions, tree: DirectoryTree, volumeSpaceBlocks: number): Buffer {
	return primaryDescriptor.encode({
		...commonFields(options, tree, volumeSpaceBlocks),
		type: DESCRIPTOR_TYPE.primary,
		volumeIdentifier: options.volumeIdentifier,
		escapeSequences: "",
		applicationUse: Buffer.alloc(512, " "),
	});
}

function encodeJoliet(options: VolumeOptions, tree: DirectoryTree, volumeSpaceBlocks: number): Buffer {
	return jolietDescriptor.encode({
		...commonFields(options, tree, volumeSpaceBlocks),
		type: DESCRIPTOR_TYPE.supplementary,
		volumeIdentifier: utf8TextOf(options.volumeIdentifier) ?? options.volumeIdentifier,
		escapeSequences: JOLIET_ESCAPE_SEQUENCE,
		applicationUse: Buffer.alloc(512),
	});
}

function commonFields(
	options: VolumeOptions,
	tree: DirectoryTree,
	volumeSpaceBlocks: number,
): Omit<VolumeDescriptor, "type" | "volumeIdentifier" | "escapeSequences" | "applicationUse"> {
	return {
		standardIdentifier: STANDARD_IDENTIFIER,
		version: 1,
		volumeFlags: 0,
		systemIdentifier: options.systemIdentifier,
		volumeSpaceBlocks,
		volumeSetSize: 1,
		volumeSequenceNumber: 1,
		logicalBlockBytes: ISO_BLOCK_BYTES,
		pathTableByteLength: tree.pathTableByteLength,
		littleEndianPathTableBlock: tree.littleEndianPathTableBlock - tree.baseBlock,
		optionalLittleEndianPathTableBlock: 0,
		bigEndianPathTableBlock: tree.bigEndianPathTableBlock - tree.baseBlock,
		optionalBigEndianPathTableBlock: 0,
		rootDirectoryRecord: encodeRootRecord(tree),
		volumeSetIdentifier: "",
		publisherIdentifier: options.publisher ?? "",
		preparerIdentifier: options.preparer,
		applicationIdentifier: options.application ?? "",
		copyrightFileIdentifier: "",
		abstractFileIdentifier: "",
		bibliographicFileIdentifier: "",
		createdAtSeconds: options.timestampSeconds,
		modifiedAtSeconds: options.timestampSeconds,
		expiresAtSeconds: undefined,
		effectiveAtSeconds: undefined,
		fileStructureVersion: 1,
	};
}

import type { ByteSource } from "../../binary/byte-source.ts";
import { byteStringOf } from "../../binary/byte-string.ts";
import type { RecordType } from "../../binary/record.ts";
import { ISO_BLOCK_BYTES, MiB } from "../../binary/units.ts";
import { corrupt, type Oci2isoError, type Problem } from "../../errors.ts";
import { FIRST_DESCRIPTOR_BLOCK } from "./finish-volume.ts";
import { type ByteOrder, decodePathTable, MAX_DIRECTORIES } from "./path-table.ts";
import { readTree } from "./read-tree.ts";
import { sameBytes } from "./same-bytes.ts";
import type { Volume, VolumeDirectory } from "./volume.ts";
import {
	DESCRIPTOR_TYPE,
	descriptorHead,
	JOLIET_ESCAPE_SEQUENCE,
	jolietDescriptor,
	primaryDescriptor,
	STANDARD_IDENTIFIER,
	type VolumeDescriptor,
} from "./volume-descriptor.ts";

const MAX_DESCRIPTORS = 64;
const MAX_PATH_TABLE_BYTES = 16 * MiB;

/**
 * Reads descriptors, path tables and all directories of the volume at the start of `source`. For the second volume of an image
 * with a partition offset, pass the region that starts there.
 * Throws `Oci2isoError` (BAD_VOLUME_DESCRIPTOR, BAD_DIRECTORY, BAD_SUSP, UNEXPECTED_END) where anything cannot be trusted.
 */
export async function readVolume(source: ByteSource, signal?: AbortSignal): Promise<Volume> {
	const problems: Problem[] = [];
	const bootRecords: Uint8Array[] = [];
	let primary: VolumeDescriptor | undefined;
	let joliet: VolumeDescriptor | undefined;
	let terminated = false;
	for (let i = 0; i < MAX_DESCRIPTORS && !terminated; i++) {
		const block = FIRST_DESCRIPTOR_BLOCK + i;
		const bytes = await source.read(block * ISO_BLOCK_BYTES, ISO_BLOCK_BYTES);
		const { type, standardIdentifier } = descriptorHead.decode(bytes);
		if (standardIdentifier !== STANDARD_IDENTIFIER)
			throw bad("no volume descriptor", `block ${block}`, `identifier ${STANDARD_IDENTIFIER}`);
		if (type === DESCRIPTOR_TYPE.terminator) terminated = true;
		else if (type === DESCRIPTOR_TYPE.bootRecord) bootRecords.push(Uint8Array.from(bytes));
		else if (type === DESCRIPTOR_TYPE.primary && primary === undefined)
			primary = decodeDescriptor(primaryDescriptor, bytes, block);
		else if (type === DESCRIPTOR_TYPE.supplementary && isJoliet(bytes) && joliet === undefined)
			joliet = decodeDescriptor(jolietDescriptor, bytes, block);
	}
	if (!terminated)
		throw bad("no terminator", `block ${FIRST_DESCRIPTOR_BLOCK}`, `one within ${MAX_DESCRIPTORS} blocks`);
	if (primary === undefined) throw bad("no primary volume descriptor", `block ${FIRST_DESCRIPTOR_BLOCK}`, "one");
	const { root, rockRidge } = await readTree(source, primary.rootDirectoryRecord, false, problems, signal);
	await checkPathTables(primary, root, "primary");
	const jolietRoot =
		joliet === undefined
			? undefined
			: (await readTree(source, joliet.rootDirectoryRecord, true, problems, signal)).root;
	if (joliet !== undefined && jolietRoot !== undefined) await checkPathTables(joliet, jolietRoot, "Joliet");
	return { primary, joliet, bootRecords, rockRidge, root, jolietRoot, problems };

	function decodeDescriptor(
		table: RecordType<typeof primaryDescriptor.fields>,
		bytes: Uint8Array,
		block: number,
	): VolumeDescriptor {
		const where = `block ${block}`;
		const descriptor = table.decode(bytes);
		if (descriptor.logicalBlockBytes !== ISO_BLOCK_BYTES)
			throw bad(`blocks of ${descriptor.logicalBlockBytes} bytes`, where, `${ISO_BLOCK_BYTES}`);
		if (descriptor.volumeSpaceBlocks * ISO_BLOCK_BYTES > source.byteLength)
			throw bad(
				`a volume of ${descriptor.volumeSpaceBlocks} blocks`,
				where,
				`at most ${Math.floor(source.byteLength / ISO_BLOCK_BYTES)}`,
			);
		const both = [
			"volumeSpaceBlocks",
			"volumeSetSize",
			"volumeSequenceNumber",
			"logicalBlockBytes",
			"pathTableByteLength",
		] as const;
		if (!sameBytes(table, descriptor, bytes, both)) note("a big-endian copy differs", where, "equal copies");
		return descriptor;
	}

	async function checkPathTables(descriptor: VolumeDescriptor, top: VolumeDirectory, name: string): Promise<void> {
		const wanted = pathTableRows(top);
		for (const [order, block] of [
			["little-endian", descriptor.littleEndianPathTableBlock],
			["big-endian", descriptor.bigEndianPathTableBlock],
		] as const) {
			const rows = await readPathTable(descriptor.pathTableByteLength, block, order);
			if (rows === undefined || rows.length !== wanted.length || rows.some((row, i) => row !== wanted[i]))
				note(`the ${order} path table of the ${name} tree differs from the tree`, `block ${block}`, "the same");
		}
	}

	async function readPathTable(byteLength: number, block: number, order: ByteOrder): Promise<string[] | undefined> {
		if (byteLength > MAX_PATH_TABLE_BYTES)
			throw bad(`a path table of ${byteLength} bytes`, `block ${block}`, `at most ${MAX_PATH_TABLE_BYTES}`);
		const bytes = await source.read(block * ISO_BLOCK_BYTES, byteLength);
		return decodePathTable(bytes, order)?.map((each) =>
			row(byteStringOf(each.identifier), each.extentBlock, each.parentNumber),
		);
	}

	function note(what: string, where: string, expected: string): void {
		problems.push({ code: "ISO_INCONSISTENT", what, where, expected });
	}
}

/** What the path table of the tree `top` says, one line per directory. */
function pathTableRows(top: VolumeDirectory): string[] {
	const found: { directory: VolumeDirectory; parent: number }[] = [{ directory: top, parent: 1 }];
	for (let i = 0; i < found.length && found.length <= MAX_DIRECTORIES; i++)
		for (const child of found[i]?.directory.entries.values() ?? [])
			if (child.type === "directory") found.push({ directory: child, parent: i + 1 });
	return found.map(({ directory, parent }) => row(directory.identifier, directory.extent.block, parent));
}

function row(identifier: string, block: number, parent: number): string {
	return `${parent} ${block} ${identifier}`;
}

function isJoliet(bytes: Uint8Array): boolean {
	return primaryDescriptor.decode(bytes).escapeSequences === JOLIET_ESCAPE_SEQUENCE;
}

function bad(what: string, where: string, expected: string): Oci2isoError {
	return corrupt("BAD_VOLUME_DESCRIPTOR", `ISO 9660: ${what}`, where, expected);
}

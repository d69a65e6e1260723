import type { ByteSource } from "../binary/byte-source.ts";
import { displayName } from "../binary/byte-string.ts";
import { inTurns } from "../binary/turns.ts";
import { ISO_BLOCK_BYTES } from "../binary/units.ts";
import type { Findings } from "../findings/findings.ts";
import type { Volume, VolumeDirectory } from "../formats/iso9660/volume.ts";
import type { VolumeDescriptor } from "../formats/iso9660/volume-descriptor.ts";
import { directoriesOf } from "./medium-files.ts";

/** A volume and what its blocks count from. */
interface PlacedVolume {
	readonly source: ByteSource;
	readonly volume: Volume;
}

const MAX_COMPARED_BYTES = 64 * 1024 * 1024;
/** Bytes of a descriptor that tell places: volume space size, path tables, the root's extent; and the media checksum's area. */
const DESCRIPTOR_PLACES = [
	[80, 88],
	[140, 156],
	[158, 166],
	[883, 1395],
] as const;

/**
 * The two descriptor sets of one volume say the same, byte for byte but for the places of what each has for itself: descriptors, path
 * tables, directory records with all their system use fields. Damage in either shows, whichever field it is in.
 */
export async function compareRecords(
	first: PlacedVolume,
	second: PlacedVolume,
	findings: Findings,
	signal?: AbortSignal,
): Promise<void> {
	await compareSet(first, second, 16, 16, "primary", findings, signal);
	const joliet = 17 + first.volume.bootRecords.length;
	if (first.volume.joliet !== undefined && second.volume.joliet !== undefined)
		await compareSet(first, second, joliet, 17 + second.volume.bootRecords.length, "Joliet", findings, signal);
}

async function compareSet(
	first: PlacedVolume,
	second: PlacedVolume,
	firstBlock: number,
	secondBlock: number,
	name: "primary" | "Joliet",
	findings: Findings,
	signal: AbortSignal | undefined,
): Promise<void> {
	const [a, b] = [
		blanked(await first.source.read(firstBlock * ISO_BLOCK_BYTES, ISO_BLOCK_BYTES), DESCRIPTOR_PLACES),
		blanked(await second.source.read(secondBlock * ISO_BLOCK_BYTES, ISO_BLOCK_BYTES), DESCRIPTOR_PLACES),
	];
	report(a, b, `the ${name} descriptors of both sets`, `block ${firstBlock}`, findings);
	const isJoliet = name === "Joliet";
	const [descriptor, other] = isJoliet
		? [first.volume.joliet, second.volume.joliet]
		: [first.volume.primary, second.volume.primary];
	if (descriptor !== undefined && other !== undefined)
		for (const order of ["littleEndianPathTableBlock", "bigEndianPathTableBlock"] as const) {
			const tables = [await pathTable(first, descriptor, order), await pathTable(second, other, order)] as const;
			report(...tables, `the ${name} path tables of both sets`, `block ${descriptor[order]}`, findings);
		}
	const [root, twin] = isJoliet
		? [first.volume.jolietRoot, second.volume.jolietRoot]
		: [first.volume.root, second.volume.root];
	if (root === undefined || twin === undefined) return;
	const twins = await inTurns(directoriesOf(twin), signal);
	let comparedBytes = 0;
	for (const [path, directory] of await inTurns(directoriesOf(root), signal)) {
		const match = twins.get(path);
		comparedBytes += directory.extent.byteLength;
		// A directory that only one tree has is reported by the comparison of the trees.
		if (match === undefined || comparedBytes > MAX_COMPARED_BYTES) continue;
		const records = [
			await directoryRecords(first.source, directory),
			await directoryRecords(second.source, match),
		] as const;
		report(...records, `the ${name} directory records of both sets`, `/${displayName(path)}`, findings);
	}
}

/** ECMA-119 9.4: the extent's place is in the bytes 2 to 5 of each entry. */
async function pathTable(
	{ source }: PlacedVolume,
	descriptor: VolumeDescriptor,
	order: "littleEndianPathTableBlock" | "bigEndianPathTableBlock",
): Promise<Buffer> {
	const bytes = Buffer.from(await source.read(descriptor[order] * ISO_BLOCK_BYTES, descriptor.pathTableByteLength));
	for (let at = 0; at < bytes.byteLength; ) {
		const identifierBytes = bytes[at] ?? 0;
		bytes.fill(0, at + 2, Math.min(at + 6, bytes.byteLength));
		at += 8 + identifierBytes + (identifierBytes % 2);
	}
	return bytes;
}

/** ECMA-119 9.1: the extent's place is in the bytes 2 to 9 of each record; SUSP 5.1: that of a continuation area in its CE entry. */
async function directoryRecords(source: ByteSource, { extent }: VolumeDirectory): Promise<Buffer> {
	const bytes = Buffer.from(await source.read(extent.block * ISO_BLOCK_BYTES, extent.byteLength));
	for (let at = 0; at < bytes.byteLength; ) {
		const byteLength = bytes[at] ?? 0;
		if (byteLength === 0) {
			at += ISO_BLOCK_BYTES - (at % ISO_BLOCK_BYTES);
			continue;
		}
		const end = Math.min(at + byteLength, bytes.byteLength);
		bytes.fill(0, at + 2, Math.min(at + 10, end));
		const identifierBytes = bytes[at + 32] ?? 0;
		for (let use = at + 33 + identifierBytes + ((identifierBytes + 1) % 2); use + 4 <= end; ) {
			const useBytes = bytes[use + 2] ?? 0;
			if (bytes.toString("latin1", use, use + 2) === "CE") blankBoth(bytes, use + 4, end);
			if (useBytes < 4) break;
			use += useBytes;
		}
		at = end;
	}
	return bytes;
}

/** A number in both byte orders becomes zero where its halves agree. */
function blankBoth(bytes: Buffer, at: number, end: number): void {
	if (at + 8 <= end && bytes.readUInt32LE(at) === bytes.readUInt32BE(at + 4)) bytes.fill(0, at, at + 8);
}

function blanked(bytes: Uint8Array, places: readonly (readonly [from: number, to: number])[]): Buffer {
	const copy = Buffer.from(bytes);
	for (const [from, to] of places) copy.fill(0, from, to);
	return copy;
}

function report(a: Buffer, b: Buffer, what: string, where: string, findings: Findings): void {
	if (a.equals(b)) return;
	const differing = a.findIndex((byte, i) => byte !== b[i]);
	const at = differing < 0 ? Math.min(a.byteLength, b.byteLength) : differing;
	findings.fault(`${what} differ at byte ${at}`, where, "the same but for places");
}

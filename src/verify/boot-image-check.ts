import type { ByteSource } from "../binary/byte-source.ts";
import type { ByteString } from "../binary/byte-string.ts";
import { inTurns, type Steps } from "../binary/turns.ts";
import { ISO_BLOCK_BYTES, MiB } from "../binary/units.ts";
import { corrupt } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import type { BootImage } from "../formats/eltorito/boot-catalog.ts";
import { bootImageChecksum, bootInfoTable, hasGrub2BootInfo } from "../formats/eltorito/boot-info.ts";
import { FIRST_DESCRIPTOR_BLOCK } from "../formats/iso9660/finish-volume.ts";
import type { Volume, VolumeDirectory, VolumeFile } from "../formats/iso9660/volume.ts";
import { nodesOf, readVolumeFile } from "./medium-files.ts";

export interface BiosImage {
	readonly block: number;
	readonly bytes: Buffer;
}

const MAX_BOOT_IMAGE_BYTES = 16 * MiB;

/** The file that the catalog's BIOS entry points to, and the two tables that tell it where it is. */
export async function checkBootImage(
	source: ByteSource,
	volume: Volume,
	{ block }: BootImage,
	findings: Findings,
	signal?: AbortSignal,
): Promise<BiosImage> {
	const found = await inTurns(fileBeginningAt(block, volume.root), signal);
	if (found === undefined)
		throw corrupt("NO_BOOT_IMAGE", "no file begins where the catalog's BIOS entry points", `block ${block}`, "one");
	const [path, file] = found;
	const bytes = await readVolumeFile(source, file, MAX_BOOT_IMAGE_BYTES, path);
	const where = `/${path}`;
	if (bytes.byteLength <= ISO_BLOCK_BYTES)
		throw corrupt("NO_BOOT_IMAGE", `it has ${bytes.byteLength} bytes`, where, "more than one block");
	const table = bootInfoTable.decode(bytes);
	findings.equal("primary volume descriptor's block in the table", table.pvdBlock, FIRST_DESCRIPTOR_BLOCK, where);
	findings.equal("own block in the table", table.imageBlock, block, where);
	findings.equal("own length in the table", table.imageByteLength, bytes.byteLength, where);
	findings.equal("checksum in the table", table.checksum, bootImageChecksum(bytes), where);
	if (bytes.subarray(24, bootInfoTable.byteLength).some((byte) => byte !== 0))
		findings.fault("the table's reserved bytes are set", where, "zeros");
	if (!hasGrub2BootInfo(bytes, block)) findings.fault("GRUB's own place is wrong", `${where}, byte 2548`, "its own");
	findings.detail = `${where}, ${bytes.byteLength} bytes at block ${block}`;
	return { block, bytes };
}

/** The first file with bytes that begins there; a node a step. */
function* fileBeginningAt(block: number, root: VolumeDirectory): Steps<[ByteString, VolumeFile] | undefined> {
	for (const [path, node] of nodesOf(root)) {
		if (node.type === "file" && node.byteLength > 0 && node.extents[0]?.block === block) return [path, node];
		yield;
	}
	return undefined;
}

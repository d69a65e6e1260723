import { MiB } from "../binary/units.ts";
import { DECOMPRESSOR_FILLED_BYTES, DECOMPRESSOR_OFFSET, decompressorHead } from "../boot/grub/core-layout.ts";
import { buildElToritoCore, CORE_IMAGE } from "../boot/grub/made/core-image/build-core.ts";
import { grubFileReader } from "../boot/grub/made/image-reader.ts";
import { decompressGrubCore } from "../boot/grub/model/modules.ts";
import { ISO_PATHS } from "../boot/iso-paths.ts";
import type { GrubModules } from "../contract/contract.ts";
import type { Findings } from "../findings/findings.ts";
import type { ImageTree } from "../tree/image-tree.ts";

export const MAX_CORE_BYTES = 16 * MiB;
/** GRUB's boot information table, and the block list that it is started by. */
const PATCHED = [
	[8, 64],
	[2548, DECOMPRESSOR_OFFSET],
] as const;

/** GRUB's core image for BIOS is made again; where another program compressed it, what it holds is compared. */
export async function checkCore(
	core: Buffer,
	tree: ImageTree,
	{ path }: GrubModules,
	findings: Findings,
): Promise<void> {
	const read = grubFileReader(tree, path);
	const own = Buffer.from(await buildElToritoCore(read, CORE_IMAGE));
	const unpatched = (bytes: Buffer): Buffer => {
		const copy = Buffer.from(bytes);
		for (const [from, to] of PATCHED) copy.fill(0, from, to);
		return copy;
	};
	const [actual, wanted] = [unpatched(core), unpatched(own)];
	if (actual.equals(wanted)) return;
	const decompressorBytes = (await read("lzma_decompress.img", MAX_CORE_BYTES))?.byteLength ?? 0;
	const [a, b] = [actual, wanted].map((bytes) => bytes.subarray(DECOMPRESSOR_OFFSET));
	if (a === undefined || b === undefined || a.byteLength < decompressorBytes) {
		findings.fault("it is too short", `/${ISO_PATHS.coreImage}`, "GRUB's core image");
		return;
	}
	const { compressedBytes } = decompressorHead.decode(a);
	const [held, made] = [a, b].map((bytes) => decompressGrubCore(bytes, decompressorBytes));
	const isSame =
		actual.subarray(0, DECOMPRESSOR_OFFSET).equals(wanted.subarray(0, DECOMPRESSOR_OFFSET)) &&
		a
			.subarray(DECOMPRESSOR_FILLED_BYTES, decompressorBytes)
			.equals(b.subarray(DECOMPRESSOR_FILLED_BYTES, decompressorBytes)) &&
		a.byteLength === decompressorBytes + compressedBytes &&
		held !== undefined &&
		made !== undefined &&
		Buffer.compare(held, made) === 0;
	if (isSame)
		findings.note("it was compressed by another program; what it holds is the same", `/${ISO_PATHS.coreImage}`);
	else findings.fault("it is not what GRUB's files of the image make", `/${ISO_PATHS.coreImage}`, "GRUB's core image");
}

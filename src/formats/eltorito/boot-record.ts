import { from0, record } from "../../binary/record.ts";
import { ISO_BLOCK_BYTES } from "../../binary/units.ts";

const SYSTEM_IDENTIFIER = "EL TORITO SPECIFICATION";

/** Boot record volume descriptor (El Torito 1.0 figure 7); it lies in block 17. */
export const bootRecordDescriptor = record("boot record volume descriptor", ISO_BLOCK_BYTES, {
	type: from0.u8(0),
	standardIdentifier: from0.text(1, 5),
	version: from0.u8(6),
	bootSystemIdentifier: from0.text(7, 32, "\0"),
	catalogBlock: from0.u32le(0x47),
});

export function encodeBootRecord(catalogBlock: number): Buffer {
	return bootRecordDescriptor.encode({
		type: 0,
		standardIdentifier: "CD001",
		version: 1,
		bootSystemIdentifier: SYSTEM_IDENTIFIER,
		catalogBlock,
	});
}

/** Block of the boot catalog, or undefined where `descriptor` (2048 bytes) is no El Torito boot record. */
export function decodeBootRecord(descriptor: Uint8Array): number | undefined {
	const { type, standardIdentifier, version, bootSystemIdentifier, catalogBlock } =
		bootRecordDescriptor.decode(descriptor);
	const isElTorito =
		type === 0 && standardIdentifier === "CD001" && version === 1 && bootSystemIdentifier === SYSTEM_IDENTIFIER;
	return isElTorito ? catalogBlock : undefined;
}

import { bytesOf } from "../../../../binary/byte-string.ts";
import { ByteWriter } from "../../../../binary/byte-writer.ts";
import { from0, record } from "../../../../binary/record.ts";
import { alignUp } from "../../../../binary/units.ts";

/** What precedes all objects (GRUB, `grub_module_info32`). */
export const moduleAreaHeader = record("GRUB module area header", 12, {
	magic: from0.text(0, 4),
	/** From the header's start to the first object. */
	objectsOffset: from0.u32le(4),
	/** Of header and objects. */
	byteLength: from0.u32le(8),
});
export const MODULE_AREA_MAGIC = "mimg";

/** What precedes each object (GRUB, `grub_module_header`). */
export const moduleObjectHeader = record("GRUB module object header", 8, {
	type: from0.u32le(0),
	/** With this header and the padding after the content. */
	byteLength: from0.u32le(4),
});
export const OBJECT_ELF = 0;
export const OBJECT_PREFIX = 3;
const ALIGNMENT = 4;

/** What follows the kernel in memory: the modules, whole ELF files in the order of loading, and the prefix, a path. */
export function moduleArea(modules: readonly Uint8Array[], prefix: string): Uint8Array {
	const objects = [
		...modules.map((content) => ({ type: OBJECT_ELF, content })),
		{ type: OBJECT_PREFIX, content: bytesOf(`${prefix}\0`) },
	];
	const sizes = objects.map(({ content }) => moduleObjectHeader.byteLength + alignUp(content.byteLength, ALIGNMENT));
	const objectsOffset = moduleAreaHeader.byteLength;
	const byteLength = sizes.reduce((sum, size) => sum + size, objectsOffset);
	const writer = new ByteWriter(byteLength);
	writer.bytes(moduleAreaHeader.encode({ magic: MODULE_AREA_MAGIC, objectsOffset, byteLength }));
	for (const [index, { type, content }] of objects.entries()) {
		writer.bytes(moduleObjectHeader.encode({ type, byteLength: sizes[index] ?? 0 }));
		writer.bytes(content).align(ALIGNMENT);
	}
	return writer.view();
}

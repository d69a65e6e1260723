import { bytesOf } from "../../../../binary/byte-string.ts";
import { ByteWriter } from "../../../../binary/byte-writer.ts";
import { alignUp } from "../../../../binary/units.ts";
import { MODULE_AREA_MAGIC, MODULE_OBJECT, moduleAreaHeader, moduleObjectHeader } from "../../core-layout.ts";

const ALIGNMENT = 4;

/** What follows the kernel in memory: the modules, whole ELF files in the order of loading, and the prefix, a path. */
export function moduleArea(modules: readonly Uint8Array[], prefix: string): Uint8Array {
	const objects = [
		...modules.map((content) => ({ type: MODULE_OBJECT.elf, content })),
		{ type: MODULE_OBJECT.prefix, content: bytesOf(`${prefix}\0`) },
	];
	const sizeOf = ({ byteLength }: Uint8Array): number => moduleObjectHeader.byteLength + alignUp(byteLength, ALIGNMENT);
	const objectsOffset = moduleAreaHeader.byteLength;
	const byteLength = objects.reduce((sum, { content }) => sum + sizeOf(content), objectsOffset);
	const writer = new ByteWriter(byteLength);
	writer.bytes(moduleAreaHeader.encode({ magic: MODULE_AREA_MAGIC, objectsOffset, byteLength }));
	for (const { type, content } of objects) {
		writer.bytes(moduleObjectHeader.encode({ type, byteLength: sizeOf(content) }));
		writer.bytes(content).align(ALIGNMENT);
	}
	return writer.view();
}

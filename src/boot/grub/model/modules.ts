import type { ByteString } from "../../../binary/byte-string.ts";
import { decodeLzma } from "../../../formats/lzma/raw-lzma.ts";
import { openElf, untilNul } from "../../elf-sections.ts";
import {
	decompressorHead,
	MODULE_AREA_MAGIC,
	MODULE_OBJECT,
	moduleAreaHeader,
	moduleAreaHeader64,
	moduleObjectHeader,
} from "../core-layout.ts";
import { moduleName } from "./module-file.ts";

/** What a GRUB core image carries beside its code. */
export interface GrubModules {
	/** Directory of GRUB's files, maybe with a device in front: `/boot/grub2`. */
	readonly prefix: ByteString | undefined;
	/** The script that it runs first, in the rescue parser's language. */
	readonly configuration: ByteString | undefined;
	/** The image of a file system that GRUB calls `(memdisk)`. */
	readonly memoryDisk: Uint8Array | undefined;
	/** Its built-in modules by name, as ELF objects; undefined where one of them does not tell its name. */
	readonly modules: ReadonlyMap<string, Uint8Array> | undefined;
}

const MAX_MODULES = 10_000;
const MAX_TRIES = 1000;

/** Finds GRUB's modules in a core image (decompressed, or a PE section). */
export function findGrubModules(image: Uint8Array): GrubModules | undefined {
	const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
	let tries = 0;
	// The code mentions the magic number too: only a header with a plausible place is one.
	for (
		let at = bytes.indexOf(MODULE_AREA_MAGIC);
		at >= 0 && tries < MAX_TRIES;
		at = bytes.indexOf(MODULE_AREA_MAGIC, at + 1), tries++
	) {
		for (const type of [moduleAreaHeader64, moduleAreaHeader]) {
			if (at + type.byteLength > bytes.byteLength) continue;
			const { objectsOffset: offset, byteLength } = type.decode(bytes, at);
			if (offset !== type.byteLength || byteLength < offset || at + byteLength > bytes.byteLength) continue;
			const modules = readModules(bytes.subarray(at + offset, at + byteLength));
			if (modules !== undefined) return modules;
		}
	}
	return undefined;
}

function readModules(area: Buffer): GrubModules | undefined {
	let prefix: ByteString | undefined;
	let configuration: ByteString | undefined;
	let memoryDisk: Uint8Array | undefined;
	const modules = new Map<string, Uint8Array>();
	let allNamed = true;
	let at = 0;
	for (let count = 0; at + moduleObjectHeader.byteLength <= area.byteLength; count++) {
		const { type, byteLength } = moduleObjectHeader.decode(area, at);
		if (byteLength < moduleObjectHeader.byteLength || at + byteLength > area.byteLength || count === MAX_MODULES)
			return undefined;
		const content = area.subarray(at + moduleObjectHeader.byteLength, at + byteLength);
		if (type === MODULE_OBJECT.prefix) prefix = untilNul(content);
		else if (type === MODULE_OBJECT.configuration) configuration = untilNul(content);
		else if (type === MODULE_OBJECT.memoryDisk) memoryDisk = content;
		else if (type === MODULE_OBJECT.elf) {
			const name = builtInName(content);
			if (name === undefined) allNamed = false;
			else modules.set(name, content);
		}
		at += byteLength;
	}
	return { prefix, configuration, memoryDisk, modules: allNamed && modules.size > 0 ? modules : undefined };
}

/** The name of a built-in module, where it tells one. */
function builtInName(bytes: Buffer): string | undefined {
	try {
		const elf = openElf(bytes);
		return elf && moduleName(elf);
	} catch (error) {
		if (error instanceof RangeError) return undefined;
		throw error;
	}
}

const MAX_CORE_BYTES = 2 ** 25;

/**
 * The kernel and modules of GRUB's i386-pc core image: `core` begins with the decompressor. The length of that is known from
 * `decompressorBytes` (lzma_decompress.img), or taken to be what the stream leaves. Undefined where it does not decompress.
 */
export function decompressGrubCore(core: Uint8Array, decompressorBytes: number | undefined): Uint8Array | undefined {
	if (core.byteLength < decompressorHead.byteLength) return undefined;
	const { compressedBytes, uncompressedBytes } = decompressorHead.decode(core);
	if (uncompressedBytes > MAX_CORE_BYTES) return undefined;
	for (const start of [core.byteLength - compressedBytes, decompressorBytes]) {
		if (start === undefined || start < decompressorHead.byteLength || start + compressedBytes > core.byteLength)
			continue;
		const decoded = decodeLzma(core.subarray(start, start + compressedBytes), uncompressedBytes);
		if (decoded !== undefined) return decoded;
	}
	return undefined;
}

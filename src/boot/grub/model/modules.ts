import type { ByteString } from "../../../binary/byte-string.ts";
import { from0, record } from "../../../binary/record.ts";
import { decodeLzma } from "../../../formats/lzma/raw-lzma.ts";
import { openElf, untilNul } from "../../elf-sections.ts";
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

/** GRUB's `struct grub_module_info32`, `64` and `grub_module_header` (include/grub/kernel.h). */
const moduleInfo32 = record("GRUB module info", 12, {
	magic: from0.text(0, 4),
	offset: from0.u32le(4),
	byteLength: from0.u32le(8),
});
const moduleInfo64 = record("GRUB module info", 24, {
	magic: from0.text(0, 4),
	offset: from0.safe64le(8),
	byteLength: from0.safe64le(16),
});
const moduleHeader = record("GRUB module header", 8, { type: from0.u32le(0), byteLength: from0.u32le(4) });

const MAGIC = "mimg";
const TYPE = { elf: 0, memoryDisk: 1, configuration: 2, prefix: 3 } as const;
const MAX_MODULES = 10_000;
const MAX_TRIES = 1000;

/** Finds GRUB's modules in a core image (decompressed, or a PE section). */
export function findGrubModules(image: Uint8Array): GrubModules | undefined {
	const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
	let tries = 0;
	// The code mentions the magic number too: only a header with a plausible place is one.
	for (let at = bytes.indexOf(MAGIC); at >= 0 && tries < MAX_TRIES; at = bytes.indexOf(MAGIC, at + 1), tries++) {
		for (const type of [moduleInfo64, moduleInfo32]) {
			if (at + type.byteLength > bytes.byteLength) continue;
			const { offset, byteLength } = type.decode(bytes, at);
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
	for (let count = 0; at + moduleHeader.byteLength <= area.byteLength; count++) {
		const { type, byteLength } = moduleHeader.decode(area, at);
		if (byteLength < moduleHeader.byteLength || at + byteLength > area.byteLength || count === MAX_MODULES)
			return undefined;
		const content = area.subarray(at + moduleHeader.byteLength, at + byteLength);
		if (type === TYPE.prefix) prefix = untilNul(content);
		else if (type === TYPE.configuration) configuration = untilNul(content);
		else if (type === TYPE.memoryDisk) memoryDisk = content;
		else if (type === TYPE.elf) {
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

/** Of the i386-pc decompressor (grub-core/boot/i386/pc/startup_raw.S, include/grub/offsets.h). */
const decompressorHead = record("GRUB decompressor", 16, {
	compressedBytes: from0.u32le(8),
	uncompressedBytes: from0.u32le(12),
});
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

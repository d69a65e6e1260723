import type { ByteString } from "../../../../binary/byte-string.ts";
import { KiB, MiB } from "../../../../binary/units.ts";
import { ISO_PATHS } from "../../../iso-paths.ts";
import { PC_BIOS } from "../../../machines.ts";
import { checkedCdBoot, decompressor, diskBoot } from "./boot-parts.ts";
import { badGrubFile, coreTooBig } from "./failures.ts";
import { KERNEL_ADDRESS, kernelMemory } from "./kernel-image.ts";
import { encodeLzma } from "./lzma/encode.ts";
import { moduleArea } from "./module-area.ts";
import { resolveModules } from "./module-dependencies.ts";

const MAX_FILE_BYTES = MiB;
const MAX_PAYLOAD_BYTES = MiB;
/** Where the memory ends that decompressor and stream are loaded to; grub2-mkimage counts from the kernel's address. */
const LOAD_END = 0x78000;

/**
 * Reads one file of GRUB's i386-pc directory, or resolves to undefined where there is none. Rejects for one longer than `maxBytes`.
 * Names are single path components.
 */
export type GrubFileReader = (name: string, maxBytes: number) => Promise<Uint8Array | undefined>;

interface CoreImageOptions {
	/** Where on the boot device GRUB finds its menu and further modules: an absolute path. */
	readonly prefix: ByteString;
	/** Names without `.mod`; what they depend on is added. */
	readonly modules: readonly string[];
	/** Called now and then while bytes are compressed, for others to have their turn or to end the work by rejecting. */
	readonly pause?: (() => Promise<void>) | undefined;
}

/** What the reference converter puts in the core image; grub2-mkimage adds what these depend on (moddep.lst). */
export const CORE_IMAGE = {
	/** As grub2-mkimage names it. */
	format: `${PC_BIOS.name}-eltorito`,
	prefix: `/${ISO_PATHS.biosDirectory}`,
	modules: ["biosdisk", "part_gpt", "iso9660"],
} as const;

/** The modules of a core image with these and all that they depend on, in the order in which they are loaded. Throws as `buildElToritoCore`. */
export async function readModuleNames(read: GrubFileReader, modules: readonly string[]): Promise<readonly string[]> {
	return resolveModules(await load(read, "moddep.lst"), modules);
}

/**
 * GRUB's BIOS boot image for CDs and, with an MBR that loads it, disks: what `grub2-mkimage --format i386-pc-eltorito` makes, byte
 * for byte. Layout: cdboot.img, diskboot.img, lzma_decompress.img, LZMA stream of kernel and modules; no padding.
 * Its place on the medium is not yet patched in. Throws `Oci2isoError` of kind contract for files that are not GRUB's, of kind tool
 * (GRUB_CORE_TOO_BIG) for an image that memory below 640 KiB has no room for.
 */
export async function buildElToritoCore(read: GrubFileReader, options: CoreImageOptions): Promise<Uint8Array> {
	const names = await readModuleNames(read, options.modules);
	const kernel = kernelMemory(await load(read, "kernel.img"));
	const modules: Uint8Array[] = [];
	let payloadBytes = kernel.byteLength;
	for (const name of names) {
		const module = await load(read, `${name}.mod`);
		modules.push(module);
		payloadBytes += module.byteLength;
		if (payloadBytes > MAX_PAYLOAD_BYTES) {
			throw coreTooBig(`kernel and modules have ${payloadBytes} bytes`, `at most ${MAX_PAYLOAD_BYTES}`);
		}
	}
	const payload = Buffer.concat([kernel, moduleArea(modules, options.prefix)]);
	const stream = await encodeLzma(payload, options.pause);
	const core = Buffer.concat([
		decompressor(await load(read, "lzma_decompress.img"), stream.byteLength, payload.byteLength),
		stream,
	]);
	if (KERNEL_ADDRESS + core.byteLength > LOAD_END) {
		throw coreTooBig(`it has ${core.byteLength} bytes`, `at most ${(LOAD_END - KERNEL_ADDRESS) / KiB} KiB`);
	}
	return Buffer.concat([
		checkedCdBoot(await load(read, "cdboot.img")),
		diskBoot(await load(read, "diskboot.img"), core.byteLength),
		core,
	]);
}

async function load(read: GrubFileReader, name: string): Promise<Uint8Array> {
	const file = await read(name, MAX_FILE_BYTES);
	if (file === undefined) throw badGrubFile("GRUB_MODULE_MISSING", name, "it is missing");
	return file;
}

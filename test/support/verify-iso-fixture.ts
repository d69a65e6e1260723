import { X509Certificate } from "node:crypto";
import { memorySource } from "../../src/binary/byte-source.ts";
import { ISO_BLOCK_BYTES, MiB } from "../../src/binary/units.ts";
import type { BootFile } from "../../src/boot/boot-files.ts";
import { deriveIdentifiers } from "../../src/exporters/iso/identifiers.ts";
import { buildFat, fatDirectoryOf } from "../../src/formats/fat/build-fat.ts";
import { APPLICATION_USE_OFFSET, computeMediaChecksum } from "../../src/formats/isomd5/media-checksum.ts";
import { type IsoLayout, layOutIso, ROOT_FS_BLOCK } from "../../src/medium/iso-layout.ts";
import { writeFront, writeRest } from "../../src/medium/write-iso.ts";
import type { DirectoryInode } from "../../src/tree/inode.ts";
import { ContentDigest } from "../../src/verify/content-digest.ts";
import type { ExpectedTree } from "../../src/verify/read-image.ts";
import { moduleFile } from "./grub-programs.ts";
import { GRUB_KERNEL_LZMA, grubKernel } from "./raw-lzma.ts";
import { SmallRoot } from "./small-root.ts";
import { MemorySink, TreeBuilder, writeTree } from "./trees.ts";
import { grubProgram, kernelProgram, shimProgram } from "./verify-programs.ts";
import { makeSigner, signProgram } from "./verify-signing.ts";
import { zlibCompressor } from "./zlib-compressor.ts";

export const LABEL = "Small-Live";
const EPOCH_SECONDS = 1_700_000_000;
const ESP_BYTES = 9 * MiB;
const DECOMPRESSOR_BYTES = 700;

export interface SmallIso {
	readonly bytes: Buffer;
	readonly layout: IsoLayout;
	readonly expected: ExpectedTree;
	/** Who signed shim. */
	readonly firmwareCertificates: readonly X509Certificate[];
	readonly squashfsBytes: number;
}

export interface SmallIsoOptions {
	/** Squashfs blocks stay uncompressed, so that fields of its tables can be found. */
	readonly stored?: boolean;
	readonly menu?: string;
	readonly loopback?: string;
	/** Content of GRUB's modules for BIOS that are not as they should be. */
	readonly modules?: Readonly<Record<string, Buffer>>;
	/** Where the menu for UEFI is; default `EFI/BOOT/grub.cfg` on both. */
	readonly menuPlaces?: Readonly<Record<"iso" | "esp", readonly string[]>>;
	/** What shim starts, where that is not the standard name. */
	readonly shimStarts?: string;
	/** Default: grubx64.efi. */
	readonly grubName?: string;
	/** GRUB for UEFI, to be signed. */
	readonly grub?: Buffer;
	readonly grubGeneration?: number;
	/** GRUB is signed by somebody whom shim does not know. */
	readonly strangeSigner?: boolean;
	readonly unsignedKernel?: boolean;
}

/** A whole ISO of our own making in memory, of 20 MiB, out of programs that only look like the real ones. */
export async function smallIso(options: SmallIsoOptions = {}): Promise<SmallIso> {
	const { expected, image } = await squashfsOnce(options.stored === true);
	const { firmware, vendor, signer, stranger } = signersOnce();
	const shim = signProgram(shimProgram(vendor.certificate, options.shimStarts), firmware);
	const grub = signProgram(
		options.grub ?? grubProgram(options.grubGeneration),
		options.strangeSigner === true ? stranger : signer,
	);
	const kernel = options.unsignedKernel === true ? kernelProgram() : signProgram(kernelProgram(), signer);
	const menu = Buffer.from(options.menu ?? MENU);
	const menus = options.menuPlaces ?? { iso: ["EFI/BOOT/grub.cfg"], esp: ["EFI/BOOT/grub.cfg"] };
	const both = (path: string, bytes: Uint8Array): BootFile => ({
		iso: path,
		esp: path,
		content: { kind: "generated", bytes },
	});
	const isoOnly = (path: string, bytes: Uint8Array): BootFile => ({ ...both(path, bytes), esp: undefined });
	const bootHybrid = Buffer.alloc(512, "hybrid");
	bootHybrid.writeUInt16LE(0xaa55, 510);
	const [cdboot, diskboot] = [Buffer.alloc(2048, "cdboot"), Buffer.alloc(512, "diskboot")];
	const files = [
		both("EFI/BOOT/BOOTX64.EFI", shim),
		both("EFI/BOOT/mmx64.efi", signProgram(grubProgram(), signer)),
		both(`EFI/BOOT/${options.grubName ?? "grubx64.efi"}`, grub),
		both("EFI/BOOT/fonts/unicode.pf2", Buffer.alloc(5000, "font")),
		...menus.iso.map((path) => isoOnly(path, menu)),
		...menus.esp.map((path) => ({ ...both(path, menu), iso: undefined })),
		isoOnly("boot/grub2/grub.cfg", menu),
		isoOnly("boot/grub/loopback.cfg", Buffer.from(options.loopback ?? LOOPBACK)),
		...["normal", "gzio", "all_video"].map((name) =>
			isoOnly(`boot/grub2/i386-pc/${name}.mod`, options.modules?.[name] ?? moduleFile(name, "i386-pc")),
		),
		isoOnly("boot/grub2/i386-pc/boot_hybrid.img", bootHybrid),
		isoOnly("boot/grub2/i386-pc/cdboot.img", cdboot),
		isoOnly("boot/grub2/i386-pc/diskboot.img", diskboot),
		isoOnly("boot/grub2/i386-pc/lzma_decompress.img", Buffer.alloc(DECOMPRESSOR_BYTES, 0x90)),
		isoOnly("images/pxeboot/vmlinuz", kernel),
		isoOnly("images/pxeboot/initrd.img", Buffer.concat([Buffer.from("070701"), Buffer.alloc(3000, "initrd")])),
		isoOnly(".discinfo", Buffer.from("1700000000.0\n1\nx86_64\n")),
	];
	const elToritoImage = coreImage(cdboot, diskboot);
	const inEsp = files.flatMap(({ esp, content }) =>
		esp === undefined || content.kind !== "generated" ? [] : [{ path: esp, content: content.bytes }],
	);
	const timestamp = { seconds: EPOCH_SECONDS, nanoseconds: 0 };
	const { guids, fatVolumeId } = deriveIdentifiers("small");
	const esp = buildFat(fatDirectoryOf(inEsp), { volumeId: fatVolumeId, minimumBytes: ESP_BYTES, timestamp });
	const layout = layOutIso({
		label: LABEL,
		epochSeconds: EPOCH_SECONDS,
		rootFsBytes: image.byteLength,
		elToritoBytes: elToritoImage.byteLength,
		esp,
		hasEfiImage: true,
		bootFiles: files,
		guids,
		preparer: "TEST",
	});
	const bytes = Buffer.alloc(layout.disk.imageBlocks * ISO_BLOCK_BYTES);
	bytes.set(image, ROOT_FS_BLOCK * ISO_BLOCK_BYTES);
	const target = {
		...memorySource(bytes),
		write: (at: number, part: Uint8Array) => bytes.set(part, at),
		readNow: (at: number, length: number) => bytes.subarray(at, at + length),
		truncate() {},
	};
	writeFront(target, layout, bootHybrid);
	await writeRest(target, layout, { tree: new SmallRoot(), esp, elToritoImage, onBytes() {} });
	bytes.set(await computeMediaChecksum(target), APPLICATION_USE_OFFSET);
	const firmwareCertificates = [new X509Certificate(firmware.certificate)];
	return { bytes, layout, expected, firmwareCertificates, squashfsBytes: image.byteLength };
}

const signersOnce = once(() => {
	const vendor = makeSigner("Small Secure Boot CA", 2);
	return {
		firmware: makeSigner("Firmware Vendor CA", 1),
		vendor,
		signer: makeSigner("Small Secure Boot Signer", 3, vendor),
		stranger: makeSigner("Stranger", 4),
	};
});
const squashfsOnce = (stored: boolean) => (stored ? storedSquashfs() : compressedSquashfs());
const storedSquashfs = once(() => smallSquashfs(true));
const compressedSquashfs = once(() => smallSquashfs(false));

function once<Value>(make: () => Value): () => Value {
	let made: { readonly value: Value } | undefined;
	return () => {
		made ??= { value: make() };
		return made.value;
	};
}

export const MENU = `set default="0"
insmod gzio
set timeout=5
search --no-floppy --set=root -l '${LABEL}'
menuentry 'Small live' --class os {
	linux /images/pxeboot/vmlinuz root=live:CDLABEL=${LABEL} rd.live.image quiet
	initrd /images/pxeboot/initrd.img
}
menuentry "Small live, \\"safe\\"" {
	linux ($root)/images/pxeboot/vmlinuz root=live:CDLABEL=${LABEL} rd.live.image nomodeset
	initrd ($root)/images/pxeboot/initrd.img
}
`;

export const LOOPBACK = `menuentry 'Small live' {
	linux /images/pxeboot/vmlinuz root=live:CDLABEL=${LABEL} iso-scan/filename="\${iso_path}"
	initrd /images/pxeboot/initrd.img
}
`;

/** cdboot, diskboot with its block list, decompressor, compressed kernel. */
function coreImage(cdboot: Buffer, diskboot: Buffer): Buffer {
	const decompressor = Buffer.alloc(DECOMPRESSOR_BYTES, 0x90);
	decompressor.writeUInt32LE(GRUB_KERNEL_LZMA.byteLength, 8);
	decompressor.writeUInt32LE(grubKernel().byteLength, 12);
	const core = Buffer.concat([decompressor, GRUB_KERNEL_LZMA]);
	const list = Buffer.from(diskboot);
	list.fill(0, 500);
	list.writeUInt16LE(Math.ceil(core.byteLength / 512), 508);
	return Buffer.concat([cdboot, list, core]);
}

async function smallSquashfs(stored: boolean) {
	const tree = new TreeBuilder();
	const shared = tree.file("linked", { mode: 0o600 });
	const many = Object.fromEntries(
		Array.from({ length: 700 }, (_, i) => [`name-${String(i).padStart(12, "0")}`, shared]),
	);
	const root: DirectoryInode = tree.directory({
		bin: tree.directory({
			ping: tree.file(Buffer.alloc(9000, "ping"), {
				mode: 0o4755,
				xattrs: { "security.capability": "\x01\0\0\x02cap" },
			}),
			sparse: tree.file([Buffer.alloc(5000, "a"), { hole: 20_000 }, Buffer.alloc(100, "b")]),
			tail: tree.file("a tail", {
				uid: 1000,
				gid: 1001,
				mtime: 12345,
				xattrs: { "user.long": "v".repeat(300), "trusted.x": "1" },
			}),
			twin: tree.file("another", { xattrs: { "user.long": "v".repeat(300) } }),
		}),
		dev: tree.directory({
			null: tree.device("character-device", 1, 3),
			disk: tree.device("block-device", 259, 70_000),
			pipe: tree.ipc("fifo"),
			log: tree.ipc("socket"),
		}),
		many: tree.directory(many),
		empty: tree.directory(),
		link: tree.symlink("../bin/ping"),
		über: tree.file("", { mtime: 4_000_000_000 }),
	});
	const sink = new MemorySink();
	const compressor = zlibCompressor({ blockBytes: 4096, stored });
	const { summary } = await writeTree(root, (file) => tree.contents.get(file) ?? [], sink, compressor, {
		blockBytes: 4096,
	});
	const digests = new Map(
		[...tree.contents].map(([file, parts]) => {
			const digest = new ContentDigest(file.byteLength);
			for (const part of parts) {
				if ("hole" in part) digest.hole(part.hole);
				else digest.update(part);
			}
			return [file, digest.finish().toString("hex")] as const;
		}),
	);
	const expected: ExpectedTree = {
		root,
		excludedPaths: 0,
		droppedXattrs: [],
		notes: [],
		digestOf: (file) => digests.get(file),
		hasOwnTime: () => true,
	};
	return { expected, image: Buffer.from(sink.bytes(summary.byteLength)) };
}

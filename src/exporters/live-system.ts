import type { BootFile } from "../boot/boot-files.ts";
import type { Contract } from "../contract/contract.ts";
import type { FurtherImage } from "../medium/further-image.ts";
import type { MediumFile } from "../medium/medium-file.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { FileInode } from "../tree/inode.ts";

/** GRUB for BIOS. */
export interface BiosBoot {
	/** Its core image, which knows no place yet. */
	readonly core: Uint8Array;
	/** Its boot_hybrid.img. */
	readonly bootHybrid: FileInode;
}

/** An image's live system: what every medium holds, whichever it is. */
export interface LiveSystem {
	/** Label, kernel, menu: what the image says. */
	readonly contract: Contract;
	/** Of every time stamp that is not the image's, in seconds since 1970. */
	readonly epochSeconds: number;
	/** The image, to read contents from. */
	readonly tree: ImageTree;
	/** Written whole at the exporter's `rootfsStart`. */
	readonly rootfs: { readonly byteLength: number };
	/** Written together with it, in the order of their beginnings and ends. */
	readonly furtherImages: readonly FurtherImage[];
	/** Kernel, initramfs, boot loaders, menus. */
	readonly files: readonly BootFile[];
	/** What else goes onto the medium: images to install. */
	readonly otherFiles: readonly MediumFile[];
	/** Undefined for machines without a BIOS. */
	readonly bios: BiosBoot | undefined;
	/** Everything that decides the content, as JSON: what ids are made of. */
	readonly ingredients: unknown;
	/** The program, as media name it. */
	readonly preparer: string;
}

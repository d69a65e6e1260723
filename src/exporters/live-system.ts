import type { BootFile } from "../boot/boot-files.ts";
import type { Contract } from "../contract/contract.ts";
import type { ImageTree } from "../tree/image-tree.ts";

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
	/** Kernel, initramfs, boot loaders, menus. */
	readonly files: readonly BootFile[];
	/** GRUB's core image for BIOS, which knows no place yet. */
	readonly biosCore: Uint8Array;
	/** Everything that decides the content, as JSON: what ids are made of. */
	readonly ingredients: unknown;
	/** The program, as media name it. */
	readonly preparer: string;
}

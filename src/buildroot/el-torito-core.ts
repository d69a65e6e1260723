import { GiB, MiB } from "../binary/units.ts";
import { CORE_IMAGE } from "../boot/grub/made/core-image/build-core.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { ToolDirectory } from "./extract.ts";
import { runTool, type ToolOptions, type ToolRun } from "./run.ts";

/** Fedora's and Debian's names for the same program. */
export const CORE_TOOL_NAMES = ["grub2-mkimage", "grub-mkimage"];
const OUTPUT = "core.img";
const MAX_CORE_BYTES = 8 * MiB;

interface ElToritoCore {
	/** GRUB's core image for CDs: cdboot.img, then the rest; not yet patched with its place on the medium. */
	readonly image: Uint8Array;
	readonly run: ToolRun;
}

/**
 * Makes the BIOS boot image for CDs with the image's own `grub2-mkimage`. `grubDirectory` is the image's directory of GRUB's modules for BIOS, absolute; `needs`
 * names the files in it that the tool gets to see, by default all.
 * Throws `Oci2isoError` as `runTool` does.
 */
export async function makeElToritoCore(
	tree: ImageTree,
	{ path: grubDirectory, needs }: ToolDirectory,
	options: ToolOptions = {},
): Promise<ElToritoCore> {
	const { outputs, ...run } = await runTool({
		tree,
		names: CORE_TOOL_NAMES,
		directories: [{ path: grubDirectory, needs }],
		args: (paths) => [
			"--directory",
			paths.image(grubDirectory),
			"--prefix",
			CORE_IMAGE.prefix,
			"--format",
			CORE_IMAGE.format,
			"--compression",
			"auto",
			"--output",
			paths.writable(OUTPUT),
			...CORE_IMAGE.modules,
		],
		outputs: [{ name: OUTPUT, maxBytes: MAX_CORE_BYTES }],
		limits: { timeoutSeconds: 60, cpuSeconds: 60, addressSpaceBytes: GiB, fileBytes: MAX_CORE_BYTES },
		options,
	});
	return { image: outputs.get(OUTPUT) ?? new Uint8Array(), run };
}

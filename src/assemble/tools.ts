import type { ByteString } from "../binary/byte-string.ts";
import { makeElToritoCore } from "../buildroot/el-torito-core.ts";
import { implantMediaChecksum } from "../buildroot/media-checksum.ts";
import type { ToolOptions, ToolRun } from "../buildroot/run.ts";
import { Oci2isoError } from "../errors.ts";
import { buildElToritoCore, CORE_IMAGE, readModuleNames } from "../grub/core-image/build-core.ts";
import { grubFileReader } from "../medium/grub-files.ts";
import type { ToolReport } from "../report/build-report.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { ResolvedOptions } from "./options.ts";

type ToolChoice = Pick<ResolvedOptions, "tools" | "allowUnconfinedTools" | "signal">;

/**
 * Makes GRUB's BIOS core image with the tool that the options ask for; `builtin` does it in this process.
 * With `auto`, a tool that is missing, cannot be confined or fails gives way to `builtin`. `onStart` is called where a tool was started.
 */
export async function elToritoCore(
	tree: ImageTree,
	grubDirectory: ByteString,
	options: ToolChoice & Pick<ToolOptions, "onStart">,
): Promise<{ readonly image: Uint8Array; readonly report: ToolReport }> {
	const task = "el-torito-core";
	let reason: string | undefined;
	if (options.tools !== "builtin") {
		try {
			const directory = { path: grubDirectory, needs: await neededGrubFiles(tree, grubDirectory) };
			const made = await confined(options, (toolOptions) => makeElToritoCore(tree, directory, toolOptions));
			return { image: made.image, report: reportOf(task, made.run) };
		} catch (error) {
			const canGoOn = options.tools === "auto" && error instanceof Oci2isoError && error.kind === "tool";
			if (!canGoOn) throw error;
			reason = error.message;
		}
	}
	const image = await buildElToritoCore(grubFileReader(tree, grubDirectory), CORE_IMAGE);
	return { image, report: { task, used: "builtin", reason } };
}

/** All of GRUB's directory but the modules, some 280 files, that the core image does without; everything where nobody can say which those are. */
async function neededGrubFiles(
	tree: ImageTree,
	directory: ByteString,
): Promise<((name: ByteString) => boolean) | undefined> {
	try {
		const modules = new Set(await readModuleNames(grubFileReader(tree, directory), CORE_IMAGE.modules));
		return (name) => !name.endsWith(".mod") || modules.has(name.slice(0, -".mod".length));
	} catch (error) {
		if (error instanceof Oci2isoError && (error.kind === "contract" || error.kind === "corrupt")) return undefined;
		throw error;
	}
}

/**
 * Whether the options have a tool write the media checksum. With `auto` none does: this program's has the same bytes and is there sooner, because it is
 * computed while the rest of the ISO is written.
 */
export function usesTool({ tools }: ToolChoice): boolean {
	return tools === "buildroot" || tools === "host";
}

/** Has the image's or the host's `implantisomd5` write the media checksum into the finished ISO at `isoPath`. */
export async function checksumByTool(tree: ImageTree, isoPath: string, options: ToolChoice): Promise<ToolReport> {
	const { run } = await confined(options, (toolOptions) => implantMediaChecksum(tree, isoPath, toolOptions));
	return reportOf("media-checksum", run);
}

async function confined<Result>(
	{ tools, allowUnconfinedTools, signal, onStart }: ToolChoice & Pick<ToolOptions, "onStart">,
	run: (options: ToolOptions) => Promise<Result>,
): Promise<Result> {
	const source = tools === "host" ? "host" : "buildroot";
	try {
		return await run({ source, signal, onStart });
	} catch (error) {
		const refused = error instanceof Oci2isoError && error.code === "TOOL_CANNOT_CONFINE";
		if (!refused || !allowUnconfinedTools) throw error;
		return run({ source, signal, onStart, confinement: "none" });
	}
}

function reportOf(task: ToolReport["task"], run: ToolRun): ToolReport {
	const reason = run.confinementNotes.length === 0 ? undefined : run.confinementNotes.join("; ");
	return { task, used: run.source, path: run.toolPath, confinement: run.confinement, reason };
}

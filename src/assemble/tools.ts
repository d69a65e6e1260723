import type { ByteString } from "../binary/byte-string.ts";
import { CORE_IMAGE, makeElToritoCore } from "../buildroot/el-torito-core.ts";
import { implantMediaChecksum } from "../buildroot/media-checksum.ts";
import type { ToolOptions, ToolRun } from "../buildroot/run.ts";
import { Oci2isoError } from "../errors.ts";
import { buildElToritoCore } from "../grub/core-image/build-core.ts";
import type { ToolReport } from "../report/build-report.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { ResolvedOptions } from "./options.ts";

type ToolChoice = Pick<ResolvedOptions, "tools" | "allowUnconfinedTools" | "signal">;

/**
 * Makes GRUB's BIOS core image with the tool that the options ask for; `builtin` does it in this process.
 * With `auto`, a tool that is missing, cannot be confined or fails gives way to `builtin`.
 */
export async function elToritoCore(
	tree: ImageTree,
	grubDirectory: ByteString,
	options: ToolChoice,
): Promise<{ readonly image: Uint8Array; readonly report: ToolReport }> {
	return toolOrBuiltin(
		"el-torito-core",
		options,
		(toolOptions) => makeElToritoCore(tree, grubDirectory, toolOptions),
		async () => {
			const image = await buildElToritoCore(async (name, maxBytes) => {
				const file = tree.lookup(`${grubDirectory}/${name}`)?.inode;
				return file?.type === "file" ? tree.read(file, maxBytes) : undefined;
			}, CORE_IMAGE);
			return { image };
		},
	);
}

/** Writes the media checksum into the ISO at `isoPath`; who does it is decided as for `elToritoCore`. */
export async function mediaChecksum(
	tree: ImageTree,
	isoPath: string,
	options: ToolChoice,
	builtin: () => Promise<void>,
): Promise<ToolReport> {
	const { report } = await toolOrBuiltin(
		"media-checksum",
		options,
		(toolOptions) => implantMediaChecksum(tree, isoPath, toolOptions),
		async () => {
			await builtin();
			return {};
		},
	);
	return report;
}

async function toolOrBuiltin<Made extends object>(
	task: ToolReport["task"],
	options: ToolChoice,
	byTool: (options: ToolOptions) => Promise<Made & { readonly run: ToolRun }>,
	builtin: () => Promise<Made>,
): Promise<Made & { readonly report: ToolReport }> {
	let reason: string | undefined;
	if (options.tools !== "builtin") {
		try {
			const made = await confined(options, byTool);
			return { ...made, report: reportOf(task, made.run) };
		} catch (error) {
			const canGoOn = options.tools === "auto" && error instanceof Oci2isoError && error.kind === "tool";
			if (!canGoOn || error.code === "TOOL_DAMAGED_ISO") throw error;
			reason = error.message;
		}
	}
	return { ...(await builtin()), report: { task, used: "builtin", reason } };
}

async function confined<Result>(
	{ tools, allowUnconfinedTools, signal }: ToolChoice,
	run: (options: ToolOptions) => Promise<Result>,
): Promise<Result> {
	const source = tools === "host" ? "host" : "buildroot";
	try {
		return await run({ source, signal });
	} catch (error) {
		const refused = error instanceof Oci2isoError && error.code === "TOOL_CANNOT_CONFINE";
		if (!refused || !allowUnconfinedTools) throw error;
		return run({ source, signal, confinement: "none" });
	}
}

function reportOf(task: ToolReport["task"], run: ToolRun): ToolReport {
	const reason = run.confinementNotes.length === 0 ? undefined : run.confinementNotes.join("; ");
	return { task, used: run.source, path: run.toolPath, confinement: run.confinement, reason };
}

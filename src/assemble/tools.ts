import type { ByteString } from "../binary/byte-string.ts";
import { makeElToritoCore } from "../buildroot/el-torito-core.ts";
import { implantMediaChecksum } from "../buildroot/media-checksum.ts";
import type { ToolOptions, ToolRun } from "../buildroot/run.ts";
import { Oci2isoError } from "../errors.ts";
import type { ToolReport } from "../report/build-report.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { ResolvedOptions } from "./options.ts";

type ToolChoice = Pick<ResolvedOptions, "tools" | "allowUnconfinedTools" | "signal">;

/** Makes GRUB's BIOS core image with the tool that the options ask for. Throws `Oci2isoError` of kind tool (exit 7). */
export async function elToritoCore(
	tree: ImageTree,
	grubDirectory: ByteString,
	options: ToolChoice,
): Promise<{ readonly image: Uint8Array; readonly report: ToolReport }> {
	if (options.tools === "builtin") {
		throw new Oci2isoError({
			code: "BUILTIN_CORE_UNAVAILABLE",
			kind: "tool",
			what: "this version cannot make GRUB's BIOS core image without grub2-mkimage",
			where: "--tools builtin",
			remedy: "use --tools buildroot with an image that has grub2-mkimage, or --tools host",
		});
	}
	const { image, run } = await confined(options, (toolOptions) => makeElToritoCore(tree, grubDirectory, toolOptions));
	return { image, report: reportOf("el-torito-core", run) };
}

/**
 * Writes the media checksum into the ISO at `isoPath` with the tool that the options ask for; `builtin` does it in this process.
 * With `auto`, a tool that is missing, cannot be confined or fails gives way to `builtin`.
 */
export async function mediaChecksum(
	tree: ImageTree,
	isoPath: string,
	options: ToolChoice,
	builtin: () => Promise<void>,
): Promise<ToolReport> {
	let reason: string | undefined;
	if (options.tools !== "builtin") {
		try {
			const { run } = await confined(options, (toolOptions) => implantMediaChecksum(tree, isoPath, toolOptions));
			return reportOf("media-checksum", run);
		} catch (error) {
			const canGoOn = options.tools === "auto" && error instanceof Oci2isoError && error.kind === "tool";
			if (!canGoOn || error.code === "TOOL_DAMAGED_ISO") throw error;
			reason = error.message;
		}
	}
	await builtin();
	return { task: "media-checksum", used: "builtin", reason };
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

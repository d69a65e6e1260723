import { setImmediate } from "node:timers/promises";
import type { ByteString } from "../binary/byte-string.ts";
import { buildElToritoCore, CORE_IMAGE, readModuleNames } from "../boot/grub/made/core-image/build-core.ts";
import { grubFileReader } from "../boot/grub/made/image-reader.ts";
import { Oci2isoError, throwIfAborted } from "../errors.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import { CORE_TOOL_NAMES, makeElToritoCore } from "./el-torito-core.ts";
import { CHECKSUM_TOOL_NAMES, implantMediaChecksum } from "./media-checksum.ts";
import { requireToolsCanRun } from "./preflight.ts";
import type { ToolOptions, ToolRun } from "./run.ts";

export interface ToolReport {
	readonly task: "el-torito-core" | "media-checksum";
	readonly used: "buildroot" | "host" | "builtin";
	/** Path of the executable, in the image or on the host. */
	readonly path?: string | undefined;
	readonly confinement?: string | undefined;
	/** Why it was not confined better. */
	readonly reason?: string | undefined;
	/** Whether a tool's core image has the bytes that oci2iso itself would have made. */
	readonly sameAsBuiltin?: boolean | undefined;
}

/** Whose tools make what oci2iso makes too, and how. */
export interface ToolChoice {
	readonly tools: ToolReport["used"];
	/** Run them even where they cannot be confined. */
	readonly allowUnconfinedTools: boolean;
	readonly signal?: AbortSignal | undefined;
}

/**
 * Makes GRUB's BIOS core image: in this process, or with the tool of `buildroot` and `host`. All make the same bytes of the same files; where a tool's are
 * others the report says so.
 */
export async function elToritoCore(
	tree: ImageTree,
	grubDirectory: ByteString,
	options: ToolChoice,
): Promise<{ readonly image: Uint8Array; readonly report: ToolReport }> {
	const task = "el-torito-core";
	const pause = async (): Promise<void> => {
		await setImmediate();
		throwIfAborted(options.signal);
	};
	const builtin = () => buildElToritoCore(grubFileReader(tree, grubDirectory), { ...CORE_IMAGE, pause });
	if (!usesTool(options)) return { image: await builtin(), report: { task, used: "builtin" } };
	const directory = { path: grubDirectory, needs: await neededGrubFiles(tree, grubDirectory) };
	const { image, run } = await confined(options, (toolOptions) => makeElToritoCore(tree, directory, toolOptions));
	const ours = await builtin().catch(unlessImageAtFault);
	const sameAsBuiltin = ours !== undefined && Buffer.compare(ours, image) === 0;
	return { image, report: { ...reportOf(task, run), sameAsBuiltin } };
}

/** Nothing where the image's files are what failed; GRUB's own tool may take what we refuse. */
function unlessImageAtFault(error: unknown): undefined {
	if (error instanceof Oci2isoError && ["contract", "corrupt", "tool"].includes(error.kind)) return undefined;
	throw error;
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
		return unlessImageAtFault(error);
	}
}

/** Whether the options have tools run. What oci2iso makes has the same bytes, is there sooner, and does not depend on what the machine that builds allows. */
export function usesTool({ tools }: ToolChoice): boolean {
	return tools !== "builtin";
}

/** Whether tools could run here, where the options have some run: before anything is read. Throws as `requireToolsCanRun` does. */
export async function requireTools(options: ToolChoice): Promise<void> {
	if (!usesTool(options)) return;
	const names = [CORE_TOOL_NAMES, CHECKSUM_TOOL_NAMES];
	await confined(options, (toolOptions) => requireToolsCanRun(names, toolOptions));
}

/** Has the image's or the host's `implantisomd5` write the media checksum into the finished ISO at `isoPath`. */
export async function checksumByTool(tree: ImageTree, isoPath: string, options: ToolChoice): Promise<ToolReport> {
	const { run } = await confined(options, (toolOptions) => implantMediaChecksum(tree, isoPath, toolOptions));
	return reportOf("media-checksum", run);
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
	const isUnconfined = run.source === "buildroot" && run.confinement === "limits";
	const notes = isUnconfined ? ["neither namespaces nor Landlock could be had"] : run.confinementNotes;
	const reason = notes.length === 0 ? undefined : notes.join("; ");
	return { task, used: run.source, path: run.toolPath, confinement: run.confinement, reason };
}

/** What of it the user should see at once. */
export function toolNotices({ path, confinement, reason, sameAsBuiltin }: ToolReport): string[] {
	return [
		...(reason === undefined ? [] : [`${path} ran with ${confinement} (${reason})`]),
		...(sameAsBuiltin === false ? [`${path} made another BIOS core image than --tools builtin would`] : []),
	];
}

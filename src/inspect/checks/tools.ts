import { displayName } from "../../binary/byte-string.ts";
import { toolClosure } from "../../buildroot/closure.ts";
import { CORE_TOOL_NAMES } from "../../buildroot/el-torito-core.ts";
import { findExecutable, findUnusable } from "../../buildroot/executable.ts";
import { CHECKSUM_TOOL_NAMES } from "../../buildroot/media-checksum.ts";
import { Oci2isoError } from "../../errors.ts";
import type { Findings } from "../../findings/findings.ts";
import type { ImageTree } from "../../tree/image-tree.ts";

/** A tool of the image that a build with `--tools buildroot` runs. */
export interface FoundTool {
	readonly task: "el-torito-core" | "media-checksum";
	readonly names: readonly string[];
	/** Canonical path in the image; undefined where it is missing. */
	readonly path: string | undefined;
	/** Canonical path of its dynamic loader. */
	readonly loader: string | undefined;
	/** Canonical paths of the libraries it is run with. */
	readonly libraries: readonly string[];
	/** Why it cannot run, in words. */
	readonly fault: string | undefined;
}

const TOOLS = [
	{ task: "el-torito-core", names: CORE_TOOL_NAMES },
	{ task: "media-checksum", names: CHECKSUM_TOOL_NAMES },
] as const;

/** Where the tools are that `--tools buildroot` runs, and whether all their libraries are there. No other build needs them. */
export async function checkTools(tree: ImageTree, findings: Findings): Promise<FoundTool[]> {
	const found: FoundTool[] = [];
	for (const { task, names } of TOOLS) {
		const tool = await findTool(tree, task, names);
		found.push(tool);
		if (tool.fault === undefined) findings.ok("TOOL", `${names[0]} is ${tool.path}`);
		else findings.ok("TOOL", `${names[0]} cannot be used, which matters to --tools buildroot only`, tool.fault);
	}
	return found;
}

async function findTool(tree: ImageTree, task: FoundTool["task"], names: readonly string[]): Promise<FoundTool> {
	const none = { task, names, path: undefined, loader: undefined, libraries: [] };
	const file = findExecutable(tree, names);
	if (file === undefined) {
		const unusable = findUnusable(tree, names);
		const there = unusable === undefined ? "" : `: ${displayName(unusable.path)} is ${unusable.what}`;
		return { ...none, fault: `no ${names.join(" or ")} on the image's PATH${there}` };
	}
	const path = displayName(file.path);
	try {
		const closure = await toolClosure(tree, file);
		const loader = closure.loader === undefined ? undefined : displayName(closure.loader.path);
		const libraries = [...closure.files.keys()].map(displayName).filter((name) => name !== path && name !== loader);
		return { ...none, path, loader, libraries, fault: undefined };
	} catch (error) {
		if (!(error instanceof Oci2isoError) || error.kind !== "tool") throw error;
		return { ...none, path, fault: error.what };
	}
}

import { displayName } from "../../binary/byte-string.ts";
import { toolClosure } from "../../buildroot/closure.ts";
import { findExecutable } from "../../buildroot/executable.ts";
import { Oci2isoError } from "../../errors.ts";
import type { ImageTree } from "../../tree/image-tree.ts";
import { LINES } from "../containerfile.ts";
import type { ContainerfileLines, FindingList } from "../finding.ts";

/** A tool of the image that a build runs. */
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

const TOOLS: readonly {
	readonly task: FoundTool["task"];
	readonly names: readonly string[];
	readonly lines: ContainerfileLines;
}[] = [
	{ task: "el-torito-core", names: ["grub2-mkimage", "grub-mkimage"], lines: LINES.grubTools },
	{ task: "media-checksum", names: ["implantisomd5"], lines: LINES.mediaTools },
];

/** Where the tools are, and whether all their libraries are there. A build goes on without them, by its own means. */
export async function checkTools(tree: ImageTree, findings: FindingList): Promise<FoundTool[]> {
	const found: FoundTool[] = [];
	for (const { task, names, lines } of TOOLS) {
		const tool = await findTool(tree, task, names);
		found.push(tool);
		if (tool.fault === undefined) findings.ok("TOOL", `${names[0]} is ${tool.path}`);
		else
			findings.warn(
				task === "media-checksum" ? "CHECKSUM_TOOL_MISSING" : "CORE_TOOL_MISSING",
				`the image's ${names[0]} cannot be used: the built-in one does the work`,
				{
					evidence: tool.fault,
					remedy: `install it, or pass --tools builtin to say so`,
					containerfile: lines,
				},
			);
	}
	return found;
}

async function findTool(tree: ImageTree, task: FoundTool["task"], names: readonly string[]): Promise<FoundTool> {
	const none = { task, names, path: undefined, loader: undefined, libraries: [] };
	const file = findExecutable(tree, names);
	if (file === undefined) return { ...none, fault: `no ${names.join(" or ")} on the image's PATH` };
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

import { Oci2isoError } from "../errors.ts";
import type { Confinement } from "./launcher.ts";
import type { ToolOptions } from "./run.ts";

/** What is tried one after the other. */
export function confinementsToTry({ source, confinement }: ToolOptions): readonly Confinement[] {
	const host = source === "host";
	switch (confinement ?? "auto") {
		case "auto":
			return host ? ["landlock", "limits"] : ["namespaces", "landlock"];
		case "namespaces":
			return host ? ["landlock", "limits"] : ["namespaces"];
		case "landlock":
			return ["landlock"];
		case "none":
			return ["limits"];
	}
}

/** `notes` say why each was not to be had; `tool` is the tool's path where it is known. */
export function cannotConfine(tool: string | undefined, notes: readonly string[]): Oci2isoError {
	return new Oci2isoError({
		code: "TOOL_CANNOT_CONFINE",
		kind: "tool",
		what: `the image's tools are not run, because they cannot be confined here: ${notes.join("; ")}`,
		where: tool,
		remedy: "use --tools builtin, or --allow-unconfined-tools for an image that you trust",
	});
}

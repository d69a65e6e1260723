import type { CommanderError } from "commander";
import { Oci2isoError } from "../errors.ts";

/** Options that other tools have, and ours that does the same. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([["-V", "the volume label is --label"]]);

/** A fault of the command line, as `Oci2isoError` (exit 2): its code is commander's, UNKNOWN_OPTION for example. */
export function usageError({ code, message }: CommanderError, commandName: string): Oci2isoError {
	const [what = "", suggestion] = message.replace(/^error: /, "").split("\n");
	const option = /^unknown option '([^'=]*)/.exec(what)?.[1];
	const hint = ELSEWHERE.get(option ?? "") ?? suggestion?.replace(/^\((.*)\)$/, "$1").toLowerCase();
	const help = `see ${commandName} --help`;
	return new Oci2isoError({
		code: code
			.replace(/^commander\./, "")
			.replace(/[A-Z]/g, (c) => `_${c}`)
			.toUpperCase(),
		kind: "usage",
		what: what.replace(/\.$/, ""),
		remedy: hint === undefined ? help : `${hint}; ${help}`,
	});
}

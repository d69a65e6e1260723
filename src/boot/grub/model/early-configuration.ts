import { type ByteString, displayName } from "../../../binary/byte-string.ts";
import { notKnown } from "./outcome.ts";
import { type GrubStatement, readGrubScript } from "./script.ts";

const MAX_SHOWN = 200;

/** The commands of an early configuration, which the rescue parser reads line by line: it has single commands only. */
export function* earlyCommands(script: ByteString): Generator<GrubStatement> {
	for (const line of script.split("\n")) {
		const { statements, problems } = readGrubScript(line);
		const [statement] = statements;
		if (statement === undefined && problems.length === 0) continue;
		if (statement?.type === "command" && statements.length === 1 && problems.length === 0) {
			yield statement;
			continue;
		}
		const start = line.slice(0, MAX_SHOWN);
		// It takes `if` and the like for names of commands, which it does not have.
		if (!/^\s*(if|then|elif|else|fi|while|until|for|do|done|function|\})\b/.test(start))
			notKnown(`its early configuration has the line "${displayName(start)}"`);
	}
}

import { asEnvironmentError, EXIT_STATUS, formatProblem, Oci2isoError } from "../errors.ts";
import { printJson, printLine, printLines } from "./print.ts";

/** Prints one line for an error (JSON with `--progress json`, causes with `--verbose`) and returns the exit status. */
export function printFailure(thrown: unknown, commandLine: readonly string[]): number {
	const error = asEnvironmentError(thrown);
	const verbose = commandLine.includes("--verbose");
	const json = commandLine.some(
		(argument, index) =>
			argument === "--progress=json" || (argument === "json" && commandLine[index - 1] === "--progress"),
	);
	if (!(error instanceof Oci2isoError)) {
		const text = error instanceof Error ? error.message : String(error);
		const line = `INTERNAL_ERROR: ${text}: this is a bug of oci2iso; please report it with the output of --verbose`;
		if (json) printJson(process.stderr, { type: "error", code: "INTERNAL_ERROR", what: text, exitStatus: 1 });
		else printLine(process.stderr, `oci2iso: ${line}`);
		if (verbose && error instanceof Error) printLines(process.stderr, error.stack ?? "");
		return EXIT_STATUS.internal;
	}
	if (json) {
		const { code, what, where, expected, remedy, problems, exitStatus } = error;
		printJson(process.stderr, { type: "error", code, what, where, expected, remedy, problems, exitStatus });
	} else {
		printLine(process.stderr, `oci2iso: ${error.message}`);
		if (error.problems.length > 1 || (error.problems[0] !== undefined && error.problems[0].code !== error.code)) {
			for (const problem of error.problems) printLine(process.stderr, `  ${formatProblem(problem)}`);
		}
		if (verbose) for (const line of causes(error)) printLine(process.stderr, `  caused by: ${line}`);
	}
	return error.exitStatus;
}

function causes(error: Error): string[] {
	const lines: string[] = [];
	for (let cause = error.cause; cause instanceof Error && lines.length < 10; cause = cause.cause)
		lines.push(cause.message);
	return lines;
}

import { setFlagsFromString } from "node:v8";
import { printFailure } from "./failure.ts";
import { guardStreams } from "./print.ts";
import { runProgram } from "./program.ts";

// Contents flow through buffers outside of JavaScript's heap. Left alone, the heap would grow to several times the metadata that it holds.
// An engine that does not know these switches would say so on standard error.
if (Number.parseInt(process.versions.v8, 10) <= 13) {
	setFlagsFromString("--semi-space-growth-factor=1");
	setFlagsFromString("--heap-growing-percent=25");
}

guardStreams();
process.on("uncaughtException", (error) => process.exit(printFailure(error, process.argv)));
try {
	await runProgram(process.argv);
} catch (error) {
	process.exitCode = printFailure(error, process.argv);
}

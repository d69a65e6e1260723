#!/usr/bin/env node
import { setFlagsFromString } from "node:v8";
import { CommanderError } from "commander";
import { EXIT_STATUS } from "../errors.ts";
import { printFailure } from "./failure.ts";
import { createProgram } from "./program.ts";

// Contents flow through buffers outside of JavaScript's heap. Left alone, the heap would grow to several times the metadata that it holds.
// An engine that does not know these switches would say so on standard error.
if (Number.parseInt(process.versions.v8, 10) <= 13) {
	setFlagsFromString("--semi-space-growth-factor=1");
	setFlagsFromString("--heap-growing-percent=25");
}

try {
	await createProgram().parseAsync(process.argv);
} catch (error) {
	process.exitCode =
		error instanceof CommanderError
			? error.exitCode === 0
				? 0
				: EXIT_STATUS.usage
			: printFailure(error, process.argv);
}

#!/usr/bin/env node
import { CommanderError } from "commander";
import { EXIT_STATUS } from "../errors.ts";
import { printFailure } from "./failure.ts";
import { createProgram } from "./program.ts";

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

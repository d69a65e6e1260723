import { Command, CommanderError } from "commander";
import { VERSION } from "../build/version.ts";
import { EXIT_STATUS } from "../errors.ts";
import { registerBuild } from "./build-command.ts";
import { registerCache } from "./cache-command.ts";
import { registerCompletion } from "./completion-command.ts";
import { registerDoctor } from "./doctor-command.ts";
import { addNotes, configureHelp, helpOption } from "./help.ts";
import { registerInspect } from "./inspect-command.ts";
import { onStandardOutput, printLines } from "./print.ts";
import { translateHabits } from "./translate-habits.ts";
import { commandOf, usageError } from "./usage-error.ts";
import { registerVerify } from "./verify-command.ts";

/** Does what a command line (from the program's name on, as `process.argv`) asks for; what is wrong, with the command line itself too, is thrown as `Oci2isoError`. */
export async function runProgram(commandLine: readonly string[]): Promise<void> {
	let shown = "";
	const program = createProgram((text) => {
		shown += text;
	});
	const args = translateHabits(program, commandLine.slice(2));
	try {
		await program.parseAsync(args, { from: "user" });
	} catch (error) {
		if (!(error instanceof CommanderError)) throw error;
		if (error.exitCode === 0) return await onStandardOutput((out) => printLines(out, shown));
		const [first, topic] = args;
		if (first === "help" && topic !== undefined && commandOf(program, [topic]) === program)
			throw usageError(new CommanderError(2, "commander.unknownCommand", `unknown command '${topic}'`), program);
		if (error.code !== "commander.help") throw usageError(error, commandOf(program, args));
		printLines(process.stderr, shown);
		process.exitCode = EXIT_STATUS.usage;
	}
}

export function createProgram(show: (text: string) => void): Command {
	const program = configureHelp(new Command("oci2iso"))
		.description(
			"Make a bootable live ISO out of an OCI image: no root, no podman, no loop devices, no mksquashfs, no xorriso.",
		)
		.version(VERSION, "--version", "print the version")
		.enablePositionalOptions()
		.showSuggestionAfterError(false)
		.exitOverride()
		.configureOutput({ writeOut: show, writeErr: show, outputError: () => {} });
	registerBuild(program);
	registerInspect(program);
	registerCache(program);
	registerVerify(program);
	registerDoctor(program);
	registerCompletion(program);
	addNotes(program.addHelpOption(helpOption()));
	return program;
}

import { Argument, type Command } from "commander";
import { bashCompletion } from "./completion/bash.ts";
import { fishCompletion } from "./completion/fish.ts";
import { completedCommands } from "./completion/model.ts";
import { zshCompletion } from "./completion/zsh.ts";
import { onStandardOutput } from "./print.ts";

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

/** Adds `oci2iso completion SHELL`. */
export function registerCompletion(program: Command): void {
	program
		.command("completion")
		.description("print what makes a shell complete commands, options, their values, files and transports")
		.addArgument(new Argument("<shell>", "which one").choices(Object.keys(SHELLS)))
		.action(async (shell: keyof typeof SHELLS) => {
			const script = SHELLS[shell](completedCommands(program));
			await onStandardOutput((out) => out.write(script));
		});
}

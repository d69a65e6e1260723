import type { Argument, Command, Option } from "commander";

// What shells complete, of the same table as the command line itself.

/** What is completed where a value is expected. */
export type Values = "nothing" | "file" | "directory" | "image" | "command" | readonly string[];

export interface CompletedOption {
	/** `--output`, `-o`. */
	readonly names: readonly string[];
	/** One line without defaults. */
	readonly description: string;
	/** Undefined where it takes none. */
	readonly values: Values | undefined;
	/** The value may be left out. */
	readonly isOptional: boolean;
	readonly isRepeatable: boolean;
}

export interface CompletedCommand {
	/** Behind the program's name: `cache ls`; empty for the program itself. */
	readonly path: string;
	readonly description: string;
	readonly commands: readonly { readonly name: string; readonly description: string }[];
	readonly options: readonly CompletedOption[];
	readonly arguments: readonly Values[];
}

/** Beginnings of references that name a file or a directory of this machine. */
export const FILE_TRANSPORTS = ["oci-archive:", "docker-archive:"] as const;
export const DIRECTORY_TRANSPORTS = ["oci:", "dir:"] as const;
export const TRANSPORTS: readonly string[] = [
	...DIRECTORY_TRANSPORTS,
	...FILE_TRANSPORTS,
	"containers-storage:",
	"podman:",
	"docker-daemon:",
	"docker://",
];

/** This command and all below it. */
export function completedCommands(command: Command, path = ""): readonly CompletedCommand[] {
	const help = command.createHelp();
	const inner = help
		.visibleCommands(command)
		.map((each) => ({ name: each.name(), description: firstLine(each.description()) }));
	const own: CompletedCommand = {
		path,
		description: firstLine(command.description()),
		commands: inner,
		options: uniqueByName(offeredAt(command).map(completedOption)),
		arguments: command.registeredArguments.map(valuesOfArgument),
	};
	return [own, ...command.commands.flatMap((each) => completedCommands(each, `${path} ${each.name()}`.trim()))];
}

/** Before the command there may be any command's. */
function offeredAt(command: Command): readonly Option[] {
	const own = command.createHelp().visibleOptions(command);
	return command.parent === null ? [...own, ...command.commands.flatMap(optionsBelow)] : own;
}

function optionsBelow(command: Command): readonly Option[] {
	return [...command.createHelp().visibleOptions(command), ...command.commands.flatMap(optionsBelow)];
}

function uniqueByName(options: readonly CompletedOption[]): readonly CompletedOption[] {
	const byName = new Map<string, CompletedOption>();
	for (const option of options) byName.set(option.names[0] ?? "", byName.get(option.names[0] ?? "") ?? option);
	return [...byName.values()];
}

function completedOption(option: Option): CompletedOption {
	const { long, short, description, required, optional } = option;
	return {
		names: [long, short].filter((name) => name !== undefined),
		description: firstLine(description),
		values: required || optional ? valuesOf(option) : undefined,
		// placeholders have brackets too
		isOptional: optional && !required,
		isRepeatable: description.includes("repeatable"),
	};
}

function valuesOf({ flags, argChoices }: Option): Values {
	if (argChoices !== undefined) return argChoices;
	if (/[<[]bool[>\]]/.test(flags)) return ["true", "false"];
	return valuesOfPlaceholder(/<([a-z]+)>/.exec(flags)?.[1] ?? "");
}

function valuesOfArgument(argument: Argument): Values {
	return argument.argChoices ?? valuesOfPlaceholder(argument.name());
}

function valuesOfPlaceholder(name: string): Values {
	if (name === "file" || name === "iso") return "file";
	if (name === "dir") return "directory";
	return name === "image" || name === "command" ? name : "nothing";
}

function firstLine(description: string): string {
	return description.replace(/ \(default: .*/s, "").split(/[;\n]/)[0] ?? "";
}

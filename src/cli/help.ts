import { type Command, type Help, Option } from "commander";
import { EXIT_STATUSES, NOTES } from "./notes.ts";

const DEFAULT_COLUMNS = 80;
const FURTHER =
	"oci2iso help COMMAND has a command's options. Those of podman, skopeo, mksquashfs, xorriso and image-builder are known too.";

/** Makes commander's help ours: for this command and those that are added to it later. */
export function configureHelp(program: Command): Command {
	return program
		.configureHelp({ optionDescription: describeOption, minWidthToWrap: 20 })
		.configureOutput({
			getOutHelpWidth: () => columnsOf(process.stdout),
			getErrHelpWidth: () => columnsOf(process.stderr),
		})
		.addHelpOption(helpOption().helpGroup("Messages:"));
}

export function helpOption(): Option {
	return new Option("-h, --help", "print this");
}

/** Adds examples and exit statuses to this command and all below it. */
export function addNotes(command: Command): void {
	command.addHelpText("after", ({ error }) => notesFor(command, columnsOf(error ? process.stderr : process.stdout)));
	for (const inner of command.commands) addNotes(inner);
}

/** `squashfs compressor: zstd, xz, gzip, lz4, none (default: the preset's)` */
export function describeOption({ description, argChoices, defaultValue }: Option): string {
	const [text = "", ...defaults] = description.split(/(?= \(default: )/);
	const choices = argChoices === undefined ? "" : `: ${argChoices.join(", ")}`;
	const preset = typeof defaultValue === "string" ? ` (default: ${defaultValue})` : "";
	return `${text}${choices}${preset}${defaults.join("")}`;
}

/** `oci2iso cache ls` */
export function wordsOf(command: Command): string {
	return command.parent === null ? command.name() : `${wordsOf(command.parent)} ${command.name()}`;
}

function notesFor(command: Command, columns: number): string {
	const { examples = [], statuses = [] } = NOTES[wordsOf(command)] ?? {};
	const help = command.createHelp();
	const sections = [
		...(examples.length === 0 ? [] : ["Examples:", ...examples.map(([line, what]) => `  # ${what}\n  ${line}`), ""]),
		"Exit status:",
		...statuses.map((status) => statusLine(status, help, columns)),
	];
	if (command.parent === null) sections.push("", help.boxWrap(FURTHER, columns));
	return `\n${sections.join("\n")}`;
}

function statusLine(status: number, help: Help, columns: number): string {
	const text = help.boxWrap(EXIT_STATUSES.get(status) ?? "", Math.max(20, columns - 7));
	return `  ${`${status}`.padEnd(5)}${text.replaceAll("\n", `\n${" ".repeat(7)}`)}`;
}

/** The terminal's, else what `COLUMNS` says. */
function columnsOf(stream: NodeJS.WriteStream): number {
	const said = Number(process.env["COLUMNS"]);
	return stream.columns || (Number.isInteger(said) && said >= 20 ? said : DEFAULT_COLUMNS);
}

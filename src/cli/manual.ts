import type { Command, Option } from "commander";
import { describeOption, wordsOf } from "./help.ts";
import { ENVIRONMENT, EXIT_STATUSES, NOTES } from "./notes.ts";

/** Manual pages, in man(7)'s macros, by their file names: of the program and of each of its commands, with what is below it. `date` is YYYY-MM-DD. */
export function manualPages(program: Command, version: string, date: string): ReadonlyMap<string, string> {
	const commands = program.commands.filter((command) => command.name() !== "help");
	const pages = [program, ...commands].map((command): [string, string] => {
		const title = titleOf(command);
		const others = [program, ...commands].filter((other) => other !== command).map(titleOf);
		const page = [
			`.TH ${title.toUpperCase()} 1 ${date} "oci2iso ${version}" "User Commands"`,
			".SH NAME",
			`${escaped(title)} \\- ${prose(command.description().replace(/\.$/, ""))}`,
			...synopsisOf(command),
			...(command === program ? listOf(commands) : command.commands.length > 0 ? command.commands.flatMap(below) : []),
			...optionsOf(command, ".SH"),
			...exitStatusOf(command),
			...(command === program ? environment() : []),
			...examplesOf(command),
			".SH SEE ALSO",
			`${others.map((other) => `.BR ${escaped(other)} (1)`).join(" ,\n")}`,
		];
		return [`${title}.1`, `${page.join("\n")}\n`];
	});
	return new Map(pages);
}

function titleOf(command: Command): string {
	return wordsOf(command).replaceAll(" ", "-");
}

function synopsisOf(command: Command): readonly string[] {
	const lines = command.commands.length > 0 ? command.commands : [command];
	const usage = lines.map((each) => {
		const taken = each
			.createHelp()
			.commandUsage(each)
			.slice(wordsOf(each).length + 1);
		return [".PP", `.B ${escaped(wordsOf(each))}`, ...(taken === "" ? [] : [escaped(taken)])];
	});
	return [".SH SYNOPSIS", ".nh", ...usage.flat().slice(1), ".hy"];
}

function listOf(commands: readonly Command[]): readonly string[] {
	return [
		".SH COMMANDS",
		...commands.flatMap((each) => [".TP", `.BR ${escaped(titleOf(each))} (1)`, prose(each.description())]),
	];
}

/** A command that has no page of its own. */
function below(command: Command): readonly string[] {
	return [`.SH ${escaped(wordsOf(command)).toUpperCase()}`, prose(command.description()), ...optionsOf(command, ".SS")];
}

/** Arguments, and options under the headings that help has. */
function optionsOf(command: Command, macro: ".SH" | ".SS"): readonly string[] {
	const help = command.createHelp();
	const groups = new Map<string, Option[]>();
	for (const option of help.visibleOptions(command)) {
		const heading = option.helpGroupHeading?.replace(/:$/, "") ?? "Options";
		groups.set(heading, [...(groups.get(heading) ?? []), option]);
	}
	const inner = macro === ".SH" ? ".SS" : undefined;
	const places = command.registeredArguments.filter(({ description }) => description !== "");
	return [
		...(macro === ".SH" ? [".SH OPTIONS"] : []),
		...places.flatMap((place) => [".TP", `.I ${escaped(place.name())}`, prose(help.argumentDescription(place))]),
		...[...groups].flatMap(([heading, options]) => [
			...(inner === undefined || groups.size === 1 ? [] : [`${inner} ${escaped(heading)}`]),
			...options.flatMap((option) => [".TP", flagsOf(option), prose(describeOption(option))]),
		]),
	];
}

/** Names in bold, what stands for a value in italics. */
function flagsOf({ flags }: Option): string {
	const end = flags.search(/[<[]/);
	const [names, value] = end === -1 ? [flags, ""] : [flags.slice(0, end), flags.slice(end)];
	const bold = `\\fB${escaped(names.trim()).replace(", ", "\\fR, \\fB")}\\fR`;
	return guarded(value === "" ? bold : `${bold} \\fI${escaped(value.replace(/^<(.*)>$/, "$1"))}\\fR`);
}

function exitStatusOf(command: Command): readonly string[] {
	const { statuses = [] } = NOTES[wordsOf(command)] ?? {};
	return [
		".SH EXIT STATUS",
		...statuses.flatMap((status) => [".TP", `.B ${status}`, prose(EXIT_STATUSES.get(status) ?? "")]),
	];
}

function environment(): readonly string[] {
	return [".SH ENVIRONMENT", ...ENVIRONMENT.flatMap(([name, what]) => [".TP", `.B ${escaped(name)}`, prose(what)])];
}

function examplesOf(command: Command): readonly string[] {
	const { examples = [] } = NOTES[wordsOf(command)] ?? {};
	return [
		".SH EXAMPLES",
		...examples.flatMap(([line, what]) => [".TP", prose(`${what}:`), ".nf", guarded(escaped(line)), ".fi"]),
	];
}

/** A paragraph: its first character is none of roff's own. */
function prose(text: string): string {
	return guarded(escaped(text));
}

/** Characters that roff would take for its own, or print as others: hyphens are those of options, quotes are straight. */
function escaped(text: string): string {
	return text
		.replaceAll("\\", "\\(rs")
		.replaceAll("-", "\\-")
		.replaceAll("'", "\\(aq")
		.replaceAll("`", "\\(ga")
		.replaceAll("^", "\\(ha")
		.replaceAll("~", "\\(ti")
		.replaceAll('"', "\\(dq")
		.replace(/[^\n\x20-\x7e]/gu, (c) => `\\[u${c.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}]`);
}

function guarded(line: string): string {
	return /^[.']/.test(line) ? `\\&${line}` : line;
}

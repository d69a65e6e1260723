import type { Command, CommanderError } from "commander";
import { Oci2isoError } from "../errors.ts";
import { nearNames } from "../options/check-options.ts";
import { wordsOf } from "./help.ts";

/** What other tools call what ours do. */
const COMMANDS: ReadonlyMap<string, string> = new Map([
	["convert", "build"],
	["copy", "build"],
	["create", "build"],
	["image", "build"],
	["iso", "build"],
	["make", "build"],
	["check", "inspect"],
	["lint", "inspect"],
	["clean", "cache prune"],
	["gc", "cache prune"],
]);

/** The same of those that look after the cache. */
const CACHE_COMMANDS: ReadonlyMap<string, string> = new Map([
	["check", "verify"],
	["clean", "prune"],
	["gc", "prune"],
	["list", "ls"],
	["rm", "prune"],
]);

/** A fault of the command line, as `Oci2isoError` (exit 2): its code is commander's, UNKNOWN_OPTION for example. */
export function usageError({ code, message }: CommanderError, command: Command): Oci2isoError {
	const what = message.replace(/^error: /, "").split("\n")[0] ?? "";
	const hint = hintFor(what, command);
	const help = `see ${wordsOf(command)} --help`;
	return new Oci2isoError({
		code: code
			.replace(/^commander\./, "")
			.replace(/[A-Z]/g, (c) => `_${c}`)
			.toUpperCase(),
		kind: "usage",
		what: what.replace(/\.$/, ""),
		remedy: hint === undefined ? help : `${hint}; ${help}`,
	});
}

/** The command that the words at the beginning name. */
export function commandOf(command: Command, [word, ...rest]: readonly string[]): Command {
	const next = command.commands.find((other) => other.name() === word);
	return next === undefined ? command : commandOf(next, rest);
}

function hintFor(what: string, command: Command): string | undefined {
	const option = /^unknown option '([^'=]+)/.exec(what)?.[1]?.replace(/^-+/, "");
	if (option !== undefined) {
		const known = command.options.flatMap(({ long }) => (long === undefined ? [] : [long]));
		return didYouMean(
			nearNames(
				option,
				known.map((long) => long.slice(2)),
			).map((name) => `--${name}`),
		);
	}
	const word = /^unknown command '(.+)'$/.exec(what)?.[1];
	if (word !== undefined) {
		if (/[:/]|\.(tar|oci)$/.test(word)) return `an image is built by ${wordsOf(command)} build IMAGE`;
		const other = (command.parent === null ? COMMANDS : CACHE_COMMANDS).get(word);
		return didYouMean(
			other === undefined
				? nearNames(
						word,
						command.commands.map((c) => c.name()),
					)
				: [other],
		);
	}
	if (/^too many arguments/.test(what) && command.name() === "build") return "-o FILE names the ISO";
	return undefined;
}

function didYouMean(names: readonly string[]): string | undefined {
	return names.length === 0 ? undefined : `did you mean ${names.join(" or ")}?`;
}

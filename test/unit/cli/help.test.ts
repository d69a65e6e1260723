import type { Command } from "commander";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { wordsOf } from "../../../src/cli/help.ts";
import { NOTES } from "../../../src/cli/notes.ts";
import { createProgram } from "../../../src/cli/program.ts";
import { translateHabits } from "../../../src/cli/translate-habits.ts";

async function help(...words: readonly string[]): Promise<string> {
	let text = "";
	const program = createProgram((part) => {
		text += part;
	});
	await program.parseAsync([...translateHabits(program, words)], { from: "user" }).catch(() => {});
	return text;
}

function commandsBelow(command: Command): readonly Command[] {
	return [command, ...command.commands.flatMap(commandsBelow)];
}

beforeEach(() => void vi.stubEnv("COLUMNS", "72"));
afterEach(() => void vi.unstubAllEnvs());

const COMMANDS = commandsBelow(createProgram(() => {})).map((command) => wordsOf(command).split(" ").slice(1));

describe.each(COMMANDS.map((words) => [words.join(" "), words] as const))("help of oci2iso %s", (name, words) => {
	it("has examples, exit statuses, and the terminal's width", async () => {
		const text = await help(...words, "--help");
		const examples = NOTES[`oci2iso ${name}`.trim()]?.examples.map(([line]) => `  ${line}`) ?? [];
		const tooLong = text.split("\n").filter((line) => line.length > 72 && !examples.includes(line));
		expect(tooLong).toEqual([]);
		expect(text).toMatch(/^Exit status:\n {2}0 {4}done$/m);
		for (const example of examples) expect(text).toContain(example);
		expect(await help(...words.slice(0, -1), "help", ...words.slice(-1))).toBe(text);
		expect(await help("help", ...words)).toBe(text);
		expect(await help("--help", ...words)).toBe(text);
		expect(await help(...words, "help")).toBe(text);
	});
});

describe("help", () => {
	it("has options in groups, with choices and defaults", async () => {
		const text = (await help("build", "--help")).replace(/\n {33,}/g, " ");
		expect(text).toMatch(
			/^Root file system:\n {2}--rootfs <format> .*: squashfs, erofs \(default: squashfs\)\n {2}--preset <name> .*: fast, balanced, small, reference \(default: balanced\)$/m,
		);
		expect(text).toMatch(/^Messages:\n {2}-q, --quiet/m);
		expect(text).not.toContain("Options:");
	});

	it("has examples that the command line takes", async () => {
		for (const { examples } of Object.values(NOTES))
			for (const [line] of examples)
				for (const [, args = ""] of line.matchAll(/oci2iso ((?:[^&|>) ]| (?![&|>]))+)/g)) {
					const program = createProgram(() => {});
					for (const command of commandsBelow(program)) command.action(() => {});
					const words = translateHabits(program, args.trim().split(" "));
					await program.parseAsync([...words], { from: "user" });
				}
	});
});

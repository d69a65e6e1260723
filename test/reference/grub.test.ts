import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { renderGrubConfig, renderLoopbackConfig } from "../../src/boot/grub/made/menu.ts";
import { commandArguments, singleQuoted } from "../../src/boot/grub/made/quoting.ts";
import { readGrubScript, writtenWord } from "../../src/boot/grub/model/script.ts";
import { requires } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** Texts of one line made of what GRUB's language is made of. */
const hostileLine = fc
	// biome-ignore lint/suspicious/noTemplateCurlyInString: it is GRUB's variable
	.array(fc.constantFrom(..."'\"\\$;&|<>{}# \t`()!=ab", "${x}", "$x", "if", "menuentry x {", "é"), {
		minLength: 1,
		maxLength: 16,
	})
	.map((parts) => parts.join(""));

const needsCheck = requires("grub-script-check");
const needsEmu = requires("grub-emu");
const directory = temporaryDirectory("grub");

describe.skipIf(needsCheck)("grub-script-check", () => {
	function accepts(script: string): boolean {
		const path = join(directory, "checked.cfg");
		writeFileSync(path, script);
		return spawnSync("grub-script-check", [path]).status === 0;
	}

	test("accepts any name, label and command line, and finds what is not quoted", () => {
		const entry = fc.record({ name: hostileLine, linux: hostileLine, initrd: hostileLine });
		fc.assert(
			fc.property(hostileLine, fc.array(entry, { minLength: 20, maxLength: 40 }), (label, entries) => {
				const grub2 = { timeoutSeconds: 1, defaultEntry: 1, isBuiltIn: false, entries };
				expect(accepts(renderGrubConfig({ label, grub2 }, "uefi"))).toBe(true);
				expect(accepts(renderLoopbackConfig({ grub2 }))).toBe(true);
			}),
			{ seed: 20_261_121, numRuns: 40 },
		);
		expect(accepts("linux /v a;; b\n")).toBe(false);
	});
});

describe.skipIf(needsEmu)("GRUB itself", () => {
	test("sees the arguments that the texts mean", () => {
		const texts = fc.sample(hostileLine, { seed: 20_261_121, numRuns: 300 }).filter((text) => !/[^ -~]/.test(text));
		const lines = texts.flatMap((text) => [commandArguments(text), singleQuoted(text)]);
		const script = [
			"function show {",
			"echo -n '<<'",
			'for word in "$@"; do echo -n "[$word]"; done',
			"echo '>>'",
			"}",
			...lines.map((line) => `show ${line}`),
			"exit",
			"",
		].join("\n");
		writeFileSync(join(directory, "grub.cfg"), script);
		const { stdout } = spawnSync("grub-emu", ["-d", directory], { stdio: ["ignore", "pipe", "ignore"] });
		const shown = withoutBlanks(stdout.toString("latin1")).match(/<<.*?>>(?=<<|$)/g);
		const expected = lines.map((line) => {
			const [command] = readGrubScript(`show ${line}`).statements;
			const words = command?.type === "command" ? command.words.slice(1).map(writtenWord) : [];
			return withoutBlanks(`<<${words.map((word) => `[${word}]`).join("")}>>`);
		});
		expect(shown).toEqual(expected);
	});
});

/** The console wraps lines, pads tabs and sets colours. */
function withoutBlanks(text: string): string {
	// biome-ignore lint/suspicious/noControlCharactersInRegex: it is a terminal's
	return text.replaceAll(/\u001b\[[0-9;]*m|[\t\r\n ]/g, "");
}

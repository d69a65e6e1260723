import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { manualPages } from "../../src/cli/manual.ts";
import { createProgram } from "../../src/cli/program.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

function written(program: Command): string[] {
	const directory = temporaryDirectory("man");
	return [...manualPages(program, "1.2.3", "2026-01-02")].map(([name, page]) => {
		writeFileSync(join(directory, name), page);
		return join(directory, name);
	});
}

describe("manual pages", () => {
	it("are those that package.json names", () => {
		const { man } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"));
		const pages = [
			...manualPages(
				createProgram(() => {}),
				"1.2.3",
				"2026-01-02",
			).keys(),
		];
		expect(man).toEqual(expect.arrayContaining(pages.map((name) => `man/${name}`)));
		expect(man).toHaveLength(pages.length);
	});

	it.skipIf(requires("mandoc", "groff"))("have no warnings, of mandoc and of groff", async () => {
		for (const page of written(createProgram(() => {}))) {
			expect(await run("mandoc", ["-T", "lint", "-W", "warning", page])).toBe("");
			expect(await run("sh", ["-c", 'groff -ww -z -man -T utf8 "$1" 2>&1', "sh", page])).toBe("");
		}
	});

	it.skipIf(requires("mandoc", "groff"))("show every character as it is", async () => {
		const text = `.TH it's \\fBa\\n "x" --y ^~\` é C:\\new`;
		const program = new Command("tried").description(text).option("--back\\slash <file>", text);
		program.command("inner").description(`'${text}`).argument("<place>", `.${text}`);
		for (const page of written(program)) {
			for (const [command, args] of [
				["mandoc", ["-T", "utf8", "-O", "width=300", page]],
				["groff", ["-man", "-T", "utf8", "-P-c", "-r", "LL=300n", page]],
			] as const) {
				const shown = withoutOverstrike(await run(command, args)).replaceAll("\u00a0", " ");
				expect(shown).toContain(text);
			}
		}
	});
});

/** Terminals' bold: each character, a step back, and the character again. */
function withoutOverstrike(text: string): string {
	const [last = "", ...others] = text.split("\u0008").reverse();
	return [...others.reverse().map((part) => part.slice(0, -1)), last].join("");
}

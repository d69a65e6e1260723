import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import "../../support/every-source.ts";
import { printFailure } from "../../../src/cli/failure.ts";
import { runProgram } from "../../../src/cli/program.ts";
import { createProgress } from "../../../src/cli/progress.ts";
import { Oci2isoError } from "../../../src/errors.ts";

const EVIL = "\u001b[31m\u009b2J\u202e\r\nok";
const STEERING = /(?!\n)[\p{Cc}\u202e]/u;
const SHOWN = "\\x1b[31m\\u{9b}2J\\u{202e}\\x0d\\x0aok";

/** What `run` writes to standard error. */
async function said(run: () => unknown): Promise<string> {
	let text = "";
	vi.spyOn(process.stderr, "write").mockImplementation((chunk) => {
		text += chunk.toString();
		return true;
	});
	await run();
	return text;
}

afterEach(() => {
	vi.restoreAllMocks();
	vi.unstubAllEnvs();
});

describe("text from outside on a terminal", () => {
	it.each([
		["an unknown command", [EVIL]],
		["an unknown option", ["build", `--${EVIL}`]],
		["an unknown choice", ["build", "x", "--comp", EVIL]],
		["a value that does not parse", ["build", "x", "--level", EVIL]],
		["too many arguments", ["cache", "ls", EVIL]],
		["an unknown subcommand", ["cache", EVIL]],
	])("%s is repeated as one line", async (_, args) => {
		const text = await said(() => runProgram(["node", "oci2iso", ...args]).catch((error) => printFailure(error, args)));
		expect(text).not.toMatch(STEERING);
		expect(text.trimEnd().split("\n")).toHaveLength(1);
	});

	it("a proposed command is what to do", async () => {
		const text = await said(() => runProgram(["node", "oci2iso", "builx"]).catch((error) => printFailure(error, [])));
		const told = "UNKNOWN_COMMAND: unknown command 'builx': did you mean build?; see oci2iso --help\n";
		expect(text).toContain(told);
		const help = ["node", "oci2iso", "help", "builx"];
		expect(await said(() => runProgram(help).catch((error) => printFailure(error, [])))).toContain(told);
	});

	it.each([true, false])("a note, on a terminal: %s", (isTTY) => {
		vi.stubEnv("CI", "");
		vi.stubEnv("TERM", "xterm");
		let text = "";
		const stream = { isTTY, write: (chunk: string) => (text += chunk) };
		createProgress("auto", stream, () => 0).onEvent({ type: "notice", text: EVIL });
		expect(text).toBe(`${isTTY ? "" : "oci2iso: "}note: ${SHOWN}\n`);
	});

	it("a failure, its problems, its causes and its stack", async () => {
		const cause = new Error(EVIL);
		const problem = { code: "A", what: EVIL, where: EVIL };
		const known = new Oci2isoError({ code: "B", kind: "usage", what: EVIL, problems: [problem, problem], cause });
		for (const error of [known, cause]) {
			const text = await said(() => printFailure(error, ["--verbose"]));
			expect(text).toContain(SHOWN.slice(0, 20));
			expect(text).not.toMatch(STEERING);
		}
	});

	it("has one way out in the source", () => {
		const room = join(import.meta.dirname, "../../../src");
		// main.ts speaks only where nothing else can be loaded, of the program's own files.
		const direct = readdirSync(room, { recursive: true, encoding: "utf8" })
			.filter((name) => name.endsWith(".ts") && name !== "cli/main.ts")
			.filter((name) =>
				/\b(stdout|stderr)\.write\(|\bconsole\.|createWriteStream|writeSync\([12]\b/.test(
					readFileSync(join(room, name), "utf8"),
				),
			);
		expect(direct).toEqual([]);
	});
});

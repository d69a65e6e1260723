#!/usr/bin/env node
import { writeSync } from "node:fs";
import { VERSION } from "../build/version.ts";

// Loads nothing before there is somebody to say in one line why it cannot be loaded, and for versions nothing but what has them.
try {
	if (!(await areVersionsPrinted())) await import("./start.ts");
} catch (error) {
	const { code, message } = error as NodeJS.ErrnoException;
	if (code !== "EMFILE" && code !== "ENFILE") throw error;
	process.stderr.write(`oci2iso: TOO_MANY_OPEN_FILES: the program cannot be loaded (${message}): ulimit -n 1024\n`);
	process.exitCode = 6;
}

/** The version on the first line, then encoders and engine. False where something else was asked for, and where it cannot be written, which the rest of the program says. */
async function areVersionsPrinted(): Promise<boolean> {
	const [word = "", ...others] = process.argv.slice(2);
	if (others.length > 0 || !/^(version|-?-version|-[vV])$/.test(word)) return false;
	const { encodersHere, engineVersions } = await import("../codec/encoders.ts");
	const encoders = await encodersHere();
	const lines = encoders.map(({ codec, encoder, reason }) => encoder ?? `no ${codec}: ${reason}`);
	try {
		writeSync(1, `${[VERSION, ...lines, engineVersions()].join("\n")}\n`);
		return true;
	} catch {
		return false;
	}
}

#!/usr/bin/env node
import { writeSync } from "node:fs";
import { VERSION } from "../build/version.ts";

// Loads nothing before there is somebody to say in one line why it cannot be loaded, and nothing at all for a version.
try {
	if (!isVersionPrinted()) await import("./start.ts");
} catch (error) {
	const { code, message } = error as NodeJS.ErrnoException;
	if (code !== "EMFILE" && code !== "ENFILE") throw error;
	process.stderr.write(`oci2iso: TOO_MANY_OPEN_FILES: the program cannot be loaded (${message}): ulimit -n 1024\n`);
	process.exitCode = 6;
}

/** False where something else was asked for, and where it cannot be written, which the rest of the program says. */
function isVersionPrinted(): boolean {
	if (process.argv.length !== 3 || process.argv[2] !== "--version") return false;
	try {
		writeSync(1, `${VERSION}\n`);
		return true;
	} catch {
		return false;
	}
}

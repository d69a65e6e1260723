#!/usr/bin/env node
import { VERSION } from "../build/version.ts";

// Loads nothing before there is somebody to say in one line why it cannot be loaded, and nothing at all for a version.
try {
	if (process.argv.length === 3 && process.argv[2] === "--version") process.stdout.write(`${VERSION}\n`);
	else await import("./start.ts");
} catch (error) {
	const { code, message } = error as NodeJS.ErrnoException;
	if (code !== "EMFILE" && code !== "ENFILE") throw error;
	process.stderr.write(`oci2iso: TOO_MANY_OPEN_FILES: the program cannot be loaded (${message}): ulimit -n 1024\n`);
	process.exitCode = 6;
}

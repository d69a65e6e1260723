#!/usr/bin/env node
// Loads nothing before there is somebody to say in one line why it cannot be loaded.
try {
	await import("./start.ts");
} catch (error) {
	const { code, message } = error as NodeJS.ErrnoException;
	if (code !== "EMFILE" && code !== "ENFILE") throw error;
	process.stderr.write(`oci2iso: TOO_MANY_OPEN_FILES: the program cannot be loaded (${message}): ulimit -n 1024\n`);
	process.exitCode = 6;
}

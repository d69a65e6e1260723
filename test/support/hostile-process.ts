// One command after another in one process, for `hostileRun`: most of what a command costs is the start of its process.
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { printFailure } from "../../src/cli/failure.ts";
import { runProgram } from "../../src/cli/program.ts";

// The heap grows as in `start.ts`: see there.
if (Number.parseInt(process.versions.v8, 10) <= 13)
	for (const flag of ["--semi-space-growth-factor=1", "--heap-growing-percent=25"]) setFlagsFromString(flag);

const written = { stdout: "", stderr: "" };
for (const name of ["stdout", "stderr"] as const)
	process[name].write = (text: unknown, ...rest: unknown[]): boolean => {
		written[name] += text;
		const done = rest.at(-1);
		if (typeof done === "function") process.nextTick(done);
		return true;
	};

process.on("disconnect", () => process.exit());
process.on("message", async (args: readonly string[]) => {
	const commandLine = [process.execPath, "oci2iso", ...args];
	Object.assign(written, { stdout: "", stderr: "" });
	process.exitCode = 0;
	let status: unknown;
	try {
		await runProgram(commandLine);
		status = process.exitCode;
	} catch (error) {
		status = printFailure(error, commandLine);
	}
	await setImmediate();
	globalThis.gc?.();
	process.send?.({ status, ...written });
});
process.send?.("ready");

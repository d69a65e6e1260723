// One command after another in one process, for `hostileRun`: most of what a command costs is the start of its process.
// Plain JavaScript, because it runs the sources as they were compiled.
import { setImmediate } from "node:timers/promises";
import { printFailure } from "../../dist/cli/failure.js";
import { runProgram } from "../../dist/cli/program.js";

const written = { stdout: "", stderr: "" };
for (const name of ["stdout", "stderr"])
	process[name].write = (text, done) => {
		written[name] += text;
		if (done !== undefined) process.nextTick(done);
		return true;
	};

process.on("disconnect", () => process.exit());
process.on("message", async (args) => {
	const commandLine = [process.execPath, "oci2iso", ...args];
	Object.assign(written, { stdout: "", stderr: "" });
	process.exitCode = 0;
	let status;
	try {
		await runProgram(commandLine);
		status = process.exitCode;
	} catch (error) {
		status = printFailure(error, commandLine);
	}
	await setImmediate();
	globalThis.gc();
	process.send({ status, ...written });
});
process.send("ready");

import { type Command, Option } from "commander";
import { VERSION } from "../build/version.ts";
import { defaultStorePath } from "../cache/store-directory.ts";
import { EXIT_STATUS } from "../errors.ts";
import { interruptSignal } from "./interrupt.ts";
import { addGroups, type ValuesOf } from "./option-groups.ts";
import { onStandardOutput, printJson, printLine, printLines } from "./print.ts";

interface DoctorArguments extends ValuesOf<"store" | "common"> {
	readonly json?: boolean;
}

/** Adds `oci2iso doctor`: exit status 0 where builds can be made, 6 where they cannot. */
export function registerDoctor(program: Command): void {
	const command = program
		.command("doctor")
		.description("say what this machine can do: addon, codecs, memory, room, cache, confinement, credentials");
	addGroups(command, "store", "common")
		.addOption(new Option("--json", "print everything that was found as JSON").helpGroup("Messages:"))
		.action(examine);
}

async function examine({ cache, json, quiet }: DoctorArguments): Promise<void> {
	const interrupt = interruptSignal();
	try {
		const [{ examineHost }, { describeHost }] = await Promise.all([
			import("../doctor/doctor.ts"),
			import("../doctor/describe.ts"),
		]);
		const examination = await examineHost(cache ?? defaultStorePath(), interrupt.signal);
		await onStandardOutput((out) => {
			if (json === true) printJson(out, { version: VERSION, ...examination }, 2);
			else if (quiet !== true) {
				printLine(out, `oci2iso ${VERSION} on ${process.platform} ${process.arch}`);
				printLines(out, describeHost(examination));
			}
		});
		if (!examination.isUsable) process.exitCode = EXIT_STATUS.environment;
	} finally {
		interrupt.dispose();
	}
}

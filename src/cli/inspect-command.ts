import { type Command, Option } from "commander";
import { EXIT_STATUS } from "../errors.ts";
import { interruptSignal } from "./interrupt.ts";
import { addGroups, CONTENT_GROUPS, IMAGE_GROUPS, type ValuesOf, withFlags } from "./option-groups.ts";
import { onStandardOutput, printJson, printLines } from "./print.ts";

const GROUPS = [...CONTENT_GROUPS, ...IMAGE_GROUPS, "common"] as const;

interface InspectArguments extends ValuesOf<(typeof GROUPS)[number]> {
	readonly json?: boolean;
}

/** Adds `oci2iso inspect IMAGE`: exit status 0 where the image builds and boots, 3 where it does not. */
export function registerInspect(program: Command): void {
	const command = program
		.command("inspect")
		.description("say whether IMAGE builds and boots, and what would have to change, without building it")
		.argument("<image>", "as for build");
	addGroups(command, ...GROUPS)
		.addOption(new Option("--json", "print everything that was found as JSON").helpGroup("Messages:"))
		.action(async (image: string, given: InspectArguments) => {
			try {
				await inspect(image, given);
			} catch (error) {
				throw withFlags(error, command);
			}
		});
}

async function inspect(image: string, given: InspectArguments): Promise<void> {
	const { json, requireSecureBoot, quiet, verbose: _, ...options } = given;
	const interrupt = interruptSignal();
	try {
		const [{ inspectImage }, { describeInspection }] = await Promise.all([
			import("../inspect/inspect.ts"),
			import("../inspect/describe.ts"),
		]);
		const inspection = await inspectImage(image, { ...options, signal: interrupt.signal });
		await onStandardOutput((out) => {
			if (json === true) printJson(out, inspection, 2);
			else if (quiet !== true) printLines(out, describeInspection(inspection));
		});
		const isSecure = requireSecureBoot !== true || inspection.bootPaths["secure-boot"] === "expected to boot";
		if (!inspection.isBootable || !isSecure) process.exitCode = EXIT_STATUS.contract;
	} finally {
		interrupt.dispose();
	}
}

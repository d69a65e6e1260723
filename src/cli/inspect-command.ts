import { type Command, Option } from "commander";
import { requireDistinctPlaces } from "../build/places.ts";
import { EXIT_STATUS } from "../errors.ts";
import { openReport } from "../output/report-file.ts";
import { interruptSignal } from "./interrupt.ts";
import { addGroups, CONTENT_GROUPS, IMAGE_GROUPS, type ValuesOf, withFlags } from "./option-groups.ts";
import { onStandardOutput, printJson, printLines } from "./print.ts";
import { isPage } from "./report-page.ts";

const GROUPS = [...CONTENT_GROUPS, ...IMAGE_GROUPS, "common"] as const;

interface InspectArguments extends ValuesOf<(typeof GROUPS)[number]> {
	readonly json?: boolean;
	readonly report?: string;
	readonly overwrite?: boolean;
}

/** Adds `oci2iso inspect IMAGE`: exit status 0 where the image builds and boots, 3 where it does not. */
export function registerInspect(program: Command): void {
	const command = program
		.command("inspect")
		.description("say whether IMAGE builds and boots, and what would have to change, without building it")
		.argument("<image>", "as for build");
	addGroups(command, ...GROUPS)
		.addOption(new Option("--json", "print everything that was found as JSON").helpGroup("Messages:"))
		.addOption(
			new Option("--report <file>", "write it to a file: a page of HTML where it is called .html, else JSON").helpGroup(
				"Output:",
			),
		)
		.addOption(new Option("--overwrite", "replace an existing report").helpGroup("Output:"))
		.action(async (image: string, given: InspectArguments) => {
			try {
				await inspect(image, given);
			} catch (error) {
				throw withFlags(error, command);
			}
		});
}

async function inspect(image: string, given: InspectArguments): Promise<void> {
	const { json, report, overwrite, requireSecureBoot, quiet, verbose: _, ...options } = given;
	if (report !== undefined) requireDistinctPlaces([{ name: "--report", path: report }], { ...options, image });
	const reportFile = report === undefined ? undefined : openReport(report, { overwrite });
	const interrupt = interruptSignal();
	try {
		const [{ inspectImage }, { describeInspection }] = await Promise.all([
			import("../inspect/inspect.ts"),
			import("../inspect/describe.ts"),
		]);
		const inspection = await inspectImage(image, { ...options, signal: interrupt.signal });
		if (report !== undefined && reportFile !== undefined) {
			const text = isPage(report)
				? (await import("../page/inspection-page.ts")).inspectionPage(inspection)
				: `${JSON.stringify(inspection, undefined, 2)}\n`;
			await reportFile.write(text);
			await reportFile.publish();
		}
		await onStandardOutput((out) => {
			if (json === true || (report !== undefined && reportFile === undefined)) printJson(out, inspection, 2);
			else if (quiet !== true) printLines(out, describeInspection(inspection));
		});
		const isSecure = requireSecureBoot !== true || inspection.bootPaths["secure-boot"] === "expected to boot";
		if (!inspection.isBootable || !isSecure) process.exitCode = EXIT_STATUS.contract;
	} finally {
		reportFile?.discard();
		interrupt.dispose();
	}
}

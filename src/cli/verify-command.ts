import { type Command, Option } from "commander";
import { Oci2isoError } from "../errors.ts";
import { interruptSignal } from "./interrupt.ts";
import { addGroups, IMAGE_GROUPS, type ValuesOf, withFlags } from "./option-groups.ts";
import { onStandardOutput, printJson, printLines } from "./print.ts";

const GROUPS = ["tree", "buildroot", "payload", "also", ...IMAGE_GROUPS, "common"] as const;

interface VerifyArguments extends ValuesOf<(typeof GROUPS)[number]> {
	readonly image?: string;
	readonly secureBoot: boolean;
	readonly json?: boolean;
}

/** Adds `verify` to the command line. Its action throws `Oci2isoError` of kind verification (exit 8) where the ISO has a fault. */
export function registerVerify(program: Command): void {
	const command = program
		.command("verify")
		.description("read an ISO back: structures, the four boot paths, signatures, media checksum, fidelity to an image")
		.argument("<iso>", "file")
		.option(
			"--image <image>",
			"compare the root file system with this image, inode by inode; the options below say how",
		)
		.option("--no-secure-boot", "do not ask for signatures");
	addGroups(command, ...GROUPS)
		.addOption(new Option("--json", "print the report as JSON").helpGroup("Messages:"))
		.action(async (path: string, given: VerifyArguments) => {
			try {
				await verify(path, given);
			} catch (error) {
				throw withFlags(error, command);
			}
		});
}

async function verify(path: string, given: VerifyArguments): Promise<void> {
	const { json, quiet, verbose: _, ...options } = given;
	const interrupt = interruptSignal();
	try {
		const [{ verifyAgainstImage }, { formatReport }] = await Promise.all([
			import("../verify/verify.ts"),
			import("../verify/report.ts"),
		]);
		const report = await verifyAgainstImage(path, { ...options, signal: interrupt.signal });
		await onStandardOutput((out) => {
			if (json === true) printJson(out, report, 2);
			else if (quiet !== true) printLines(out, formatReport(report));
		});
		if (report.verdict === "pass") return;
		const failed = report.checks.filter(({ status }) => status === "fail").map(({ name }) => name);
		throw new Oci2isoError({
			code: "VERIFICATION_FAILED",
			kind: "verification",
			what: `${report.faults} ${report.faults === 1 ? "fault" : "faults"} in ${failed.join(", ")}`,
			where: path,
		});
	} finally {
		interrupt.dispose();
	}
}

import { type Command, Option } from "commander";
import { EXIT_STATUS } from "../errors.ts";
import { interruptSignal } from "./interrupt.ts";
import { onStandardOutput, printJson, printLines } from "./print.ts";
import { parseBoolean, parseCount, parseSize } from "./values.ts";

interface InspectArguments {
	readonly json?: boolean;
	readonly platform?: string;
	readonly label?: string;
	readonly kernel?: string;
	readonly vendor?: string;
	readonly comp?: "zstd" | "xz" | "gzip" | "lz4" | "none";
	readonly requireSecureBoot?: boolean;
	readonly authfile?: string;
	readonly creds?: string;
	readonly tlsVerify?: boolean;
	readonly certDir?: string;
	readonly maxLayerBytes?: number;
	readonly maxInodes?: number;
	readonly verbose?: boolean;
}

/** Adds `oci2iso inspect IMAGE`: exit status 0 where the image builds and boots, 3 where it does not. */
export function registerInspect(program: Command): void {
	program
		.command("inspect")
		.description("say whether IMAGE builds and boots, and what would have to change, without building it")
		.argument("<image>", "as for build")
		.option("--json", "print everything that was found as JSON")
		.option("--platform <os/arch[/variant]>", "which image of an index (default: linux on this architecture)")
		.option("--label <label>", "the volume label it would be built with")
		.option("--kernel <version>", "directory under /usr/lib/modules to boot")
		.option("--vendor <name>", "EFI vendor directory")
		.addOption(
			new Option("--comp <name>", "the squashfs compressor it would be built with").choices([
				"zstd",
				"xz",
				"gzip",
				"lz4",
				"none",
			]),
		)
		.option("--require-secure-boot", "exit 3 also where UEFI Secure Boot would refuse it")
		.option("--authfile <file>", "credentials for registries, as for build")
		.option("--creds <user:password>", "credentials; other users of this machine can see them, --authfile hides them")
		.option("--tls-verify [bool]", "false: accept any certificate, and plain HTTP", parseBoolean)
		.option("--cert-dir <dir>", "the registry's CA and client certificates: *.crt, *.cert, *.key")
		.option(
			"--max-layer-bytes <size>",
			"refuse a layer that is larger when uncompressed (default: by its size, 4G to 64G)",
			parseSize,
		)
		.option("--max-inodes <n>", "refuse an image with more entries in all layers (default: 4000000)", parseCount)
		.option("--verbose", "print the causes of an error too")
		.exitOverride()
		.action(inspect);
}

async function inspect(image: string, given: InspectArguments): Promise<void> {
	const { json, requireSecureBoot, authfile, verbose: _, ...options } = given;
	const interrupt = interruptSignal();
	try {
		const [{ inspectImage }, { describeInspection }] = await Promise.all([
			import("../inspect/inspect.ts"),
			import("../inspect/describe.ts"),
		]);
		const inspection = await inspectImage(image, { ...options, authFile: authfile, signal: interrupt.signal });
		await onStandardOutput((out) => {
			if (json === true) printJson(out, inspection, 2);
			else printLines(out, describeInspection(inspection));
		});
		const isSecure = requireSecureBoot !== true || inspection.bootPaths["secure-boot"] === "expected to boot";
		if (!inspection.isBootable || !isSecure) process.exitCode = EXIT_STATUS.contract;
	} finally {
		interrupt.dispose();
	}
}

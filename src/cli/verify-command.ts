import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import type { Command } from "commander";
import { type ByteSource, unexpectedEnd } from "../binary/byte-source.ts";
import { Oci2isoError } from "../errors.ts";
import { interruptSignal } from "./interrupt.ts";
import { onStandardOutput, printJson, printLines } from "./print.ts";
import { parseCount, parseSize } from "./values.ts";

interface VerifyArguments {
	readonly image?: string;
	readonly platform?: string;
	readonly exclude?: string[];
	readonly dropXattr?: string[];
	readonly defaultExcludes: boolean;
	readonly secureBoot: boolean;
	readonly maxLayerBytes?: number;
	readonly maxInodes?: number;
	readonly json?: boolean;
}

const collect = (value: string, earlier: string[] = []): string[] => [...earlier, value];

/** Adds `verify` to the command line. Its action throws `Oci2isoError` of kind verification (exit 8) where the ISO has a fault. */
export function registerVerify(program: Command): void {
	program
		.command("verify")
		.description("read an ISO back: structures, the four boot paths, signatures, media checksum, fidelity to an image")
		.argument("<iso>", "file")
		.option("--image <image>", "compare the root file system with this image, inode by inode")
		.option("--platform <os/arch[/variant]>", "which image of an index")
		.option("--exclude <pattern>", "what was left out of the squashfs, as for build; repeatable", collect)
		.option("--no-default-excludes", "expect what the reference converter leaves out")
		.option("--drop-xattr <pattern>", "extended attributes that were left out, as for build; repeatable", collect)
		.option("--no-secure-boot", "do not ask for signatures")
		.option(
			"--max-layer-bytes <size>",
			"refuse a layer of --image that is larger when uncompressed (default: by its size, 4G to 64G)",
			parseSize,
		)
		.option("--max-inodes <n>", "refuse an --image with more entries in all layers (default: 4000000)", parseCount)
		.option("--json", "print the report as JSON")
		.exitOverride()
		.action(verify);
}

async function verify(path: string, given: VerifyArguments): Promise<void> {
	const iso = openIso(path);
	const interrupt = interruptSignal();
	try {
		const [{ verifyAgainstImage }, { formatReport }] = await Promise.all([
			import("../verify/verify.ts"),
			import("../verify/report.ts"),
		]);
		const report = await verifyAgainstImage(iso, { ...given, signal: interrupt.signal });
		await onStandardOutput((out) => {
			if (given.json === true) printJson(out, report, 2);
			else printLines(out, formatReport(report));
		});
		if (report.verdict === "pass") return;
		const failed = report.checks.filter(({ status }) => status === "fail").map(({ name }) => name);
		throw new Oci2isoError({
			code: "VERIFICATION_FAILED",
			kind: "verification",
			what: `${report.faults} faults in ${failed.join(", ")}`,
			where: path,
		});
	} finally {
		interrupt.dispose();
		iso.close();
	}
}

function openIso(path: string): ByteSource & { close(): void } {
	const unreadable = (cause: unknown): Oci2isoError =>
		new Oci2isoError({
			code: "ISO_UNREADABLE",
			kind: "usage",
			what: `the ISO cannot be read: ${(cause as NodeJS.ErrnoException).code ?? "unknown error"}`,
			where: path,
			cause,
		});
	let file: number | undefined;
	try {
		// A pipe without a writer would be waited for.
		const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
		file = descriptor;
		const status = fstatSync(descriptor);
		if (!status.isFile()) throw Object.assign(new Error("not a regular file"), { code: "not a regular file" });
		const byteLength = status.size;
		return {
			byteLength,
			read(position, length) {
				if (!(position >= 0 && length >= 0 && position + length <= byteLength))
					return Promise.reject(unexpectedEnd(position, length, byteLength));
				const bytes = Buffer.allocUnsafe(length);
				for (let done = 0; done < length; ) {
					let count: number;
					try {
						count = readSync(descriptor, bytes, done, length - done, position + done);
					} catch (cause) {
						return Promise.reject(unreadable(cause));
					}
					if (count === 0) return Promise.reject(unexpectedEnd(position, length, byteLength));
					done += count;
				}
				return Promise.resolve(bytes);
			},
			close: () => closeSync(descriptor),
		};
	} catch (cause) {
		if (file !== undefined) closeSync(file);
		throw unreadable(cause);
	}
}

import { expect } from "vitest";
import type { MediumFile } from "./medium-files.ts";
import { type BootPath, bootIso, type GuestArchitecture } from "./qemu.ts";

/** What the fixture's report service says on the serial console at the end of boot. */
export interface BootReport {
	/** Regular files of the boot medium as the guest's kernel reads them, by path without leading slash. */
	readonly files: Map<string, MediumFile>;
	/** The firmware's SecureBoot variable. */
	readonly secureBoot: "enabled" | "disabled" | "no UEFI";
	/** What the guest's kernel says of Secure Boot, if anything. */
	readonly kernelSecureBoot: string | undefined;
	/** Its menu entry has `quiet`. */
	readonly isKernelQuiet: boolean;
	/** Type of the root file system, and the host name from the image. */
	readonly root: string;
}

const SECURE_BOOT: Record<string, BootReport["secureBoot"]> = { "1": "enabled", "0": "disabled", "no-uefi": "no UEFI" };

export function parseBootReport(log: string): BootReport {
	const start = log.indexOf("\nOCI2ISO-MEDIUM-BEGIN\n");
	const end = log.indexOf("\nOCI2ISO-MEDIUM-END\n");
	if (start < 0 || end < start) throw new Error(`the console has no complete file list:\n${log}`);
	const files = new Map<string, MediumFile>();
	for (const line of log.slice(start, end).split("\n").slice(2)) {
		const match = /^OCI2ISO-FILE ([0-9a-f]{64}) (\d+) (.+)$/.exec(line);
		if (match === null) throw new Error(`the file list has ${JSON.stringify(line)}:\n${log}`);
		const [, sha256 = "", size = "", path = ""] = match;
		files.set(path, { sha256, sizeBytes: Number(size) });
	}
	const after = log.slice(end);
	const secureBoot = SECURE_BOOT[/\nOCI2ISO-SECURE-BOOT (\S+)\n/.exec(after)?.[1] ?? ""];
	if (secureBoot === undefined) throw new Error(`the console does not tell about Secure Boot:\n${after}`);
	return {
		files,
		secureBoot,
		kernelSecureBoot: /secureboot: (Secure boot \w+)/i.exec(log)?.[1],
		isKernelQuiet: !/\] Linux version /.test(log),
		root: /\nOCI2ISO-ROOT (.+)\n/.exec(after)?.[1] ?? "",
	};
}

/** What the firmware's variable and the guest's kernel, that of a PC, say of Secure Boot on each path. */
const SECURE_BOOT_OF_PATH: Record<BootPath, Pick<BootReport, "secureBoot" | "kernelSecureBoot">> = {
	"BIOS from CD": { secureBoot: "no UEFI", kernelSecureBoot: undefined },
	"BIOS from USB disk": { secureBoot: "no UEFI", kernelSecureBoot: undefined },
	"UEFI from CD": { secureBoot: "disabled", kernelSecureBoot: "Secure boot disabled" },
	"UEFI from USB disk": { secureBoot: "disabled", kernelSecureBoot: "Secure boot disabled" },
	"UEFI from USB disk with Secure Boot": { secureBoot: "enabled", kernelSecureBoot: "Secure boot enabled" },
};

const LOADERS: Record<GuestArchitecture, string> = {
	x86_64: "EFI/BOOT/BOOTX64.EFI",
	aarch64: "EFI/BOOT/BOOTAA64.EFI",
};

/** Boots an ISO of the fixture, or a disk with one, and compares what its guest says with the way it was booted and with what was `written` on the ISO. */
export async function expectBoot(
	path: BootPath,
	iso: string,
	written: Map<string, MediumFile>,
	architecture: GuestArchitecture = "x86_64",
	hostName = "oci2iso",
): Promise<void> {
	const report = parseBootReport(await bootIso(iso, path, { architecture }));
	const { secureBoot, kernelSecureBoot } = SECURE_BOOT_OF_PATH[path];
	expect(report.secureBoot).toBe(secureBoot);
	if (architecture === "x86_64" && !report.isKernelQuiet) expect(report.kernelSecureBoot).toBe(kernelSecureBoot);
	expect(report.root).toBe(`overlayfs ${hostName}`);
	expect(report.files).toEqual(written);
	expect([...written.keys()]).toEqual(expect.arrayContaining(["LiveOS/squashfs.img", LOADERS[architecture]]));
}

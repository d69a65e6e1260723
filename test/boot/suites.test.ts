import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { memorySource } from "../../src/binary/byte-source.ts";
import { buildIso } from "../../src/index.ts";
import { verifyIso } from "../../src/verify/verify-iso.ts";
import { expectBoot } from "../support/boot-report.ts";
import { debianFixture, FIXTURE_NEEDS } from "../support/fixture.ts";
import { type MediumFile, mediumFiles } from "../support/medium-files.ts";
import { BOOT_PATHS, type BootPath, bootRequirements } from "../support/qemu.ts";
import { requires } from "../support/requires.ts";
import { isSlowWanted } from "../support/slow.ts";

const missing = bootRequirements() ?? requires(...FIXTURE_NEEDS, "xorriso", "mcopy");
const areAllWanted = isSlowWanted("the other boots of Debian 13 and unstable");

type Suite = [name: string, paths: readonly BootPath[]];
const suites: Suite[] = [["trixie", ["BIOS from USB disk", "UEFI from USB disk with Secure Boot"]]];
if (missing === undefined && (await hasUnstable()))
	suites.push(["sid", ["BIOS from CD", "UEFI from CD", "UEFI from USB disk with Secure Boot"]]);

// Their GRUB for UEFI looks for its menu in other places than that of Debian 12, their dracut is another one.
describe.skipIf(missing !== undefined).each(suites)("the ISO of Debian %s boots to its marker", (profile, paths) => {
	let scratch: string;
	let iso: string;
	let written: Map<string, MediumFile>;

	beforeAll(async () => {
		scratch = await mkdtemp(join(tmpdir(), "oci2iso-boot-test-"));
		iso = join(scratch, "suite.iso");
		const report = await buildIso({ image: `oci:${await debianFixture(profile)}:latest`, output: iso, level: 1 });
		expect(report.addedFiles.map(({ iso: path, efiImage }) => [path, efiImage])).toEqual([
			["/boot/grub/grub.cfg", "/boot/grub/grub.cfg"],
		]);
		const { checks } = await verifyIso(memorySource(await readFile(iso)));
		expect(checks.filter(({ status }) => status === "fail")).toEqual([]);
		written = await mediumFiles(iso);
	});
	afterAll(() => rm(scratch, { recursive: true, force: true }));

	it.each(areAllWanted ? BOOT_PATHS : paths)("%s", (path) => expectBoot(path, iso, written));
});

/** Unstable is another one every day, and there are days when its packages do not fit together. */
async function hasUnstable(): Promise<boolean> {
	try {
		await debianFixture("sid");
		return true;
	} catch (error) {
		if (!(error instanceof Error && error.message.includes("apt-get"))) throw error;
		process.stderr.write(
			`SKIPPED: boots of unstable, which apt-get cannot install today: ${error.message.slice(0, 300)}\n`,
		);
		return false;
	}
}

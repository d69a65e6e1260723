import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { memorySource } from "../../src/binary/byte-source.ts";
import { buildIso } from "../../src/index.ts";
import { verifyIso } from "../../src/verify/verify-iso.ts";
import { expectBoot } from "./boot-report.ts";
import { debianFixture, FIXTURE_NEEDS } from "./fixture.ts";
import { type MediumFile, mediumFiles } from "./medium-files.ts";
import { BOOT_PATHS, type BootPath, bootRequirements } from "./qemu.ts";
import { requires } from "./requires.ts";
import { isSlowWanted } from "./slow.ts";

const missing = bootRequirements() ?? requires(...FIXTURE_NEEDS, "xorriso", "mcopy");

/** Of a release whose GRUB for UEFI looks for its menu in other places than that of Debian 12, and whose dracut is another one. */
export async function bootsOf(profile: "trixie" | "sid", paths: readonly BootPath[]): Promise<void> {
	const isThere = missing === undefined && (await canBeMade(profile));
	const tried = isSlowWanted(`the other boots of Debian ${profile}`) ? BOOT_PATHS : paths;

	describe.skipIf(!isThere)(`the ISO of Debian ${profile} boots to its marker`, () => {
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

		it.each(tried)("%s", (path) => expectBoot(path, iso, written));
	});
}

/** Unstable is another one every day, and there are days when its packages do not fit together. */
async function canBeMade(profile: string): Promise<boolean> {
	try {
		await debianFixture(profile);
		return true;
	} catch (error) {
		if (profile !== "sid" || !(error instanceof Error && error.message.includes("apt-get"))) throw error;
		process.stderr.write(
			`SKIPPED: boots of unstable, which apt-get cannot install today: ${error.message.slice(0, 300)}\n`,
		);
		return false;
	}
}

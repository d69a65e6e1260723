import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { GRUB_ADDITIONS_PATH } from "../../src/contract/grub-additions.ts";
import { buildIso, verifyAgainstImage } from "../../src/index.ts";
import { expectBoot } from "../support/boot-report.ts";
import { debianFixture, FIXTURE_NEEDS } from "../support/fixture.ts";
import { withExtraLayer } from "../support/large-layout.ts";
import { mediumFiles } from "../support/medium-files.ts";
import { bootRequirements } from "../support/qemu.ts";
import { requires } from "../support/requires.ts";
import { isSlowWanted } from "../support/slow.ts";
import { tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

describe.skipIf(
	!isSlowWanted("three systems of one ISO boot") || (bootRequirements() ?? requires("xorriso", ...FIXTURE_NEEDS)),
)("an ISO with three systems", () => {
	const work = temporaryDirectory("also-boot");

	/** The fixture's menu has two entries; behind them come the submenus. */
	it.each([
		["two", 2, "BIOS from CD"],
		["two", 2, "UEFI from USB disk with Secure Boot"],
		["three", 3, "BIOS from USB disk"],
		["three", 3, "UEFI from CD"],
	] as const)(
		"boots system %s (%d) by %s, and its kernel reads every file of the medium",
		async (name, entry, path) => {
			const base = await debianFixture();
			const image = await withExtraLayer(base, join(work, `first-${name}-${path}`), async (append) => {
				const content = Buffer.from(`set default="${entry}>0"\n`);
				await append(tarArchive([{ path: `${GRUB_ADDITIONS_PATH.slice(1)}/grub.cfg`, content }]));
			});
			const also: { name: string; image: string }[] = [];
			for (const each of ["two", "three"])
				also.push({
					name: each,
					image: await withExtraLayer(base, join(work, `${each}-${name}-${path}`), (append) =>
						append(tarArchive([{ path: "etc/hostname", content: Buffer.from(`${each}\n`) }])),
					),
				});
			const iso = join(work, `${name}-${path}.iso`);
			await buildIso({ image, also, platform: "linux/amd64", output: iso, level: 3 });
			expect(await verifyAgainstImage(iso, { image, also, platform: "linux/amd64" })).toMatchObject({
				verdict: "pass",
			});
			await expectBoot(path, iso, await mediumFiles(iso), "x86_64", name);
		},
	);
});

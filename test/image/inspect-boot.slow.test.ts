import { mkdtemp, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BootPath as InspectedPath } from "../../src/findings/finding.ts";
import { buildIso } from "../../src/index.ts";
import { inspectImage } from "../../src/inspect/inspect.ts";
import { debianFixture, FIXTURE_NEEDS, newestProfile } from "../support/fixture.ts";
import { BROKEN_IMAGES, type RealParts, realParts, writeBrokenImage } from "../support/inspect-matrix.ts";
import { type BootPath, bootIso, bootRequirements } from "../support/qemu.ts";
import { requires } from "../support/requires.ts";
import { isSlowWanted } from "../support/slow.ts";

const missing = bootRequirements() ?? requires(...FIXTURE_NEEDS);
const isBootable = /OCI2ISO-BOOT-OK/;
/** Software emulation on a busy machine, and dracut's patience with a medium that does not come. */
const TIMEOUT_MS = 420_000;

/** The kernel's, dracut's and systemd's last words; their names alone are on the kernel's command line too. */
const GIVES_UP =
	/Kernel panic - not syncing|Entering emergency mode|Emergency Mode|dracut: FATAL|dracut: Refusing to continue|reboot: (Power down|System halted)/;

interface Prediction {
	readonly name: string;
	readonly path: BootPath;
	/** What the console shows where the boot path ends. */
	readonly ends?: RegExp;
}

const BOOTS: readonly Prediction[] = [
	{ name: "an initramfs without the live module", path: "BIOS from CD", ends: GIVES_UP },
	{ name: "an initramfs without squashfs.ko", path: "BIOS from CD", ends: GIVES_UP },
	{ name: "an initramfs without overlay.ko", path: "BIOS from CD", ends: GIVES_UP },
	{
		name: "an initramfs without a module that its other modules need",
		path: "BIOS from CD",
		ends: GIVES_UP,
	},
	{ name: "an initramfs for another kernel", path: "BIOS from CD", ends: GIVES_UP },
	{ name: "an initramfs that is no initramfs", path: "BIOS from CD", ends: /Kernel panic/ },
	{ name: "an entry with another label", path: "BIOS from CD", ends: GIVES_UP },
	{
		name: "an entry with another kernel path",
		path: "BIOS from CD",
		ends: /vmlinuz' not found|you need to load the kernel first/,
	},
	{
		name: "an entry without the argument that this dracut needs",
		path: "BIOS from CD",
		ends: GIVES_UP,
	},
	{ name: "no os-release", path: "BIOS from CD", ends: GIVES_UP },
	{ name: "no /proc, by which this dracut knows a root", path: "BIOS from CD", ends: GIVES_UP },
	{
		name: "an unsigned GRUB",
		path: "UEFI from USB disk with Secure Boot",
		ends: /Security Violation|Access Denied|bad shim/i,
	},
	{ name: "an unsigned GRUB", path: "UEFI from CD" },
	{ name: "an unsigned kernel", path: "UEFI from USB disk with Secure Boot", ends: /bad shim (loader )?signature/i },
	{ name: "an initramfs in several parts: microcode, gzip, and an override behind it", path: "BIOS from CD" },
	{ name: "an initramfs without the CD driver", path: "BIOS from USB disk" },
	{ name: "boot loaders only where bootupd keeps them", path: "UEFI from USB disk with Secure Boot" },
];

/** One for each part of the way, of the suites whose kernel, dracut, GRUB and shim are newer. */
const NEWER_BOOTS = BOOTS.filter(({ name }) =>
	[
		"an initramfs without the live module",
		"an initramfs without squashfs.ko",
		"an entry with another label",
		"an entry with another kernel path",
		"an unsigned kernel",
		"an initramfs without the CD driver",
		"boot loaders only where bootupd keeps them",
	].includes(name),
);

const isWanted = missing === undefined && isSlowWanted("boots of broken images");
const SUITES: readonly (readonly [profile: string, boots: readonly Prediction[]])[] = [
	["debian", BOOTS],
	...(isWanted ? [...new Set(["trixie", "forky", await newestProfile()])] : []).map(
		(profile) => [profile, NEWER_BOOTS] as const,
	),
];

const INSPECTED: Readonly<Record<BootPath, InspectedPath>> = {
	"BIOS from CD": "bios",
	"BIOS from USB disk": "bios",
	"UEFI from CD": "uefi",
	"UEFI from USB disk": "uefi",
	"UEFI from USB disk with Secure Boot": "secure-boot",
};

describe.skipIf(!isWanted).each(SUITES)("what inspect predicts happens with Debian %s", (profile, boots) => {
	let layout: string;
	let parts: RealParts;
	let scratch: string;

	beforeAll(async () => {
		layout = await debianFixture(profile);
		const real = await realParts(layout, "whole");
		// Who waits for a medium that does not come should not wait for three minutes.
		parts = { ...real, isoYaml: real.isoYaml.replaceAll("panic=1", "panic=1 rd.retry=20") };
		scratch = await mkdtemp(join(dirname(layout), "inspect-boot-"));
	});
	afterAll(() => rm(scratch, { recursive: true, force: true }));

	it.each(boots)("$name: $path", async ({ name, path, ends }) => {
		const broken = BROKEN_IMAGES.find((image) => image.name === name);
		expect(broken).toBeDefined();
		if (broken === undefined) return;
		const { reference, directory } = await writeBrokenImage(broken, layout, parts, scratch);
		try {
			const { bootPaths } = await inspectImage(reference, { platform: "linux/amd64" });
			expect(bootPaths[INSPECTED[path]]).toBe(ends === undefined ? "expected to boot" : "will not boot");
			const iso = join(directory, "live.iso");
			await buildIso({ image: reference, output: iso, platform: "linux/amd64", comp: "zstd", level: 1, force: true });
			const until = ends === undefined ? isBootable : new RegExp(`${isBootable.source}|${ends.source}`, ends.flags);
			const console = await bootIso(iso, path, { until, timeoutMs: TIMEOUT_MS });
			if (process.env["OCI2ISO_SHOW_BOOT"] === "1") process.stderr.write(console);
			if (ends === undefined) {
				expect(console).toMatch(isBootable);
				expect(console).not.toMatch(GIVES_UP);
			} else {
				expect(console).toMatch(ends);
				expect(console).not.toMatch(/^OCI2ISO-BOOT-OK/m);
			}
		} finally {
			await rm(directory, { recursive: true, force: true });
		}
	});
});

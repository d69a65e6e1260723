import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BuildReport, buildIso } from "../../src/index.ts";
import { FIXTURE_NEEDS } from "../support/fixture.ts";
import { withExtraLayer } from "../support/large-layout.ts";
import { type MediumFile, mediumFiles } from "../support/medium-files.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { tarArchive } from "../support/tar-fixtures.ts";
import { thinImage } from "../support/thin-image.ts";

const WORK_PARENT = join(import.meta.dirname, "..", "..", "build");

/** The Debian image as its packages leave it: none of the contract's directories, copies and files. */
describe.skipIf(requires("xorriso", "mcopy", ...FIXTURE_NEEDS))(
	"a Debian image without anything made for the contract",
	() => {
		let work = "";
		let report: BuildReport;
		let files: Map<string, MediumFile>;
		let contractFiles: Map<string, MediumFile>;

		beforeAll(async () => {
			work = await mkdtemp(join(WORK_PARENT, "plain-"));
			const base = await thinImage();
			const contract = await buildIso({
				image: `oci:${base}:latest`,
				output: join(work, "contract.iso"),
				comp: "none",
			});
			contractFiles = await mediumFiles(join(work, "contract.iso"));
			const kernel = contract.contract.kernelVersion;
			const modules = `usr/lib/modules/${kernel}`;
			const image = await withExtraLayer(base, join(work, "plain"), (append) =>
				append(
					tarArchive([
						{ type: "hard-link", path: `boot/initrd.img-${kernel}`, linkTarget: `${modules}/initramfs.img` },
						{ type: "file", path: `${modules}/.wh.initramfs.img` },
						{ type: "file", path: `${modules}/.wh.vmlinuz` },
						{ type: "file", path: "usr/lib/.wh.efi" },
						{ type: "file", path: "boot/.wh.efi" },
						{ type: "file", path: "usr/lib/.wh.bootc-image-builder" },
					]),
				),
			);
			const attempt = buildIso({ image, output: join(work, "plain.iso"), comp: "none" });
			// The built-in menu lacks what this Debian's dracut needs.
			await expect(attempt).rejects.toMatchObject({
				code: "IMAGE_WOULD_NOT_BOOT",
				problems: [{ code: "OVERLAY_ARGUMENT_MISSING" }],
			});
			report = await buildIso({ image, output: join(work, "plain.iso"), comp: "none", force: true });
			files = await mediumFiles(join(work, "plain.iso"));
		});
		afterAll(() => rm(work, { recursive: true, force: true }));

		it("becomes an ISO with the same boot files", () => {
			expect([...files.keys()].sort()).toEqual([...contractFiles.keys()].sort());
			for (const path of [
				"EFI/BOOT/BOOTX64.EFI",
				"EFI/BOOT/grubx64.efi",
				"EFI/BOOT/mmx64.efi",
				"images/pxeboot/vmlinuz",
				"images/pxeboot/initrd.img",
			])
				expect(files.get(path)).toEqual(contractFiles.get(path));
		});

		it("gets the reference's default label and menu, and every choice is in the report", async () => {
			expect(report.contract.label).toBe("Container-Installer-x86_64");
			expect(report.contract.menuEntries).toEqual(["Install Debian GNU/Linux 12"]);
			expect(report.contract.timeoutSeconds).toBe(60);
			const told = report.choices.map(({ code, what }) => `${code} ${what}`).join("\n");
			for (const subject of [/initr/, /vmlinuz|kernel/i, /shim|EFI/, /label/i]) expect(told).toMatch(subject);
			const config = await run("xorriso", [
				"-osirrox",
				"on",
				"-indev",
				join(work, "plain.iso"),
				"-concat",
				"overwrite",
				"-",
				"/boot/grub2/grub.cfg",
			]);
			expect(config).toContain("search --no-floppy --set=root -l 'Container-Installer-x86_64'");
			expect(config).toContain("root=live:CDLABEL=Container-Installer-x86_64 rd.live.image quiet rhgb enforcing=0");
		});
	},
);

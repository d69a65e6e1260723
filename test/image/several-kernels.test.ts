import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type BuildReport, buildIso, inspectImage, planBuild, verifyAgainstImage } from "../../src/index.ts";
import { FIXTURE_NEEDS } from "../support/fixture.ts";
import { withExtraLayer } from "../support/large-layout.ts";
import { type MediumFile, mediumFiles } from "../support/medium-files.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { type TarMember, tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { thinImage } from "../support/thin-image.ts";

const platform = "linux/amd64";

describe.skipIf(requires(...FIXTURE_NEEDS, "xorriso", "grub-script-check"))("an image with several kernels", () => {
	const work = temporaryDirectory("several-kernels");
	const iso = join(work, "all.iso");
	let image = "";
	let first = "";
	let report: BuildReport;
	let files: Map<string, MediumFile>;

	beforeAll(async () => {
		const base = await thinImage();
		first = (await inspectImage(`oci:${base}:latest`, { platform })).kernel?.version ?? "";
		const directory = `usr/lib/modules/${first}`;
		const linked = (version: string, name: string): TarMember => ({
			type: "hard-link",
			path: `usr/lib/modules/${version}/${name}`,
			linkTarget: `${directory}/${name}`,
		});
		// Another name for the same kernel, one whose initramfs is none, and one without.
		image = await withExtraLayer(base, join(work, "image"), async (append) => {
			const broken: TarMember = {
				type: "file",
				path: "usr/lib/modules/8.0-b/initramfs.img",
				content: Buffer.from("no"),
			};
			const names = ["vmlinuz", "initramfs.img"];
			const members = [...names.map((name) => linked("9.0-a", name)), linked("8.0-b", "vmlinuz"), broken];
			await append(tarArchive([...members, linked("7.0-c", "vmlinuz")]));
		});
		report = await buildIso({ image, platform, output: iso, comp: "lz4", kernel: "all" });
		files = await mediumFiles(iso);
	});

	it("has each of them, with its initramfs, the first where the contract wants it", () => {
		const kernels = [...files.keys()].filter((path) => path.startsWith("images/pxeboot/")).sort();
		const further = ["8.0-b", "9.0-a"].flatMap((version) => [`${version}/initrd.img`, `${version}/vmlinuz`]);
		expect(kernels).toEqual([...further, "initrd.img", "vmlinuz"].map((path) => `images/pxeboot/${path}`));
		expect(files.get("images/pxeboot/9.0-a/vmlinuz")).toEqual(files.get("images/pxeboot/vmlinuz"));
		expect(report.contract).toMatchObject({ kernelVersion: first, furtherKernelVersions: ["8.0-b", "9.0-a"] });
		expect(report.choices.map(({ what }) => what)).toContain("no initramfs is there for 7.0-c: left out");
	});

	it.each(["EFI/BOOT/grub.cfg", "boot/grub2/grub.cfg", "boot/grub/loopback.cfg"])(
		"has a submenu of the same entries for each in %s",
		async (path) => {
			const menu = join(work, "menu.cfg");
			await run("xorriso", ["-osirrox", "on", "-indev", iso, "-extract", `/${path}`, menu]);
			await run("grub-script-check", [menu]);
			const lines = (await run("cat", [menu])).split("\n");
			expect(lines.filter((line) => line.startsWith("submenu "))).toEqual([
				"submenu 'Linux 8.0-b' {",
				"submenu 'Linux 9.0-a' {",
			]);
			const starts = lines.flatMap((line) => /^\t(?:linux|initrd) (\S+)/.exec(line)?.[1] ?? []);
			const perKernel = ["", "8.0-b/", "9.0-a/"].map((version) =>
				["vmlinuz", "initrd.img"].map((name) => `/images/pxeboot/${version}${name}`),
			);
			expect(starts).toEqual(perKernel.flatMap((paths) => [...paths, ...paths]));
			await run("rm", [menu]);
		},
	);

	it("is inspected kernel by kernel: what is wrong with another ends no boot", async () => {
		const { findings, bootPaths } = await inspectImage(image, { platform, kernel: "all" });
		expect(Object.values(bootPaths)).toEqual(Array(3).fill("expected to boot"));
		const wrong = findings.filter(({ severity }) => severity === "warning").map(({ what }) => what);
		expect(wrong).toEqual([expect.stringMatching(/^kernel 8\.0-b: /), ...wrong.slice(1)]);
		expect(findings.map(({ what }) => what)).toContain("kernel 9.0-a: the kernel is signed by what shim trusts");
	});

	it("is verified against the image, and a plan makes the same", async () => {
		const { checks } = await verifyAgainstImage(iso, { image, platform });
		expect(checks.find(({ name }) => name === "medium")).toMatchObject({ status: "pass" });
		const plan = await planBuild({ image, platform, comp: "lz4", kernel: "all" });
		const again = join(work, "again.iso");
		await buildIso({ plan, output: again });
		await run("cmp", [iso, again]);
	});

	it.each([
		["9.0-a,nothing", "KERNEL_MISSING"],
		[",", "KERNEL_MISSING"],
		["7.0-c,9.0-a", "INITRAMFS_MISSING"],
	])("refuses %s", async (kernel, code) => {
		const { contract } = await inspectImage(image, { platform, kernel });
		expect(contract.violations.map((each) => each.code)).toEqual([code]);
	});
});

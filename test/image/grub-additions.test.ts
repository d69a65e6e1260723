import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildIso, inspectImage, verifyAgainstImage } from "../../src/index.ts";
import { FIXTURE_NEEDS } from "../support/fixture.ts";
import { withExtraLayer } from "../support/large-layout.ts";
import { mediumFiles } from "../support/medium-files.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { thinImage } from "../support/thin-image.ts";

const platform = "linux/amd64";
const CUSTOM = "boot/grub/custom";
const PROGRESSIVE = Buffer.from([0xff, 0xd8, 0xff, 0xc2, 0, 8, 8, 0, 9, 0, 9, 3]);

describe.skipIf(requires(...FIXTURE_NEEDS, "xorriso", "grub-script-check"))("an image with a theme for GRUB", () => {
	const work = temporaryDirectory("grub-additions");
	const imageOf = async (files: Readonly<Record<string, string | Buffer>>): Promise<string> => {
		const members = Object.entries(files).map(([name, content]) => ({
			type: "file" as const,
			path: `usr/lib/image-builder/bootc/grub/${name}`,
			content: Buffer.from(content),
		}));
		return withExtraLayer(await thinImage(), join(work, `image-${Object.keys(files).length}`), (append) =>
			append(tarArchive(members)),
		);
	};

	it("has it on the medium, and menus that are scripts; what GRUB cannot show is said and ends no boot", async () => {
		const image = await imageOf({
			"grub.cfg": "set menu_color_normal=cyan/blue",
			"big.pf2": "no font",
			"theme/theme.txt": 'desktop-image: "a.jpg"\n',
			"theme/a.jpg": PROGRESSIVE,
		});
		const iso = join(work, "theme.iso");
		const report = await buildIso({ image, platform, output: iso, comp: "lz4" });
		const files = await mediumFiles(iso);
		expect([...files.keys()].filter((path) => path.startsWith(CUSTOM)).sort()).toEqual(
			["big.pf2", "theme/a.jpg", "theme/theme.txt"].map((name) => `${CUSTOM}/${name}`),
		);
		const menu = join(work, "menu.cfg");
		for (const path of ["EFI/BOOT/grub.cfg", "boot/grub2/grub.cfg"]) {
			await run("xorriso", ["-osirrox", "on", "-indev", iso, "-extract", `/${path}`, menu]);
			await run("grub-script-check", [menu]);
			expect(await readFile(menu, "utf8")).toContain("\nset menu_color_normal=cyan/blue\n");
			await run("rm", ["-f", menu]);
		}
		const warned = report.checks.findings.flatMap(({ code, evidence }) =>
			code === "GRUB_ADDITION_UNREADABLE" ? [evidence?.replace(/.*\//, "")] : [],
		);
		expect(warned).toEqual(["big.pf2: it is no font of GRUB's", "a.jpg: it is progressive"]);
		expect(Object.values(report.checks.bootPaths)).toEqual(Array(3).fill("expected to boot"));
		const { checks } = await verifyAgainstImage(iso, { image, platform });
		expect(checks.filter(({ status }) => status === "fail")).toEqual([]);
	});

	it("is refused with a text that would take the entries along", async () => {
		const { contract } = await inspectImage(await imageOf({ "grub.cfg": "menuentry a {" }), { platform });
		expect(contract.violations.map(({ code }) => code)).toEqual(["GRUB_SCRIPT_INVALID"]);
	});
});

import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { memorySource } from "../../src/binary/byte-source.ts";
import { readVolume } from "../../src/formats/iso9660/read-volume.ts";
import {
	type BuildEvent,
	type BuildOptions,
	type BuildReport,
	buildIso,
	Oci2isoError,
	verifyAgainstImage,
} from "../../src/index.ts";
import { fileAt } from "../../src/verify/medium-files.ts";
import { FIXTURE_NEEDS } from "../support/fixture.ts";
import { BROKEN_IMAGES, file, type RealParts, realParts, writeBrokenImage } from "../support/inspect-matrix.ts";
import { requires } from "../support/requires.ts";
import { thinImage } from "../support/thin-image.ts";

describe.skipIf(requires(...FIXTURE_NEEDS))("a build checks whether the ISO would boot", () => {
	let layout: string;
	let parts: RealParts;
	let scratch: string;
	let directory: string;

	beforeAll(async () => {
		layout = await thinImage();
		parts = await realParts(layout);
		scratch = await mkdtemp(join(dirname(layout), "build-checks-"));
	});
	afterAll(() => rm(scratch, { recursive: true, force: true }));
	beforeEach(async () => {
		directory = await mkdtemp(join(scratch, "out-"));
	});
	afterEach(() => rm(directory, { recursive: true, force: true }));

	async function build(names: readonly string[], options: Partial<BuildOptions> = {}, layer = layerOf(names)) {
		const name = names.join(" and ") || "none";
		const image = await writeBrokenImage({ name, layer }, layout, parts, scratch);
		const notices: string[] = [];
		let hasReadLayers = false;
		const onEvent = (event: BuildEvent): void => {
			if (event.type === "notice") notices.push(event.text);
			else if (event.type === "phase") hasReadLayers ||= event.phase === "layers";
		};
		const output = join(directory, "x.iso");
		const base = { image: image.reference, output, platform: "linux/amd64", comp: "none", tools: "builtin" } as const;
		try {
			const report = await buildIso({ ...base, onEvent, ...options });
			return { report, notices, hasReadLayers, error: undefined };
		} catch (error) {
			if (!(error instanceof Oci2isoError)) throw error;
			return { report: undefined, notices, hasReadLayers, error };
		} finally {
			await rm(image.directory, { recursive: true, force: true });
		}
	}

	function layerOf(names: readonly string[]) {
		return (real: RealParts) =>
			names.flatMap((name) => BROKEN_IMAGES.find((image) => image.name === name)?.layer(real) ?? []);
	}

	const BLOCKED = ["an initramfs without the live module", "GRUB for BIOS without the module that starts Linux"];

	it("refuses it with exit 3, every reason and nothing left behind", async () => {
		const { error } = await build([...BLOCKED, "no init"]);
		expect(error).toMatchObject({ code: "IMAGE_WOULD_NOT_BOOT", exitStatus: 3 });
		expect(error?.problems.map(({ code }) => code)).toEqual([
			"LIVE_MODULE_MISSING",
			"INIT_MISSING",
			"GRUB_BIOS_MODULES_MISSING",
		]);
		expect(await readdir(directory)).toEqual([]);
	});

	const SECOND_PLACE = "usr/lib/bootc-image-builder/iso.yaml";
	const withLabel = (text: string, label: string): string => `label: "${label}"\n${text.replace(/^label:.*\n/m, "")}`;

	it.each<[string, readonly string[], Partial<BuildOptions>, string | undefined, string]>([
		["--label", [], { label: "OTHER" }, undefined, "MENU_LABEL"],
		["an entry", ["an entry with another label"], {}, undefined, "MENU_LABEL"],
		["iso.yaml's label, too long", [], {}, "X".repeat(33), "LABEL_LENGTH"],
		["iso.yaml's label, with a control character", [], {}, "A\\nB", "LABEL_CONTROL_CHARACTER"],
	])("refuses before layers are compressed a label that cannot be: %s", async (_, names, options, label, code) => {
		const layer = (real: RealParts) => [
			...layerOf(names)(real),
			...(label === undefined ? [] : [file(SECOND_PLACE, withLabel(real.isoYaml, label))]),
		];
		const { error, hasReadLayers } = await build(names, options, layer);
		expect(error?.problems.map((problem) => problem.code)).toEqual([code]);
		expect({ exitStatus: error?.exitStatus, hasReadLayers }).toEqual({ exitStatus: 3, hasReadLayers: false });
		expect(await readdir(directory)).toEqual([]);
	});

	it("goes by the iso.yaml that counts, and with --force past the label", async () => {
		const layer = (real: RealParts) => [
			file("usr/lib/image-builder/bootc/iso.yaml", real.isoYaml),
			file(SECOND_PLACE, withLabel(real.isoYaml, "X".repeat(33))),
		];
		expect((await build([], {}, layer)).error).toBeUndefined();
		const forced = await build([], { label: "OTHER", force: true, overwrite: true });
		expect(forced.report?.checks.isForced).toBe(true);
	});

	it("names what would not boot beside what the contract misses", async () => {
		const { error } = await build(["no initramfs", "no init"], { force: true });
		expect(error).toMatchObject({ code: "CONTRACT_NOT_MET", exitStatus: 3 });
		expect(error?.problems.map(({ code }) => code)).toEqual(["INITRAMFS_MISSING", "INIT_MISSING"]);
	});

	it("builds it when forced to, and says so", async () => {
		const { report, notices } = await build(BLOCKED, { force: true });
		expect(existsSync(join(directory, "x.iso"))).toBe(true);
		expect(report?.checks).toMatchObject({ isForced: true, bootPaths: { bios: "will not boot" } });
		expect(report?.checks.findings.map(({ code }) => code)).toEqual([
			"LIVE_MODULE_MISSING",
			"GRUB_BIOS_MODULES_MISSING",
		]);
		for (const code of ["LIVE_MODULE_MISSING", "GRUB_BIOS_MODULES_MISSING"])
			expect(notices).toContainEqual(expect.stringContaining(`the ISO will not boot: ${code}`));
	});

	it("builds what only Secure Boot refuses, with a notice, unless Secure Boot is required", async () => {
		const { report, notices } = await build(["an unsigned GRUB"]);
		const checks: BuildReport["checks"] | undefined = report?.checks;
		expect(checks).toMatchObject({
			isForced: false,
			bootPaths: { bios: "expected to boot", "secure-boot": "will not boot" },
			findings: [{ code: "GRUB_NOT_SIGNED", severity: "warning" }],
		});
		expect(notices).toContainEqual(expect.stringContaining("GRUB_NOT_SIGNED"));
		const { error } = await build(["an unsigned GRUB"], { requireSecureBoot: true, overwrite: true });
		expect(error?.problems.map(({ code }) => code)).toEqual(["GRUB_NOT_SIGNED"]);
	});

	it("gives live-boot the root file system under its own name too, which verify holds it to", async () => {
		const name = "an initramfs made for live-boot";
		const { reference } = await writeBrokenImage({ name, layer: layerOf([name]) }, layout, parts, scratch);
		const output = join(directory, "live.iso");
		const { addedFiles, checks } = await buildIso({ image: reference, output, platform: "linux/amd64", level: 1 });
		expect(addedFiles[0]).toMatchObject({ iso: "/live/filesystem.squashfs", efiImage: undefined });
		expect(checks.bootPaths.bios).toBe("expected to boot");
		const iso = await readFile(output);
		const { verdict } = await verifyAgainstImage(memorySource(iso), { image: reference });
		expect(verdict).toBe("pass");
		const { root } = await readVolume(memorySource(iso));
		const [own, other] = [fileAt(root, "LiveOS/squashfs.img"), fileAt(root, "live/filesystem.squashfs")];
		expect(other?.extents).toEqual(own?.extents);
		// Rock Ridge's name, in both descriptor sets' trees
		for (let at = iso.indexOf("filesystem.squashfs"); at >= 0; at = iso.indexOf("filesystem.squashfs", at + 1))
			iso.write("f", at + 1);
		const changed = await verifyAgainstImage(memorySource(iso), { image: reference });
		const faults = changed.checks.flatMap(({ name, findings }) => findings.map(({ what }) => `${name}: ${what}`));
		expect(faults).toContainEqual(expect.stringMatching(/^medium: it is missing/));
	});

	it("overwriting does not skip the checks", async () => {
		const { error } = await build(BLOCKED, { overwrite: true });
		expect(error?.code).toBe("IMAGE_WOULD_NOT_BOOT");
	});
});

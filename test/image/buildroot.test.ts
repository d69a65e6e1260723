import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type BuildOptions, buildIso, planBuild, verifyAgainstImage } from "../../src/index.ts";
import { inspectImage } from "../../src/inspect/inspect.ts";
import { contractLayers, HOST_GRUB } from "../support/contract-image.ts";
import { FIXTURE_NEEDS } from "../support/fixture.ts";
import { BROKEN_IMAGES, type RealParts, realParts, writeBrokenImage } from "../support/inspect-matrix.ts";
import { mediumFiles } from "../support/medium-files.ts";
import { noise } from "../support/noise.ts";
import { writeOciLayout } from "../support/oci-layout.ts";
import { requires } from "../support/requires.ts";
import { type TarMember, tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { thinImage } from "../support/thin-image.ts";

const LOADERS = [
	...["boot/efi/EFI", "usr/lib/efi", "usr/lib/shim", "usr/lib/grub", "usr/share/grub"],
	...["usr/bin/grub-mkimage", "usr/bin/implantisomd5"],
];

describe.skipIf(requires(...FIXTURE_NEEDS))("an image without boot loaders", () => {
	const scratch = temporaryDirectory("buildroot");
	const [iso, other] = [join(scratch, "a.iso"), join(scratch, "b.iso")] as const;
	let layout: string;
	let whole: string;
	let bare: string;
	let parts: RealParts;

	beforeAll(async () => {
		layout = await thinImage();
		parts = await realParts(layout);
		whole = `oci:${layout}:latest`;
		const layer = () => LOADERS.map((path) => ({ path: path.replace(/([^/]+)$/, ".wh.$1"), content: Buffer.alloc(0) }));
		bare = (await writeBrokenImage({ name: "bare", layer }, layout, parts, scratch)).reference;
	});

	const options = (image: string, buildroot?: string, output = iso): BuildOptions => {
		return { image, buildroot, output, platform: "linux/amd64", comp: "lz4", overwrite: true };
	};

	it("becomes a live system with those of another, as inspect says and verify confirms", async () => {
		const { isBootable, bootPaths, buildroot } = await inspectImage(bare, {
			platform: "linux/amd64",
			buildroot: whole,
		});
		expect([isBootable, Object.values(bootPaths)]).toEqual([true, Array(3).fill("expected to boot")]);
		expect(buildroot).toMatchObject({ reference: whole, platform: "linux/amd64", read: { layersReadAgain: 0 } });
		const report = await buildIso(options(bare, whole));
		expect(report.buildroot).toMatchObject({ reference: whole, read: { layersReadAgain: 0 } });
		const files = new Map(report.buildroot?.files.map(({ path, from }) => [path, from]));
		expect(files.get("/EFI/BOOT/grubx64.efi")).toBe("/boot/efi/EFI/debian/gcdx64.efi");
		expect(files.get("/boot/grub2/i386-pc/linux.mod")).toBe("/usr/lib/grub/i386-pc/linux.mod");
		expect(files.has("/images/pxeboot/vmlinuz")).toBe(false);
		const { verdict } = await verifyAgainstImage(iso, { image: bare, buildroot: whole, platform: "linux/amd64" });
		expect(verdict).toBe("pass");
	});

	it("is made the same by its plan, and by the tools of the other", async () => {
		const report = await buildIso(options(bare, whole));
		const plan = await planBuild({ ...options(bare, whole), tools: "buildroot" });
		expect(plan.buildroot).toEqual({ reference: whole, manifestDigest: report.buildroot?.manifestDigest });
		const { tools } = await buildIso({ plan, output: other, allowUnconfinedTools: true });
		expect(tools).toMatchObject([{ used: "buildroot", path: "/usr/bin/grub-mkimage" }, { used: "buildroot" }]);
		expect(readFileSync(other).equals(readFileSync(iso))).toBe(true);
	});

	it("has the same bytes but ids and sums where the other image is itself", async () => {
		const [alone, own] = [await buildIso(options(whole)), await buildIso(options(whole, whole, other))];
		expect(own.iso?.byteLength).toBe(alone.iso?.byteLength);
		const [a, b] = [readFileSync(iso), readFileSync(other)];
		const sectors = new Set<number>();
		for (let at = 0; at < a.byteLength; at += 512)
			if (!a.subarray(at, at + 512).equals(b.subarray(at, at + 512))) sectors.add(at / 512);
		// two GPTs of a header and entries, the media checksum, the FAT's boot sector and its copy
		expect(sectors.size).toBeLessThanOrEqual(8);
		expect([...sectors].slice(0, 2)).toEqual([1, 2]);
	});

	it("gets no boot loaders that do not trust its kernel", async () => {
		const stranger = BROKEN_IMAGES.find(({ findings }) => findings?.includes("KERNEL_NOT_TRUSTED"));
		if (stranger === undefined) throw new Error("no such image");
		const { reference: buildroot } = await writeBrokenImage(stranger, layout, parts, scratch);
		const { findings, bootPaths } = await inspectImage(bare, { platform: "linux/amd64", buildroot });
		expect(findings.map(({ code }) => code)).toContain("KERNEL_NOT_TRUSTED");
		expect(bootPaths).toEqual({ bios: "expected to boot", uefi: "expected to boot", "secure-boot": "will not boot" });
		const refused = buildIso({ ...options(bare, buildroot), requireSecureBoot: true });
		await expect(refused).rejects.toMatchObject({ code: "IMAGE_WOULD_NOT_BOOT" });
	});

	it("says which image lacks what", async () => {
		const lacking = buildIso(options(whole, bare));
		await expect(lacking).rejects.toMatchObject({ code: "CONTRACT_NOT_MET", exitStatus: 3 });
		const problems = await lacking.catch(({ problems: list }) => list as { code: string; where: string }[]);
		expect(problems).toMatchObject([
			{ code: "VENDOR_MISSING" },
			{ code: "UNICODE_FONT_MISSING", where: `/usr/share/grub/unicode.pf2 in the buildroot ${bare}` },
			{ code: "GRUB_MODULES_MISSING", where: `/usr/lib/grub/i386-pc in the buildroot ${bare}` },
		]);
		const noKernel = BROKEN_IMAGES.find(({ name }) => name === "no kernel");
		if (noKernel === undefined) throw new Error("no such image");
		const { reference: image } = await writeBrokenImage(noKernel, layout, parts, scratch);
		const kernel = buildIso(options(image, whole));
		await expect(kernel).rejects.toMatchObject({ problems: [{ where: expect.not.stringContaining("buildroot") }] });
		const arm = join(scratch, "arm64");
		writeOciLayout(arm, { layers: [{ tar: tarArchive([]), compression: "none" }], config: { architecture: "arm64" } });
		const foreign = { code: "BUILDROOT_ARCHITECTURE", exitStatus: 3, where: `oci:${arm}` };
		await expect(buildIso(options(bare, `oci:${arm}`))).rejects.toMatchObject(foreign);
		await expect(inspectImage(bare, { platform: "linux/amd64", buildroot: `oci:${arm}` })).rejects.toMatchObject(
			foreign,
		);
		await expect(verifyAgainstImage(iso, { buildroot: whole })).rejects.toMatchObject({ where: "buildroot" });
	});
});

describe.skipIf(requires(HOST_GRUB))(
	"files of an image and of its buildroot with the same numbers of layer and entry",
	() => {
		const scratch = temporaryDirectory("buildroot-numbers");

		it("are told apart", async () => {
			const [system = Buffer.alloc(0), kernel = Buffer.alloc(0)] = contractLayers();
			const program = (name: string): TarMember => {
				return { type: "file", path: `boot/efi/EFI/test/${name}x64.efi`, content: noise(60_000, name) };
			};
			const [image = "", buildroot = ""] = [kernel, tarArchive(["shim", "mm", "gcd"].map(program))].map((top, i) => {
				const directory = join(scratch, String(i));
				mkdirSync(directory);
				return writeOciLayout(directory, { layers: [system, top].map((tar) => ({ tar, compression: "none" })) })
					.reference;
			});
			const output = join(scratch, "live.iso");
			await buildIso({ image, buildroot, output, comp: "lz4", force: true });
			const files = await mediumFiles(output);
			const sha256 = (content: Buffer): string => createHash("sha256").update(content).digest("hex");
			expect(files.get("images/pxeboot/vmlinuz")?.sha256).toBe(sha256(noise(60_000, "kernel")));
			expect(files.get("EFI/BOOT/BOOTX64.EFI")?.sha256).toBe(sha256(noise(60_000, "shim")));
			const { checks } = await verifyAgainstImage(output, { image, buildroot });
			expect(checks.find(({ name }) => name === "medium")).toMatchObject({ status: "pass" });
		});
	},
);

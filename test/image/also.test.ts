import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { ISO_BLOCK_BYTES } from "../../src/binary/units.ts";
import type { AlsoReport } from "../../src/build/report.ts";
import { type BuildReport, buildIso, inspectImage, planBuild, verifyAgainstImage } from "../../src/index.ts";
import { ROOT_FS_BLOCK } from "../../src/medium/iso-layout.ts";
import { contractLayers, HOST_GRUB } from "../support/contract-image.ts";
import { writeContractLayout } from "../support/contract-layout.ts";
import { FIXTURE_NEEDS } from "../support/fixture.ts";
import { withExtraLayer } from "../support/large-layout.ts";
import { mediumFiles } from "../support/medium-files.ts";
import { noise } from "../support/noise.ts";
import { writeOciLayout } from "../support/oci-layout.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { type TarMember, tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { thinImage } from "../support/thin-image.ts";

const platform = "linux/amd64";
const OWN_YAML = `label: KDE
kernel_args: [root=live:CDLABEL=KDE, rd.live.image, rd.live.overlay.overlayfs=1]
grub2:
  entries:
    - name: Plasma
      linux: /images/pxeboot/vmlinuz $root
      initrd: /images/pxeboot/initrd.img
    - name: Plasma, by hand
      linux: /images/pxeboot/vmlinuz root=live:CDLABEL=KDE rd.live.image rd.live.overlay.overlayfs=1 a=CDLABEL=KDE2
      initrd: /images/pxeboot/initrd.img
`;

describe.skipIf(requires(...FIXTURE_NEEDS, "xorriso", "bsdtar", "7z", "grub-fstest", "checkisomd5", "unsquashfs"))(
	"an ISO with several systems",
	() => {
		const work = temporaryDirectory("also");
		const noKernel = temporaryDirectory("also-no-kernel");
		const iso = join(work, "all.iso");
		const options = { platform, comp: "zstd", level: 1 } as const;
		let image = "";
		let also: { name: string; image: string }[] = [];
		let alone: BuildReport;
		let report: BuildReport;

		const layered = (name: string, members: TarMember[]): Promise<string> =>
			thinImage().then((base) => withExtraLayer(base, join(work, name), (append) => append(tarArchive(members))));

		const withoutKernel = (): string =>
			writeOciLayout(noKernel, {
				layers: [
					{ tar: tarArchive([{ path: "etc/os-release", content: Buffer.from("ID=x\n") }]), compression: "none" },
				],
			}).reference;

		beforeAll(async () => {
			const base = await thinImage();
			const single = join(work, "single.iso");
			// Hides a file of the base, which the others have.
			image = await layered("first", [{ path: "etc/hostname", content: Buffer.from("first\n") }]);
			alone = await buildIso({ ...options, image, output: single });
			const initramfs = join(work, "initrd.img");
			await run("xorriso", ["-osirrox", "on", "-indev", single, "-extract", "/images/pxeboot/initrd.img", initramfs]);
			const { kernel } = await inspectImage(`oci:${base}:latest`, { platform });
			const kde = await layered("kde", [
				{ path: "usr/lib/bootc-image-builder/iso.yaml", content: Buffer.from(OWN_YAML) },
				{
					path: `usr/lib/modules/${kernel?.version}/initramfs.img`,
					content: Buffer.concat([readFileSync(initramfs), Buffer.alloc(512)]),
				},
				{ path: "srv/kde", content: noise(700_000, 1) },
			]);
			also = [
				{ name: "kde", image: kde },
				{ name: "plain.1", image: `oci:${base}:latest` },
			];
			report = await buildIso({ ...options, image, also, output: iso });
		});

		/** The other initramfs is on the medium and in its root file system. */
		it("costs what differs, and every layer is read once without a cache", () => {
			const own = noise(700_000, 1).byteLength + 2 * ISO_BLOCK_BYTES;
			const initramfsBytes = readFileSync(join(work, "initrd.img")).byteLength;
			expect((report.iso?.byteLength ?? Number.NaN) - (alone.iso?.byteLength ?? 0)).toBeLessThan(
				own + 2 * initramfsBytes + 500_000,
			);
			const layers = [report.layers, ...(report.also ?? []).map((each) => each.layers)].flat();
			expect(new Set(layers.map(({ timesRead }) => timesRead))).toEqual(new Set([1]));
			expect(report.also?.map(({ name, path, menuEntries }: AlsoReport) => [name, path, menuEntries.length])).toEqual([
				["kde", "/LiveOS/kde.img", 2],
				["plain.1", "/LiveOS/plain.1.img", 2],
			]);
		});

		it("is read alike by xorriso, bsdtar, 7z and GRUB, its checksum holds, and each file is a squashfs", async () => {
			const written = await mediumFiles(iso);
			const names = ["LiveOS/squashfs.img", "LiveOS/kde.img", "LiveOS/plain.1.img"];
			await run("bsdtar", ["-xf", iso, "-C", work, ...names]);
			await run("7z", ["x", "-y", `-o${join(work, "by-7z")}`, iso, ...names]);
			for (const name of names) {
				const path = join(work, name);
				await run("cmp", [path, join(work, "by-7z", name)]);
				await run("grub-fstest", [iso, "cmp", `/${name}`, path]);
				expect((await run("sha256sum", [path])).slice(0, 64)).toBe(written.get(name)?.sha256);
				const list = await run("unsquashfs", ["-d", "", "-lls", path, "etc/hostname", "srv/kde"]);
				expect(list.includes("/srv/kde")).toBe(name === "LiveOS/kde.img");
				const hostname = join(work, `${name}-files`);
				await run("unsquashfs", ["-n", "-d", hostname, path, "etc/hostname"]);
				expect(readFileSync(join(hostname, "etc/hostname"), "utf8").trim()).toBe(
					name === "LiveOS/squashfs.img" ? "first" : "oci2iso",
				);
			}
			await run("checkisomd5", [iso]);
			expect(written.get("images/pxeboot/plain.1/initrd.img")).toEqual(written.get("images/pxeboot/initrd.img"));
			expect(written.get("images/pxeboot/kde/initrd.img")).not.toEqual(written.get("images/pxeboot/initrd.img"));
		});

		it("has a submenu for each, of its own entries, which find the medium by the one label and their own root", async () => {
			const menu = join(work, "menu.cfg");
			await run("xorriso", ["-osirrox", "on", "-indev", iso, "-extract", "/EFI/BOOT/grub.cfg", menu]);
			const text = readFileSync(menu, "utf8");
			expect(text.match(/^submenu .*/gm)).toEqual([
				"submenu 'Debian GNU/Linux (kde)' {",
				"submenu 'Debian GNU/Linux (plain.1)' {",
			]);
			const lines = (text.match(/^\tlinux .*/gm) ?? []).filter((line) => line.includes("/kde/"));
			const live = "root=live:CDLABEL=Oci2iso-Live rd.live.image rd.live.overlay.overlayfs=1";
			expect(lines).toEqual([
				`\tlinux /images/pxeboot/kde/vmlinuz ${live} rd.live.squashimg=kde.img`,
				`\tlinux /images/pxeboot/kde/vmlinuz ${live} a=CDLABEL=KDE2 rd.live.squashimg=kde.img`,
			]);
			expect(report.iso?.volumeIdentifier).toBe("Oci2iso-Live");
			expect(Object.values(report.checks.bootPaths)).toEqual(Array(3).fill("expected to boot"));
			expect(report.checks.findings.filter(({ what }) => what.startsWith("system kde"))).toEqual([]);
		});

		it("has the same bytes whatever threads and cache, and from its plan", async () => {
			const cache = join(work, "cache");
			const wanted = await readFile(iso);
			const other = join(work, "other.iso");
			const plan = await planBuild({ ...options, image, also });
			for (const how of [
				{ jobs: 1, cache },
				{ jobs: 2, cache },
				{ jobs: 2, cache, overwrite: true },
			]) {
				await buildIso({ plan, output: other, overwrite: true, ...how });
				expect((await readFile(other)).equals(wanted)).toBe(true);
			}
			expect(report.plan).toEqual(plan);
		});

		it("is verified system by system", async () => {
			expect(await verifyAgainstImage(iso, { image, also, platform })).toMatchObject({ verdict: "pass", faults: 0 });
			const swapped = also.map(({ name }, i) => ({ name, image: also[1 - i]?.image ?? "" }));
			const faultsOf = async (given: typeof also | undefined, source = iso) =>
				(await verifyAgainstImage(source, { image, also: given, platform })).checks
					.filter(({ status }) => status === "fail")
					.map(({ name, findings }) => [name, findings.find(({ severity }) => severity === "fault")?.what]);
			expect(await faultsOf(swapped)).toEqual([
				["fidelity", expect.stringMatching(/^LiveOS\/kde\.img: /)],
				["medium", expect.anything()],
			]);
			expect(await faultsOf(undefined)).toEqual([["medium", "no image is given that it could be made of"]]);
			// A byte of a superblock that no other system has.
			const damaged = await readFile(iso);
			damaged.writeUInt8(
				damaged.readUInt8(ROOT_FS_BLOCK * ISO_BLOCK_BYTES + 4096 + 8) ^ 1,
				ROOT_FS_BLOCK * ISO_BLOCK_BYTES + 4096 + 8,
			);
			writeFileSync(join(work, "damaged.iso"), damaged);
			expect((await faultsOf(also, join(work, "damaged.iso"))).map(([name]) => name)).toEqual([
				"media-checksum",
				"medium",
			]);
		});

		it.each<[string, object, string]>([
			["a name of the medium's own", { also: [{ name: "squashfs", image: "oci:x" }] }, "INVALID_OPTION"],
			["two of one name", { also: Array(2).fill({ name: "a", image: "oci:x" }) }, "INVALID_OPTION"],
			["what is no name", { also: [{ name: "../a", image: "oci:x" }] }, "INVALID_OPTION"],
			["an image that is not there", { also: [{ name: "a", image: "oci:/nowhere" }] }, "IMAGE_NOT_FOUND"],
			["an image without a kernel", { also: [{ name: "a", image: "no kernel" }] }, "CONTRACT_NOT_MET"],
		])("refuses %s", async (_, given: { also?: typeof also }, code) => {
			const named = given.also?.map((each) =>
				each.image === "no kernel" ? { ...each, image: withoutKernel() } : each,
			);
			const output = join(work, "refused.iso");
			await expect(buildIso({ ...options, image, also: named, output })).rejects.toMatchObject({ code });
		});
	},
);

describe.skipIf(requires(HOST_GRUB))("further systems of images that do not boot", () => {
	const work = temporaryDirectory("also-small");
	const options = { output: join(work, "all.iso"), comp: "zstd", level: 1, force: true, overwrite: true } as const;
	const file = (path: string, bytes: number): TarMember => ({ path, content: noise(bytes, path) });
	const written = (name: string, members: TarMember[]): string =>
		writeContractLayout(join(work, name), [tarArchive(members)]);

	it("pass verify with images to install and boot loaders of another image", async () => {
		const efi = ["shim", "mm", "gcd"].map((name) => file(`boot/efi/EFI/test/${name}x64.efi`, 50_000));
		const directory = join(work, "loaders");
		mkdirSync(directory);
		const { reference: buildroot } = writeOciLayout(directory, {
			layers: [...contractLayers().slice(0, 1), tarArchive(efi)].map((tar) => ({ tar, compression: "gzip" })),
			tag: "loaders",
		});
		const [image, other, third] = [written("one", []), written("two", [file("a", 90_000)]), written("three", [])];
		const also = [other, third, image].map((each, i) => ({ name: `${i}`, image: each }));
		const payload = [other, buildroot];
		for (const how of [{ payloadPlace: "root" }, { payloadPlace: "medium" }, { payloadFormat: "oci" }] as const) {
			const given = { image, also, buildroot, payload };
			await buildIso({ ...options, ...given, ...how });
			const { payloadFormat } = { payloadFormat: undefined, ...how };
			const { checks } = await verifyAgainstImage(options.output, { ...given, payloadFormat });
			const names = ["squashfs", "payload", "fidelity", "medium"];
			expect(checks.flatMap(({ name, status }) => (names.includes(name) ? [status] : []))).toEqual(
				Array(4).fill("pass"),
			);
		}
	});

	it("are not called as a further kernel of the first image", async () => {
		const image = written(
			"kernels",
			["vmlinuz", "initramfs.img"].map((name) => file(`usr/lib/modules/2.0/${name}`, 5000)),
		);
		const building = buildIso({ ...options, image, kernel: "all", also: [{ name: "2.0", image }] });
		await expect(building).rejects.toMatchObject({ exitStatus: 3, problems: [{ code: "ALSO_NAME_TAKEN" }] });
	});
});

import { describe, expect, it } from "vitest";
import type { FoundFile } from "../../../src/contract/contract.ts";
import { describeInspection } from "../../../src/inspect/describe.ts";
import { type Inspection, inspectTree } from "../../../src/inspect/inspect-image.ts";
import { rootFileSystemNamed } from "../../../src/rootfs/root-file-systems.ts";
import { newcArchive } from "../../support/inspect-cpio.ts";
import { liveImage, MODULES, RELEASE, text } from "../../support/live-image.ts";
import type { SmallRoot } from "../../support/small-root.ts";
import { ISO_YAML } from "../contract/contract-images.ts";

const inspect = (image: SmallRoot): Promise<Inspection> => inspectTree(image, { architecture: "amd64" });

/** Findings about the boot itself; what concerns boot loaders and tools is the same in all of these images. */
async function faultsOf(image: SmallRoot): Promise<string[]> {
	const { findings } = await inspect(image);
	return findings
		.filter(({ severity, code }) => severity !== "ok" && !/^(SHIM|GRUB|MOK|KERNEL_NO_EFI|C\w+_TOOL)/.test(code))
		.map(({ code }) => code);
}

const EROFS_SCRIPT = text("usr/sbin/dmsquash-live-root", "squashfs | erofs) SQUASHED=$livedev ;;", 0o100755);
const erofsModule = (imports: string) => text(`usr/lib/modules/${RELEASE}/kernel/fs/erofs/erofs.ko`, imports);
const fat = (path: string) => text(`usr/lib/modules/${RELEASE}/kernel/fs/${path}.ko`, "");

const DEBIAN_KERNEL =
	'CONFIG_SECURITY_SELINUX=y\nCONFIG_SECURITY_APPARMOR=y\nCONFIG_LSM="landlock,lockdown,apparmor,selinux,tomoyo,bpf"\n';
const lineOf = (args: string) => ({ config: DEBIAN_KERNEL, linux: `/images/pxeboot/vmlinuz ${args}` });

describe("inspecting a tree", () => {
	it("finds nothing wrong with the built-in menu and a current dracut", async () => {
		const inspection = await inspect(liveImage());
		expect(await faultsOf(liveImage())).toEqual([]);
		expect(inspection.bootPaths.bios).toBe("expected to boot");
		expect(inspection.kernel).toMatchObject({ release: RELEASE, architecture: "x86_64" });
	});

	it.each([
		[[], /^\/images\/pxeboot\/vmlinuz root=live:CDLABEL=\S+ rd\.live\.image /],
		[[text("scripts/live", "")], /^\/images\/pxeboot\/vmlinuz boot=live components quiet /],
		[
			[text("scripts/live", ""), text("usr/sbin/dmsquash-live-root", "", 0o100755)],
			/^\/images\/pxeboot\/vmlinuz root=live:CDLABEL=\S+ /,
		],
	])("has a built-in entry for what is in the initramfs", async (members, linux) => {
		const image = liveImage().file(`${MODULES}/initramfs.img`, newcArchive([text("init", "", 0o100755), ...members]));
		expect((await inspect(image)).menu?.entries[0]?.linux).toMatch(linux);
	});

	it.each([
		[liveImage(), "ok", "the disk's file system: ext4"],
		[liveImage({ extra: [fat("fat/vfat")] }), "ok", "system: ext4"],
		[liveImage({ extra: ["fat/vfat", "nls/nls_cp437", "nls/nls_iso8859-1"].map(fat) }), "ok", "system: vfat, ext4"],
		[
			liveImage({ extra: [{ path: "usr/sbin/iso-scan", mode: 0o120777, content: Buffer.from("gone") }] }),
			"note",
			"no iso-scan",
		],
	])("says whether the ISO starts from a file on a disk", async (image, severity, evidence) => {
		const finding = (await inspect(image)).findings.find(({ code }) => code === "LOOP_BOOT");
		expect(finding).toMatchObject({ severity, evidence: expect.stringContaining(evidence), blocks: [] });
	});

	it.each([
		["enforcing", true, {}, "ok", "SELINUX"],
		["permissive", true, { config: "CONFIG_SECURITY_SELINUX=y\n" }, "ok", "SELINUX"],
		["enforcing", true, { linux: "/images/pxeboot/vmlinuz enforcing=0" }, "note", "SELINUX_OFF_IN_MENU"],
		["enforcing", true, { config: "# CONFIG_SECURITY_SELINUX is not set\n" }, "warning", "SELINUX_KERNEL"],
		["enforcing", false, { config: "# CONFIG_SECURITY_SELINUX is not set\n" }, undefined, undefined],
		["enforcing", true, { config: DEBIAN_KERNEL }, "warning", "SELINUX_NOT_STARTED"],
		["enforcing", false, { config: DEBIAN_KERNEL }, undefined, undefined],
		["enforcing", true, lineOf("security=selinux"), "ok", "SELINUX"],
		["enforcing", false, lineOf("security=selinux"), "blocker", "SELINUX_NOT_COMPILED"],
		["enforcing", false, lineOf("security=selinux enforcing=0"), undefined, undefined],
		["enforcing", true, lineOf("security=selinux lsm=yama,apparmor"), "warning", "SELINUX_NOT_STARTED"],
		["enforcing", true, lineOf("security=apparmor lsm=yama,selinux,apparmor"), "ok", "SELINUX"],
		["enforcing", true, lineOf("apparmor=0"), "ok", "SELINUX"],
		["enforcing", true, lineOf("security=none"), "warning", "SELINUX_NOT_STARTED"],
		["enforcing", false, {}, "warning", "SELINUX_UNLABELLED"],
		["permissive", false, {}, undefined, undefined],
		["disabled", true, {}, undefined, undefined],
	])("says what SELinux will do: %s, policy %s", async (mode, hasPolicy, setup, severity, code) => {
		const image = liveImage({ linux: "/images/pxeboot/vmlinuz quiet", ...setup }).file(
			"/etc/selinux/config",
			`SELINUX=${mode}\nSELINUXTYPE=x\n`,
		);
		if (hasPolicy)
			image
				.file("/etc/selinux/x/contexts/files/file_contexts", "/.* all\n")
				.file("/etc/selinux/x/policy/policy.33", "");
		const found = (await inspect(image)).findings.find((each) => each.code.startsWith("SELINUX"));
		expect([found?.severity, found?.code]).toEqual([severity, code]);
	});

	it("takes labels from layers that have some, as a build does, and looks for the policy that the kernel loads", async () => {
		const image = (): SmallRoot =>
			liveImage({ linux: "/images/pxeboot/vmlinuz quiet" })
				.file("/etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=x\n")
				.file("/etc/selinux/x/contexts/files/file_contexts", "/.* all\n");
		const first = async (root: SmallRoot): Promise<string | undefined> =>
			(await inspect(root)).findings.find(({ code }) => code.startsWith("SELINUX"))?.code;
		expect(await first(image())).toBe("SELINUX_NOT_COMPILED");
		expect(await first(image().file("/etc/selinux/x/policy/policy.kern", ""))).toBe("SELINUX_NOT_COMPILED");
		const compiled = image().file("/etc/selinux/x/policy/policy.33", "");
		expect(await first(compiled)).toBe("SELINUX");
		const one = compiled.lookup("/etc/selinux/config")?.inode;
		if (one !== undefined) one.xattrs = new Map([["security.selinux", Buffer.from("u:r:t:s0\0")]]);
		expect(await first(compiled)).toBe("SELINUX_UNLABELLED");
	});

	it("mends a menu whose kernel starts another security module", async () => {
		const image = liveImage(lineOf("lsm=apparmor,selinux")).file("/etc/selinux/config", "SELINUX=enforcing\n");
		image.file("/etc/selinux/targeted/contexts/files/file_contexts", "/.* all\n");
		const found = (await inspect(image)).findings.find(({ code }) => code === "SELINUX_NOT_STARTED");
		expect(found?.what).toContain("AppArmor");
		expect(found?.containerfile?.debian).toMatch(/"linux":"[^"]* security=selinux"/);
		expect(found?.containerfile?.debian).not.toContain("lsm=");
	});

	it.each([
		["SELINUX=enforcing\n", "quiet", false, ["SELINUX_LOAD_POLICY"]],
		["", "quiet", false, ["SELINUX_LOAD_POLICY"]],
		["SELINUX=enforcing\n", "quiet", true, []],
		["SELINUX=permissive\n", "quiet", false, []],
		["SELINUX=enforcing\n", "enforcing=0", false, []],
		["", "selinux=0", false, []],
	])("knows dracut's module that loads the policy: %j, %s, load_policy %s", async (config, args, isThere, wanted) => {
		const extra = [text("usr/lib/dracut/hooks/pre-pivot/50-selinux-loadpolicy.sh", "", 0o100755)];
		const image = liveImage({ extra, linux: `/images/pxeboot/vmlinuz ${args}` });
		if (config !== "") image.file("/etc/selinux/config", config);
		if (isThere) image.file("/usr/sbin/load_policy", "");
		const { findings } = await inspect(image);
		expect(
			findings.flatMap(({ code, severity }) => (severity === "blocker" && code.startsWith("SELINUX") ? [code] : [])),
		).toEqual(wanted);
	});

	it("says who has to load the policy where there is no systemd", async () => {
		const withPolicy = (image: SmallRoot): SmallRoot =>
			image
				.file("/etc/selinux/config", "SELINUX=enforcing\n")
				.file("/etc/selinux/targeted/contexts/files/file_contexts", "/.* all\n")
				.file("/etc/selinux/targeted/policy/policy.31", "")
				.file("/usr/sbin/load_policy", "");
		const codes = async (image: SmallRoot): Promise<string[]> =>
			(await inspect(withPolicy(image))).findings.map(({ code }) => code).filter((code) => code.startsWith("SELINUX"));
		const linux = "/images/pxeboot/vmlinuz quiet";
		const hook = [text("var/lib/dracut/hooks/pre-pivot/50-selinux-loadpolicy.sh", "", 0o100755)];
		expect(await codes(liveImage({ linux }))).toEqual(["SELINUX", "SELINUX_POLICY_LOADER"]);
		expect(await codes(liveImage({ linux, extra: hook }))).toEqual(["SELINUX"]);
		expect(await codes(liveImage({ linux }).file("/usr/lib/systemd/systemd", ""))).toEqual(["SELINUX"]);
	});

	it.each([
		["policy", false, "blocker", "SELINUX_POLICY_MISSING"],
		["policy", true, "ok", "SELINUX"],
		["image", true, "warning", "SELINUX_UNLABELLED"],
		["off", true, "warning", "SELINUX_UNLABELLED"],
	] as const)(
		"takes labels from where they are asked for: --selinux %s",
		async (selinux, hasPolicy, severity, code) => {
			const image = liveImage({ linux: "/images/pxeboot/vmlinuz quiet" });
			image.file("/etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=x\n");
			if (hasPolicy)
				image
					.file("/etc/selinux/x/contexts/files/file_contexts", "/.* all\n")
					.file("/etc/selinux/x/policy/policy.33", "");
			const { findings } = await inspectTree(image, { architecture: "amd64", selinux });
			const found = findings.find((each) => each.code.startsWith("SELINUX"));
			expect([found?.severity, found?.code]).toEqual([severity, code]);
		},
	);

	it("mends a menu that does not start the initramfs's live-boot", async () => {
		const linux = "/images/pxeboot/vmlinuz root=live:CDLABEL=x rd.live.image mine=1";
		const image = liveImage({ linux }).file(
			`${MODULES}/initramfs.img`,
			newcArchive([text("init", "", 0o100755), text("scripts/live", "")]),
		);
		const { findings } = await inspect(image);
		const [fix] = findings.flatMap(({ code, containerfile }) => (code === "MENU_ROOT_UNKNOWN" ? [containerfile] : []));
		expect(fix?.debian).toContain('"/images/pxeboot/vmlinuz mine=1 boot=live components"');
	});

	it("does not take a kernel that ends before its own header says so", async () => {
		const image = liveImage();
		const kernel = Buffer.from(
			await image.read((image.lookup(`${MODULES}/vmlinuz`) as never as FoundFile).inode, 1 << 20),
		);
		kernel.writeUInt32LE(4096 / 16, 0x1f4);
		expect(await faultsOf(image.file(`${MODULES}/vmlinuz`, kernel))).toEqual(["KERNEL_TRUNCATED"]);
	});

	it("takes drivers that are built in", async () => {
		const builtIn = ["fs/overlayfs/overlay", "drivers/block/loop", "fs/squashfs/squashfs"];
		const config = "CONFIG_SQUASHFS_ZSTD=y\n";
		expect(await faultsOf(liveImage({ builtIn, config }))).toEqual([]);
		expect(await faultsOf(liveImage({ builtIn }))).toEqual(["SQUASHFS_DECODER_UNKNOWN"]);
		expect(await faultsOf(liveImage({ builtIn, config: "# CONFIG_SQUASHFS_ZSTD is not set\n" }))).toEqual([
			"SQUASHFS_DECODER_MISSING",
		]);
	});

	it("asks for the decoder of the compressor that the build uses", async () => {
		const image = liveImage({ squashfs: "xz_dec_init\0" });
		expect(await faultsOf(image)).toEqual(["SQUASHFS_DECODER_MISSING"]);
		const { findings } = await inspectTree(image, { architecture: "amd64", codec: "xz" });
		expect(findings.find(({ code }) => code === "SQUASHFS_DECODER")).toMatchObject({ severity: "ok" });
	});

	it.each([
		[liveImage(), ["LIVE_MODULE_SQUASHFS_ONLY", "DRIVER_EROFS_MISSING"]],
		[liveImage({ extra: [EROFS_SCRIPT] }), ["DRIVER_EROFS_MISSING"]],
		[liveImage({ extra: [EROFS_SCRIPT, erofsModule("LZ4_decompress_safe\0")] }), ["EROFS_DECODER_MISSING"]],
		[liveImage({ extra: [EROFS_SCRIPT, erofsModule("zstd_init_dstream\0")] }), []],
		[
			liveImage().file(`${MODULES}/initramfs.img`, newcArchive([text("scripts/live", ""), text("init", "", 0o100755)])),
			["LIVE_BOOT_SQUASHFS_ONLY", "DRIVER_EROFS_MISSING"],
		],
	])("asks for what mounts an EROFS", async (image, codes) => {
		const { findings } = await inspectTree(image, { architecture: "amd64", format: rootFileSystemNamed("erofs") });
		const about = findings.filter(({ code, severity }) => severity === "blocker" && /EROFS|SQUASHFS/.test(code));
		expect(about.map(({ code }) => code)).toEqual(codes);
	});

	it("asks for the x86 filter where blocks of programs go through it", async () => {
		const config = "CONFIG_SQUASHFS_XZ=y\n# CONFIG_XZ_DEC_X86 is not set\n";
		const image = liveImage({ squashfs: "xz_dec_init\0", config });
		const { findings } = await inspectTree(image, { architecture: "amd64", codec: "xz" });
		expect(findings.find(({ code }) => code === "SQUASHFS_DECODER_MISSING")).toMatchObject({ severity: "blocker" });
	});

	it.each([
		["x86", "# CONFIG_XZ_DEC_X86 is not set", "SQUASHFS_DECODER_MISSING"],
		["x86", "CONFIG_XZ_DEC_X86=y", "SQUASHFS_DECODER"],
		["x86", undefined, "SQUASHFS_DECODER"],
		["none", "# CONFIG_XZ_DEC_X86 is not set", "SQUASHFS_DECODER"],
		["arm64", "CONFIG_XZ_DEC_ARM64=y", "SQUASHFS_DECODER"],
		["arm64", "# CONFIG_XZ_DEC_ARM64 is not set", "SQUASHFS_DECODER_MISSING"],
		["arm64", "CONFIG_XZ_DEC_X86=y", "SQUASHFS_DECODER_MISSING"],
		["arm64", undefined, "SQUASHFS_DECODER_UNKNOWN"],
	] as const)("asks for the filter %s of a kernel with %s", async (bcj, line, code) => {
		const image = liveImage({ squashfs: "xz_dec_init\0", ...(line === undefined ? {} : { config: `${line}\n` }) });
		const { findings } = await inspectTree(image, { architecture: "amd64", codec: "xz", bcj });
		expect(findings.filter((finding) => finding.code.startsWith("SQUASHFS_DECODER"))).toMatchObject([{ code }]);
	});

	it.each([
		["057", "root=live:CDLABEL=Live", []],
		["058", "root=live:CDLABEL=Live", ["OVERLAY_ARGUMENT_MISSING"]],
		["059-4", "root=live:CDLABEL=Live rd.live.overlay.overlayfs=0", ["OVERLAY_ARGUMENT_MISSING"]],
		["059-4", "root=live:CDLABEL=Live rd.live.overlay.overlayfs", []],
		["060", "root=live:CDLABEL=Live", []],
	])("knows what dracut %s needs of %s", async (dracut, args, codes) => {
		expect(await faultsOf(liveImage({ dracut, linux: `/images/pxeboot/vmlinuz ${args}` }))).toEqual(codes);
	});

	it("reports a kernel that cannot decompress the initramfs", async () => {
		const { gzipSync } = await import("node:zlib");
		const image = liveImage({ config: "CONFIG_SQUASHFS_ZSTD=y\n# CONFIG_RD_GZIP is not set\n" });
		image.file(`${MODULES}/initramfs.img`, gzipSync(newcArchive([text("init", "", 0o100755)])));
		expect(await faultsOf(image)).toEqual(["INITRAMFS_DECODER_MISSING"]);
	});

	it("reports every violation of the contract with the line that fixes it, and still checks the rest", async () => {
		const image = liveImage({ linux: "/images/pxeboot/vmlinuz root=live:CDLABEL=Wrong" });
		const boot = image.lookup("/boot")?.inode;
		if (boot?.type === "directory") boot.entries.delete("efi");
		const { contract, findings, bootPaths, isBootable } = await inspect(image);
		expect(contract.violations.map(({ code }) => code)).toEqual([
			"SHIM_MISSING",
			"MOK_MANAGER_MISSING",
			"GRUB_EFI_MISSING",
		]);
		for (const { containerfile } of contract.violations) expect(containerfile?.fedora).toContain("shim-x64");
		expect(findings.map(({ code }) => code)).toContain("MENU_LABEL");
		expect(Object.values(bootPaths)).toEqual(Array(3).fill("will not boot"));
		expect(isBootable).toBe(false);
	});

	it("says once what is wrong with many entries, and of many faults how many there are", async () => {
		const menu = (linux: (index: number) => string) =>
			JSON.stringify({
				label: "Live",
				grub2: {
					default: 7,
					entries: Array.from({ length: 1000 }, (_, index) => ({
						...{ name: `e${index}`, linux: `/images/pxeboot/vmlinuz ${linux(index)}` },
						initrd: "/images/pxeboot/initrd.img",
					})),
				},
			});
		const said = async (text: string) =>
			(await inspect(liveImage().file(ISO_YAML, text))).findings
				.filter(({ code }) => code.startsWith("MENU"))
				.map(({ severity, code, what }) => `${severity} ${code}: ${what}`);
		expect(await said(menu(() => "quiet"))).toEqual([
			'blocker MENU_NO_ROOT: each of 1000 menu entries ("e7", "e0", "e1" and 997 more) does not say where the root file system is',
		]);
		const many = await said(menu((index) => `root=live:CDLABEL=x${index}`));
		expect(many).toHaveLength(21);
		expect(many[0]).toContain('blocker MENU_LABEL: menu entry "e7" looks for');
		expect(many[20]).toBe("warning MENU_MORE_FAULTS: the menu has 980 more faults, in 980 entries");
	});

	it.each([
		["grub2:\n  default: saved\n", "ISO_YAML_INVALID"],
		["grub2: [\n", "ISO_YAML_SYNTAX"],
		["", "ISO_YAML_EMPTY"],
		[`grub2:\n  entries:\n    - name: x\n      linux: "$testentry"\n      initrd: /i\n`, "ENTRY_VARIABLE"],
		[`label: ${"x".repeat(33)}\n`, "LABEL_LENGTH"],
	])("says nothing of a menu that stands in for %j", async (isoYaml, code) => {
		const image = liveImage({ dracut: "058" }).file(ISO_YAML, isoYaml);
		expect(await faultsOf(image)).toEqual([]);
		const { contract, menu } = await inspect(image);
		expect([contract.violations.map((violation) => violation.code), menu]).toEqual([[code], undefined]);
	});

	it("prints one line for each thing, with the image's own distribution's fix", async () => {
		const inspection = await inspect(liveImage({ linux: "/images/pxeboot/vmlinuz quiet" }));
		const image = { reference: "oci:a\u001b[31m", manifestDigest: "sha256:0", platform: "linux/amd64" };
		const read = {
			...{ blobBytes: 1, totalBytes: 9, tarBytes: 2, keptBytes: 3 },
			...{ layersRead: 2, layers: 3, layersByToc: 1, layersReadAgain: 0, lastQuestion: "/LiveOS" },
		};
		const printed = describeInspection({ ...inspection, image, notes: [], read });
		expect(printed).toContain("BLOCKER MENU_NO_ROOT");
		expect(printed).toContain("RUN mkdir -p /usr/lib/bootc-image-builder && printf");
		expect(printed).toContain("dnf -y install");
		expect(printed).not.toContain("apt-get");
		expect(printed).toContain("\\x1b[31m");
		expect(printed).toMatch(/BIOS: will not boot\n/);
		expect(printed).toContain(
			"read 1 of 9 bytes of blobs: 2 of 3 layers, 1 of them by their tables of contents; what is at /LiveOS took the lowest of them\n",
		);
	});

	it.each([
		[{ id: "zorin", idLike: ["ubuntu", "debian"] }, "apt-get", "dnf"],
		[{ id: "openela", idLike: ["rhel", "fedora"] }, "dnf", "apt-get"],
		[{ id: "vendor", idLike: ["unheard-of", "fedora"] }, "dnf", "apt-get"],
		[{ id: "fedora", idLike: ["debian"] }, "dnf", "apt-get"],
	])("prints the fix for what %j is made from", async (os, own, other) => {
		const inspection = await inspect(liveImage({ linux: "/images/pxeboot/vmlinuz quiet" }));
		const osRelease = { ...inspection.osRelease, ...os };
		const image = { reference: "oci:a", manifestDigest: "sha256:0", platform: "linux/amd64" };
		const read = {
			...{ blobBytes: 1, totalBytes: 1, tarBytes: 1, keptBytes: 1 },
			...{ layersRead: 1, layers: 1, layersByToc: 0, layersReadAgain: 0 },
		};
		const printed = describeInspection({ ...inspection, osRelease, image, notes: [], read });
		expect(printed).toContain(own);
		expect(printed).not.toContain(other);
	});
});

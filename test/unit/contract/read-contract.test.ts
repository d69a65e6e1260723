import { describe, expect, test } from "vitest";
import { bootLoaderPackage } from "../../../src/contract/efi-packages.ts";
import { formatProblem } from "../../../src/errors.ts";
import { SmallRoot } from "../../support/small-root.ts";
import {
	arm64Image,
	codesOf,
	contractOf,
	debianImage,
	efiProgram,
	failureOf,
	fedoraImage,
	ISO_YAML,
	KINOITE_YAML,
	problemsOf,
	withGrub,
	withKernel,
	withVendor,
} from "./contract-images.ts";

const biosFiles = ({ grubModules }: Awaited<ReturnType<typeof contractOf>>) => grubModules?.files ?? [];

describe("an image that meets the contract", () => {
	test("gives all its parts, and no choice was needed", async () => {
		const contract = await contractOf(fedoraImage().file(ISO_YAML, KINOITE_YAML));
		expect(contract).toMatchObject({
			version: "0.1.0",
			machine: { name: "x86_64", ociArchitecture: "amd64" },
			label: "Kinoite-Live",
			vendor: "fedora",
			osRelease: { id: "fedora", idLike: [], name: "Fedora Linux", versionId: "43" },
			kernel: {
				version: "6.19.3-300.fc43.x86_64",
				vmlinuz: { path: "/usr/lib/modules/6.19.3-300.fc43.x86_64/vmlinuz" },
				initramfs: { path: "/usr/lib/modules/6.19.3-300.fc43.x86_64/initramfs.img" },
			},
			efi: {
				shim: { path: "/boot/efi/EFI/fedora/shimx64.efi" },
				mokManager: { path: "/boot/efi/EFI/fedora/mmx64.efi" },
				secondStage: { path: "/boot/efi/EFI/fedora/gcdx64.efi" },
			},
			unicodeFont: { path: "/usr/share/grub/unicode.pf2" },
			grubModules: { path: "/usr/lib/grub/i386-pc", bootHybrid: { path: "/usr/lib/grub/i386-pc/boot_hybrid.img" } },
			grub2: { timeoutSeconds: 10, defaultEntry: undefined, isBuiltIn: false },
		});
		expect(contract.grub2.entries).toHaveLength(1);
		expect(codesOf(contract)).toEqual([]);
	});

	test("without iso.yaml gets the reference's defaults, each reported", async () => {
		const contract = await contractOf(fedoraImage());
		const args = "root=live:CDLABEL=Fedora-S-dvd-x86_64-43 rd.live.image quiet rhgb enforcing=0";
		expect(contract.label).toBe("Fedora-S-dvd-x86_64-43");
		expect(contract.kernelArgs.join(" ")).toBe(args);
		expect(contract.grub2).toEqual({
			timeoutSeconds: 60,
			defaultEntry: undefined,
			isBuiltIn: true,
			entries: [
				{
					name: "Install Fedora Linux 43",
					linux: `/images/pxeboot/vmlinuz ${args}`,
					initrd: "/images/pxeboot/initrd.img",
				},
			],
		});
		expect(codesOf(contract)).toEqual([
			"ISO_YAML_MISSING",
			"LABEL_DEFAULT",
			"KERNEL_ARGS_DEFAULT",
			"TIMEOUT_DEFAULT",
			"MENU_DEFAULT",
		]);
	});

	test("may have links in all its paths, absolute and relative, and no merged /usr", async () => {
		const image = withGrub(withVendor(new SmallRoot(), "fedora"))
			.symlink("/usr/lib/modules", "/lib/modules")
			.file("/lib/modules/6.1/vmlinuz-real", "k")
			.symlink("/lib/modules/6.1/vmlinuz", "vmlinuz-real")
			.symlink("/lib/modules/6.1/initramfs.img", "/boot/initrd")
			.file("/boot/initrd", "i")
			.directory("/usr/lib/bootupd/updates/EFI/fedora");
		const contract = await contractOf(image);
		expect(contract.kernel.vmlinuz.path).toBe("/lib/modules/6.1/vmlinuz-real");
		expect(contract.kernel.initramfs.path).toBe("/boot/initrd");
		expect(codesOf(contract)).not.toContain("KERNEL_FALLBACK");
	});

	test("keeps kernels in /lib/modules where /usr/lib/modules is not there", async () => {
		const image = withGrub(withVendor(new SmallRoot(), "fedora"))
			.file("/lib/modules/6.1/vmlinuz", "k")
			.file("/lib/modules/6.1/initramfs.img", "i");
		expect((await contractOf(image)).kernel.vmlinuz.path).toBe("/lib/modules/6.1/vmlinuz");
	});
});

test("an image for arm64 needs nothing for a BIOS, and its own boot loaders", async () => {
	const contract = await contractOf(arm64Image(), { architecture: "arm64" });
	expect(contract).toMatchObject({
		machine: { name: "aarch64" },
		label: "Fedora-S-dvd-aarch64-43",
		vendor: "fedora",
	});
	expect(contract.grubModules).toBeUndefined();
	expect(codesOf(contract).filter((code) => code.startsWith("EFI_"))).toEqual([]);
	expect(await problemsOf(fedoraImage(), { architecture: "arm64" })).toEqual([
		"SHIM_MISSING /boot/efi/EFI/fedora/shimaa64.efi",
		"MOK_MANAGER_MISSING /boot/efi/EFI/fedora/mmaa64.efi",
		"GRUB_EFI_MISSING /boot/efi/EFI/fedora/gcdaa64.efi",
	]);
});

test("systemd-boot is taken where it is asked for, or is all there is, and must have room for what it starts", async () => {
	const programs = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";
	const image = fedoraImage().file(programs, efiProgram(false));
	expect(await contractOf(image)).toMatchObject({ bootLoader: "grub2" });
	const asked = await contractOf(image, { bootloader: "systemd-boot" });
	expect(asked).toMatchObject({
		bootLoader: "systemd-boot",
		vendor: "fedora",
		efi: { secondStage: { path: programs } },
	});
	expect([asked.grubModules, asked.unicodeFont]).toEqual([undefined, undefined]);
	expect(await problemsOf(fedoraImage(), { bootloader: "systemd-boot" })).toEqual([
		"SYSTEMD_BOOT_MISSING /boot/efi/EFI/fedora/systemd-bootx64.efi",
	]);
	const large = withKernel(image, "6.0").file("/usr/lib/modules/6.0/initramfs.img", Buffer.alloc(500 << 20));
	expect(await problemsOf(large, { bootloader: "systemd-boot", kernel: "6.0" })).toEqual([
		"EFI_IMAGE_TOO_LARGE EFI system partition",
	]);
	expect(await contractOf(large, { kernel: "6.0" })).toMatchObject({ bootLoader: "grub2" });
});

describe("violations", () => {
	test("of an empty image are reported all at once, with path and contract", async () => {
		const failure = await failureOf(new SmallRoot(), { architecture: "riscv64", label: "x".repeat(33) });
		expect(failure.code).toBe("CONTRACT_NOT_MET");
		expect(failure.exitStatus).toBe(3);
		expect(failure.problems.map(({ code }) => code)).toEqual([
			...["ARCHITECTURE_UNSUPPORTED", "LABEL_LENGTH", "KERNEL_MISSING"],
		]);
		const ofPc = await failureOf(new SmallRoot(), { label: "x".repeat(33) });
		expect(ofPc.problems.map(({ code }) => code)).toEqual([
			...["LABEL_LENGTH", "KERNEL_MISSING", "VENDOR_MISSING", "UNICODE_FONT_MISSING", "GRUB_MODULES_MISSING"],
		]);
		for (const problem of failure.problems) {
			expect(problem.where).toBeTruthy();
			expect(problem.expected).toBeTruthy();
			expect(formatProblem(problem)).not.toMatch(/undefined|object/);
		}
	});

	test("name every missing file of the chosen parts", async () => {
		const image = new SmallRoot()
			.file("/usr/lib/modules/6.1/vmlinuz", "k")
			.directory("/usr/lib/efi/shim/1/EFI/acme")
			.file("/boot/efi/EFI/acme/shimx64.efi", "")
			.symlink("/boot/efi/EFI/acme/mmx64.efi", "/nowhere")
			.directory("/usr/lib/grub/i386-pc")
			.file("/usr/lib/grub/i386-pc/boot_hybrid.img", "short");
		expect(await problemsOf(image)).toEqual([
			"INITRAMFS_MISSING /usr/lib/modules/6.1/initramfs.img",
			"SHIM_MISSING /boot/efi/EFI/acme/shimx64.efi",
			"MOK_MANAGER_MISSING /boot/efi/EFI/acme/mmx64.efi",
			"GRUB_EFI_MISSING /boot/efi/EFI/acme/gcdx64.efi",
			"UNICODE_FONT_MISSING /usr/share/grub/unicode.pf2",
			...["cdboot.img", "diskboot.img", "kernel.img", "lzma_decompress.img", "moddep.lst"].map(
				(name) => `GRUB_MODULE_MISSING /usr/lib/grub/i386-pc/${name}`,
			),
			...["biosdisk.mod", "part_gpt.mod", "iso9660.mod", "normal.mod"].map(
				(name) => `GRUB_MODULE_MISSING /usr/lib/grub/i386-pc/${name}`,
			),
			"BOOT_HYBRID_SIZE /usr/lib/grub/i386-pc/boot_hybrid.img",
		]);
		const whats = (await failureOf(image)).problems.map(({ what }) => what);
		expect(whats[1]).toContain("is empty");
		expect(whats[2]).toContain("leads nowhere");
		expect(whats[3]).toContain("is missing");
	});

	test("include a loop of links and a directory in a file's place", async () => {
		const image = fedoraImage();
		image.root.entries.delete("boot");
		image
			.symlink("/boot/efi/EFI/fedora/shimx64.efi", "shimx64.efi")
			.directory("/boot/efi/EFI/fedora/mmx64.efi")
			.file("/boot/efi/EFI/fedora/gcdx64.efi", efiProgram(true));
		const whats = (await failureOf(image)).problems.map(({ what }) => what);
		expect(whats).toEqual([
			expect.stringContaining("the shim is a symbolic link that leads nowhere in the image; gcdx64.efi is /boot/"),
			expect.stringContaining("the MOK manager is a directory, not a file"),
		]);
	});

	test("tell an iso.yaml that is a link to nothing from none", async () => {
		const choiceOf = async (image: SmallRoot) =>
			(await contractOf(image)).choices.find(({ code }) => code === "ISO_YAML_MISSING")?.what;
		expect(await choiceOf(fedoraImage())).toMatch(/^the image has no iso\.yaml: /);
		expect(await choiceOf(fedoraImage().symlink(ISO_YAML, "gone"))).toMatch(/^iso\.yaml is a symbolic link that leads/);
	});

	test("of iso.yaml do not hide those of the image", async () => {
		const image = new SmallRoot().file(ISO_YAML, "label: [1]\n");
		expect((await problemsOf(image))[0]).toBe(`ISO_YAML_INVALID ${ISO_YAML}:1:8`);
		expect(await problemsOf(image)).toContain("KERNEL_MISSING /usr/lib/modules/*/vmlinuz");
	});
});

describe("the kernel", () => {
	test("is the first in byte order that has a vmlinuz, and the choice is reported", async () => {
		const image = withKernel(withKernel(fedoraImage(), "6.2"), "6.10").directory("/usr/lib/modules/5.0");
		const contract = await contractOf(image);
		expect(contract.kernel.version).toBe("6.10");
		const choice = contract.choices.find(({ code }) => code === "KERNEL_CHOICE");
		expect(choice?.what).toContain("3 kernels found (6.10, 6.19.3-300.fc43.x86_64, 6.2), took 6.10");
		expect(choice?.remedy).toContain("--kernel");
	});

	test("is not looked for behind a link among the versions, unless it is asked for", async () => {
		const image = fedoraImage().symlink("/usr/lib/modules/1-current", "6.19.3-300.fc43.x86_64");
		expect((await contractOf(image)).kernel.version).toBe("6.19.3-300.fc43.x86_64");
		expect((await contractOf(image, { kernel: "1-current" })).kernel.version).toBe("1-current");
	});

	test("is behind the links where versions are nothing else", async () => {
		const image = withGrub(withVendor(new SmallRoot(), "fedora")).symlink("/usr/lib/modules/6.1", "/usr/kernel");
		image.file("/usr/kernel/vmlinuz", "k").file("/usr/kernel/initramfs.img", "i");
		expect((await contractOf(image)).kernel.version).toBe("6.1");
	});

	test.each<[string, (image: SmallRoot) => SmallRoot, string]>([
		["empty", (image) => image.file("/usr/lib/modules/6.2/vmlinuz", ""), "/usr/lib/modules/6.2/vmlinuz is empty"],
		[
			"a directory",
			(image) => image.directory("/usr/lib/modules/6.2/vmlinuz"),
			"/usr/lib/modules/6.2/vmlinuz is a directory, not a file",
		],
		[
			"a link to nothing",
			(image) => image.directory("/usr/lib/modules/6.2").symlink("/boot/vmlinuz-6.2", "gone"),
			"/boot/vmlinuz-6.2 is a symbolic link that leads nowhere in the image",
		],
	])("that is %s is said to be so", async (_, change, told) => {
		const image = change(withGrub(withVendor(new SmallRoot(), "fedora")).directory("/usr/lib/modules/6.1"));
		for (const kernel of [undefined, "6.2"]) {
			const [problem] = (await failureOf(image, { kernel })).problems;
			expect([problem?.code, problem?.what]).toEqual(["KERNEL_MISSING", expect.stringContaining(`6.1, 6.2; ${told}`)]);
		}
	});

	test.each([
		["6.2", "6.2 odd"],
		["6.2", "6.3."],
		["6.2", "vmlinuz"],
		["6.2", "VMLINUZ"],
		["6.2", "initrd.img"],
		["6.2", "dtb"],
		["6.1", "6.2-a", "6.2-A"],
		["6.1,2", "6.2"],
		["6.1", "6.2-\xff"],
		["6.1-\xff", "6.2"],
	])("%j, %j, … cannot be on one medium, which is said before anything is compressed", async (...versions) => {
		const image = versions.reduce(withKernel, withGrub(withVendor(new SmallRoot(), "fedora")));
		expect(await problemsOf(image, { kernel: "all" })).toEqual(["KERNEL_VERSION_ODD --kernel"]);
		const [first] = (await contractOf(image)).choices.filter(({ code }) => code === "KERNEL_CHOICE");
		expect(first?.what).toContain(`${versions.length} kernels found`);
	});

	test("can be chosen, and an unknown one is a violation that lists what there is", async () => {
		const image = withKernel(fedoraImage(), "6.2");
		const contract = await contractOf(image, { kernel: "6.2" });
		expect(contract.kernel.version).toBe("6.2");
		expect(codesOf(contract)).not.toContain("KERNEL_CHOICE");
		const failure = await failureOf(image, { kernel: "7" });
		expect(failure.problems[0]?.code).toBe("KERNEL_MISSING");
		expect(failure.problems[0]?.what).toContain("6.19.3-300.fc43.x86_64, 6.2");
		expect(await problemsOf(image, { kernel: "../modules/6.2" })).toEqual(["KERNEL_MISSING --kernel"]);
	});

	test("without an initramfs yields to one that has both", async () => {
		const contract = await contractOf(fedoraImage().file("/usr/lib/modules/1.0/vmlinuz", "k"));
		expect(contract.kernel.version).toBe("6.19.3-300.fc43.x86_64");
		expect(codesOf(contract)).toContain("KERNEL_CHOICE");
	});
});

describe("kernel and initramfs in other places", () => {
	const K = "/usr/lib/modules/6.1";
	test.each([
		["mkosi", [`${K}/vmlinuz`], `${K}/initrd`],
		["Fedora's packages", [`${K}/vmlinuz`], "/boot/initramfs-6.1.img"],
		["openSUSE", [`${K}/vmlinuz`], "/boot/initrd-6.1"],
		["elemental and Kairos", ["/boot/vmlinuz-6.1"], "/boot/initrd-6.1"],
		["Debian", ["/boot/vmlinuz-6.1"], "/boot/initrd.img-6.1"],
		[
			"Arch",
			[`${K}/vmlinuz`, "/boot/vmlinuz-linux", "/boot/initramfs-linux-fallback.img"],
			"/boot/initramfs-linux.img",
		],
		["Arch's other kernel", [`${K}/vmlinuz`, "/boot/vmlinuz-a", "/boot/vmlinuz-b"], "/boot/initramfs-linux-zen.img"],
		["Mageia", ["/boot/vmlinuz-6.1"], "/boot/initrd-6.1.img"],
		["Gentoo", ["/boot/kernel-6.1"], "/boot/initramfs-6.1.img"],
		["SUSE on other machines", [`${K}/Image`, "/boot/Image-6.1"], "/boot/initrd-6.1"],
		["no version at all", ["/boot/vmlinuz"], "/boot/initrd"],
		["no version and no compression", ["/boot/Image"], "/boot/initrd.gz"],
	])("are found as %s has them, and reported", async (_, kernels, initramfs) => {
		const image = withGrub(withVendor(new SmallRoot(), "fedora")).directory(K);
		image.file(`${K}/pkgbase`, "linux-zen\n");
		for (const path of [...kernels, initramfs]) image.file(path, "x");
		const contract = await contractOf(image);
		expect(contract.kernel.vmlinuz.path).toBe(kernels[0]);
		expect(contract.kernel.initramfs.path).toBe(initramfs);
		expect(codesOf(contract)).toContain("KERNEL_FALLBACK");
	});

	test("are taken by a name without version only where there is one kernel", async () => {
		const image = withGrub(withVendor(new SmallRoot(), "fedora"))
			.file(`${K}/vmlinuz`, "k")
			.file("/usr/lib/modules/6.2/modules.dep", "")
			.file("/boot/initrd", "i");
		expect(await problemsOf(image)).toEqual([`INITRAMFS_MISSING ${K}/initramfs.img`]);
	});

	test("are taken by a name that stands for one of several kernels", async () => {
		const image = withGrub(withVendor(new SmallRoot(), "fedora"));
		for (const flavour of ["lts", "virt"]) {
			image.directory(`/lib/modules/6.6.1-0-${flavour}`).file(`/boot/vmlinuz-${flavour}`, flavour);
			image.file(`/boot/initramfs-${flavour}`, `initramfs ${flavour}`);
		}
		const paths = async (kernel?: string): Promise<string[]> => {
			const { vmlinuz, initramfs } = (await contractOf(image, { kernel })).kernel;
			return [vmlinuz.path, initramfs.path];
		};
		expect(await paths()).toEqual(["/boot/vmlinuz-lts", "/boot/initramfs-lts"]);
		expect(await paths("6.6.1-0-virt")).toEqual(["/boot/vmlinuz-virt", "/boot/initramfs-virt"]);
		image.directory("/lib/modules/6.6.0-0-virt");
		expect(await problemsOf(image, { kernel: "6.6.1-0-virt" })).toEqual(["KERNEL_MISSING --kernel"]);
	});

	test("without a version are those of the kernel that a link or --kernel names", async () => {
		const image = withGrub(withVendor(new SmallRoot(), "fedora")).directory(`${K}/extra`);
		image.directory("/usr/lib/modules/6.2").file("/boot/vmlinuz", "k").file("/boot/initrd", "i");
		const [problem] = (await failureOf(image)).problems;
		expect(problem?.what).toContain("6.1, 6.2; /boot/vmlinuz does not say which");
		expect(problem?.remedy).toContain("--kernel VERSION");
		expect((await contractOf(image, { kernel: "6.2" })).kernel.initramfs.path).toBe("/boot/initrd");
		image.file("/boot/vmlinuz-6.2", "k").symlink("/boot/vmlinuz", "vmlinuz-6.2");
		expect((await contractOf(image)).kernel).toMatchObject({ version: "6.2", initramfs: { path: "/boot/initrd" } });
	});

	test("are looked for in /lib/modules where /usr/lib/modules has no kernel", async () => {
		const image = withGrub(withVendor(new SmallRoot(), "fedora")).directory("/usr/lib/modules/6.1/extra");
		image.file("/lib/modules/6.1/vmlinuz", "k").file("/lib/modules/6.1/initramfs.img", "i");
		expect((await contractOf(image)).kernel.vmlinuz.path).toBe("/lib/modules/6.1/vmlinuz");
	});

	test("yield to the contract's own", async () => {
		const image = fedoraImage().file("/usr/lib/modules/6.19.3-300.fc43.x86_64/initrd", "other");
		expect(codesOf(await contractOf(image))).not.toContain("KERNEL_FALLBACK");
	});
});

describe("EFI files in several places", () => {
	const place = (files: Readonly<Record<string, string>>): SmallRoot => {
		const image = withGrub(withKernel(new SmallRoot(), "6.1")).file("/etc/os-release", "ID=fedora\n");
		for (const [directory, names] of Object.entries(files))
			for (const name of names.split(" ")) image.file(`${directory}/${name}`, efiProgram(true));
		return image;
	};
	const SHIM = "/usr/lib/efi/shim/16.1-5/EFI/fedora";
	const GRUB = "/usr/lib/efi/grub2/1:2.12-60.fc44/EFI/fedora";
	const BOOT = "/boot/efi/EFI/fedora";

	test.each([
		["in the packages' directories", { [SHIM]: "shimx64.efi mmx64.efi", [GRUB]: "gcdx64.efi" }, [SHIM, SHIM, GRUB]],
		[
			"in the packages' and GRUB in /boot",
			{ [SHIM]: "shimx64.efi mmx64.efi", [BOOT]: "gcdx64.efi" },
			[SHIM, SHIM, BOOT],
		],
		["GRUB in its package's only", { [BOOT]: "shimx64.efi mmx64.efi", [GRUB]: "gcdx64.efi" }, [BOOT, BOOT, GRUB]],
		[
			"in bootupd's",
			{ "/usr/lib/bootupd/updates/EFI/fedora": "shimx64.efi mmx64.efi", [BOOT]: "gcdx64.efi" },
			["/usr/lib/bootupd/updates/EFI/fedora", "/usr/lib/bootupd/updates/EFI/fedora", BOOT],
		],
		[
			"in a deployment's",
			{ "/usr/lib/ostree-boot/efi/EFI/fedora": "shimx64.efi mmx64.efi gcdx64.efi" },
			Array(3).fill("/usr/lib/ostree-boot/efi/EFI/fedora"),
		],
		[
			"of the newest version",
			{
				[SHIM.replace("16.1-5", "9.8-3")]: "shimx64.efi mmx64.efi",
				[SHIM]: "shimx64.efi mmx64.efi",
				[GRUB]: "gcdx64.efi",
			},
			[SHIM, SHIM, GRUB],
		],
		[
			"of two vendors where none has all",
			{ [SHIM.replace("fedora", "almalinux")]: "shimx64.efi mmx64.efi", [GRUB]: "gcdx64.efi" },
			[SHIM.replace("fedora", "almalinux"), SHIM.replace("fedora", "almalinux"), GRUB],
		],
	])("are found %s, and reported", async (_, files, directories) => {
		const contract = await contractOf(place(files));
		const { shim, mokManager, secondStage } = contract.efi;
		expect([shim, mokManager, secondStage].map(({ path }) => path.slice(0, path.lastIndexOf("/")))).toEqual(
			directories,
		);
		const what = contract.choices.find(({ code }) => code === "EFI_FALLBACK")?.what;
		for (const { path } of [shim, mokManager, secondStage]) expect(what).toContain(path);
		const vendors = new Set(directories.map((directory) => directory.slice(directory.lastIndexOf("/") + 1)));
		const [vendor] = vendors;
		expect(what).toContain(
			vendors.size > 1 ? "no vendor has all three, these are used" : `those of ${vendor} are used`,
		);
	});

	test("may have names in upper case, as FAT gives them", async () => {
		const contract = await contractOf(place({ "/boot/efi/EFI/FEDORA": "SHIMX64.EFI MMX64.EFI GCDX64.EFI" }));
		expect(contract.efi.shim.path).toBe("/boot/efi/EFI/FEDORA/SHIMX64.EFI");
		expect(codesOf(contract).filter((code) => code === "EFI_NAME_CASE")).toHaveLength(3);
	});

	test("are missing one by one, with where the others are and the package to install", async () => {
		const image = place({ [SHIM]: "shimx64.efi mmx64.efi", [GRUB]: "grubx64.efi" });
		const { problems } = await failureOf(image);
		expect(problems.map(({ code }) => code)).toEqual(["GRUB_EFI_MISSING"]);
		expect(problems[0]?.what).toContain(`shimx64.efi is ${SHIM}/shimx64.efi`);
		expect(problems[0]?.what).toContain(`grubx64.efi in ${GRUB} is for installed systems`);
		expect(problems[0]?.remedy).toBe("install grub2-efi-x64-cdboot");
	});

	test.each([
		["ID=debian\n", "amd64", "install grub-efi-amd64-signed"],
		["ID=zorin\nID_LIKE=ubuntu\n", "amd64", "install grub-efi-amd64-signed"],
		["ID=opensuse-tumbleweed\n", "amd64", "install grub2-x86_64-efi"],
		["ID=centos\n", "arm64", "install grub2-efi-aa64-cdboot"],
		["ID=debian\n", "arm64", "install grub-efi-arm64-signed"],
		["", "amd64", "install Fedora's grub2-efi-x64-cdboot or Debian's grub-efi-amd64-signed"],
	])("of %j and %s come from its own package", async (release, architecture, remedy) => {
		const image = place({ [BOOT]: "shimx64.efi mmx64.efi" }).file("/etc/os-release", release);
		const { problems } = await failureOf(image, { architecture });
		expect(problems.find(({ code }) => code === "GRUB_EFI_MISSING")?.remedy).toBe(remedy);
	});

	test.each([
		["debian", "12", "systemd-boot-efi"],
		["debian", "13", "systemd-boot-efi-amd64-signed"],
		["debian", undefined, "systemd-boot-efi-amd64-signed"],
		["ubuntu", "26.04", "systemd-boot-efi"],
	])("systemd-boot of %s %s is in %s", (id, versionId, name) => {
		const osRelease = { id, idLike: [], name: undefined, versionId };
		expect(bootLoaderPackage("systemd-boot", osRelease, "amd64")).toBe(name);
	});

	test("cost no more than there is, whatever directories and links make of them", async () => {
		const image = place({ "/v/EFI/a": "x" });
		for (let i = 0; i < 3000; i++) image.directory(`/boot/efi/EFI/v${i}`).directory(`/usr/lib/efi/shim/${i}`);
		for (let i = 0; i < 3000; i++) image.symlink(`/usr/lib/efi/c${i}`, "/usr/lib/efi/shim").symlink(`/v/${i}`, "EFI");
		const started = process.cpuUsage();
		const { problems } = await failureOf(image);
		const { user, system } = process.cpuUsage(started);
		expect(problems.map(({ code }) => code)).toEqual(["SHIM_MISSING", "MOK_MANAGER_MISSING", "GRUB_EFI_MISSING"]);
		expect((user + system) / 1e6).toBeLessThan(5);
	});
});

describe("the EFI vendor", () => {
	test("comes from bootupd's directory before shim's, never BOOT, and not a file", async () => {
		const image = withVendor(fedoraImage(), "centos")
			.directory("/usr/lib/bootupd/updates/EFI/BOOT")
			.directory("/usr/lib/bootupd/updates/EFI/centos")
			.file("/usr/lib/bootupd/updates/EFI/a-file", "x");
		const contract = await contractOf(image);
		expect(contract.vendor).toBe("centos");
		expect(contract.choices.find(({ code }) => code === "VENDOR_CHOICE")?.what).toContain(
			"(centos, fedora), took centos",
		);
		expect((await contractOf(image, { vendor: "fedora" })).efi.shim.path).toBe("/boot/efi/EFI/fedora/shimx64.efi");
		expect(await problemsOf(image, { vendor: "acme" })).toHaveLength(3);
	});

	test("may be named by /boot/efi alone", async () => {
		const image = withGrub(withKernel(withVendor(new SmallRoot(), "acme"), "6.1")).directory("/boot/efi/EFI/Boot");
		expect((await contractOf(image)).vendor).toBe("acme");
	});

	test("files that are unsigned or no EFI programs are noted", async () => {
		const image = fedoraImage()
			.file("/boot/efi/EFI/fedora/shimx64.efi", efiProgram(false))
			.file("/boot/efi/EFI/fedora/mmx64.efi", "text");
		const codes = codesOf(await contractOf(image));
		expect(codes).toContain("EFI_BINARY_NOT_SIGNED");
		expect(codes).toContain("EFI_BINARY_NOT_PE");
	});

	test("the PE header may be far behind the start, or beyond the end", async () => {
		/** The program with its PE header, and what follows, further back. */
		const stretched = (program: Buffer, by: number): Buffer => {
			const bytes = Buffer.concat([program.subarray(0, 128), Buffer.alloc(by), program.subarray(128)]);
			bytes.writeUInt32LE(128 + by, 60);
			return bytes;
		};
		const far = 3 * 1024 * 1024;
		const beyond = efiProgram(true);
		beyond.writeUInt32LE(0xffff_ffff, 60);
		for (const [program, code] of [
			[stretched(efiProgram(true), far), undefined],
			[stretched(efiProgram(false), far), "EFI_BINARY_NOT_SIGNED"],
			[beyond, "EFI_BINARY_NOT_PE"],
		] as const) {
			const codes = codesOf(await contractOf(fedoraImage().file("/boot/efi/EFI/fedora/shimx64.efi", program)));
			expect(codes.filter((found) => found.startsWith("EFI_BINARY"))).toEqual(code === undefined ? [] : [code]);
		}
	});
});

describe("a Debian image made without the reference's stubs", () => {
	test("works: kernel from /boot, signed boot loaders from the packages, no VERSION_ID", async () => {
		const contract = await contractOf(debianImage());
		expect(contract.kernel).toMatchObject({
			version: "6.12.9-amd64",
			vmlinuz: { path: "/boot/vmlinuz-6.12.9-amd64" },
			initramfs: { path: "/boot/initrd.img-6.12.9-amd64" },
		});
		expect(contract.vendor).toBe("debian");
		expect(contract.efi.shim.path).toBe("/usr/lib/shim/shimx64.efi.signed");
		expect(contract.efi.mokManager.path).toBe("/usr/lib/shim/mmx64.efi.signed");
		expect(contract.efi.secondStage.path).toBe("/usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed");
		expect(contract.label).toBe("Container-Installer-x86_64");
		expect(contract.grub2.entries[0]?.name).toBe("Install Debian GNU/Linux");
		expect(codesOf(contract)).toEqual([
			"OS_RELEASE_VALUE_MISSING",
			"ISO_YAML_MISSING",
			"LABEL_DEFAULT",
			"KERNEL_ARGS_DEFAULT",
			"TIMEOUT_DEFAULT",
			"MENU_DEFAULT",
			"KERNEL_FALLBACK",
			"KERNEL_FALLBACK",
			"EFI_FALLBACK",
		]);
	});

	test("falls back to the unsigned builds, saying that Secure Boot refuses them", async () => {
		const image = debianImage();
		for (const path of ["/usr/lib/shim/shimx64.efi.signed", "/usr/lib/shim/mmx64.efi.signed"]) image.file(path, "");
		const contract = await contractOf(image);
		expect(contract.efi.shim.path).toBe("/usr/lib/shim/shimx64.efi");
		expect(codesOf(contract).filter((code) => code === "EFI_BINARY_NOT_SIGNED")).toHaveLength(2);
	});

	test("finds Ubuntu's shim without the link of its alternatives", async () => {
		const image = debianImage().file("/usr/lib/shim/shimx64.efi.signed", "");
		image.file("/usr/lib/shim/shimx64.efi.signed.latest", efiProgram(true));
		expect((await contractOf(image)).efi.shim.path).toBe("/usr/lib/shim/shimx64.efi.signed.latest");
	});
});

describe("GRUB's files", () => {
	test("of the BIOS directory are listed with links followed, in byte order", async () => {
		const image = fedoraImage()
			.file("/usr/lib/grub/i386-pc/sub/b.mod", "b")
			.file("/opt/shared/c.mod", "c")
			.symlink("/usr/lib/grub/i386-pc/a-link.mod", "/opt/shared/c.mod")
			.symlink("/usr/lib/grub/i386-pc/zdir", "/opt/shared")
			.symlink("/usr/lib/grub/i386-pc/loop", ".")
			.symlink("/usr/lib/grub/i386-pc/dangling", "/nowhere");
		const contract = await contractOf(image);
		const paths = biosFiles(contract).map(({ relativePath }) => relativePath);
		expect(paths).toEqual([...paths].sort());
		expect(paths).toContain("sub/b.mod");
		expect(paths).toContain("zdir/c.mod");
		const link = biosFiles(contract).find(({ relativePath }) => relativePath === "a-link.mod");
		expect(link?.file.path).toBe("/opt/shared/c.mod");
		const skipped = contract.choices.filter(({ code }) => code === "GRUB_MODULE_SKIPPED");
		expect(skipped.map(({ where }) => where)).toContain("/usr/lib/grub/i386-pc/dangling");
	});

	test("are bounded however links lead through the directories", async () => {
		const selfLinks = fedoraImage();
		for (let i = 0; i < 200; i++) selfLinks.symlink(`/usr/lib/grub/i386-pc/s${i}`, i % 2 === 0 ? "." : "../i386-pc");
		const contract = await contractOf(selfLinks);
		const own = biosFiles(await contractOf(fedoraImage()));
		expect(biosFiles(contract).map(({ relativePath }) => relativePath)).toEqual(
			own.map(({ relativePath }) => relativePath),
		);
		expect(contract.choices.filter(({ code }) => code === "GRUB_MODULE_SKIPPED")).toHaveLength(20);

		const crossed = fedoraImage();
		for (let from = 0; from < 9; from++)
			for (let to = 0; to < 9; to++) crossed.symlink(`/usr/lib/grub/i386-pc/d${from}/l${to}`, `../d${to}`);
		const wide = fedoraImage();
		for (let i = 0; i < 10_001; i++) wide.symlink(`/usr/lib/grub/i386-pc/${i}`, "normal.mod");
		const large = fedoraImage().file("/usr/lib/grub/i386-pc/a.mod", Buffer.alloc(65 << 20));
		for (const image of [crossed, wide, large]) {
			const error = await contractOf(image).catch((thrown: unknown) => thrown);
			expect(error).toMatchObject({ problems: [{ code: "GRUB_MODULES_TOO_LARGE" }] });
		}
		// Contents are on the ISO once.
		const shared = fedoraImage().file("/opt/big", Buffer.alloc(33 << 20));
		for (let i = 0; i < 500; i++) shared.symlink(`/usr/lib/grub/i386-pc/big${i}`, "/opt/big");
		expect(biosFiles(await contractOf(shared)).length).toBe(own.length + 500);
	});

	test("of the BIOS directory are taken from the first place that has all of them", async () => {
		const image = fedoraImage();
		image.root.entries.delete("usr");
		withKernel(image, "6.1").directory("/usr/lib/grub/i386-pc/locale").file("/usr/share/grub2/unicode.pf2", "F");
		expect(await problemsOf(image)).toContain("GRUB_MODULE_MISSING /usr/lib/grub/i386-pc/boot_hybrid.img");
		const own = fedoraImage().lookup("/usr/lib/grub/i386-pc")?.inode;
		if (own?.type !== "directory") throw new Error("no directory");
		image.directory("/usr/share/grub2");
		const share = image.lookup("/usr/share/grub2")?.inode;
		if (share?.type === "directory") share.entries.set("i386-pc", own);
		const contract = await contractOf(image);
		expect(contract.grubModules?.path).toBe("/usr/share/grub2/i386-pc");
		expect(contract.choices.find(({ code }) => code === "GRUB_MODULES_FALLBACK")?.what).toContain("lacks files");
	});

	test("include the font from the other places distributions use", async () => {
		const image = fedoraImage().file("/usr/share/grub/unicode.pf2", "").file("/boot/grub2/fonts/unicode.pf2", "F");
		const contract = await contractOf(image);
		expect(contract.unicodeFont?.path).toBe("/boot/grub2/fonts/unicode.pf2");
		expect(codesOf(contract)).toContain("UNICODE_FONT_FALLBACK");
	});
});

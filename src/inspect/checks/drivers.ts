import { byteStringFromText } from "../../binary/byte-string.ts";
import { MiB } from "../../binary/units.ts";
import { expandFile } from "../../boot/initramfs/decompress.ts";
import { BRANCH_FILTER_SETTINGS } from "../../boot/linux/facts.ts";
import { ALL_PATHS } from "../../findings/finding.ts";
import type { Findings } from "../../findings/findings.ts";
import type { RootFileSystem } from "../../rootfs/root-file-system.ts";
import type { BootParts, InitramfsPart, KernelConfig } from "../boot-parts.ts";
import { LINES } from "../containerfile.ts";

/** Without each of these no live system starts. */
const requiredFor = ({ name }: RootFileSystem) => [
	{ code: name.toUpperCase(), driver: name, what: `the ${name} file system` },
	{ code: "OVERLAY", driver: "overlay", what: "the overlay file system" },
	{ code: "LOOP", driver: "loop", what: "loop devices" },
	{ code: "ISOFS", driver: "isofs", what: "the ISO9660 file system" },
];

const USB_HOSTS = ["xhci_pci", "ehci_pci", "ohci_pci", "uhci_hcd"];
const CD_HOSTS = ["ahci", "ata_piix", "ata_generic", "virtio_scsi", "nvme", "usb_storage", "mptspi", "hv_storvsc"];
const MAX_MODULE_BYTES = 16 * MiB;

/** The drivers between the medium and the root file system, in the initramfs or built into the kernel. */
export async function checkDrivers(parts: BootParts, findings: Findings): Promise<void> {
	const { initramfs } = parts;
	if (initramfs === undefined) return;
	const { drivers, release, releases } = initramfs;
	const required = requiredFor(parts.format);
	const missing = required.filter(({ driver }) => !drivers.has(driver));
	if (missing.length > 0 && !releases.includes(release) && releases.length > 0)
		return findings.block(
			"INITRAMFS_OTHER_KERNEL",
			`the initramfs has modules for ${releases.join(", ")}, not for the kernel, which is ${release}`,
			ALL_PATHS,
			{
				evidence: `${missing.map(({ driver }) => driver).join(", ")} not built into the kernel`,
				remedy: "build the initramfs for this kernel (dracut --kver)",
				containerfile: LINES.makeInitramfs,
			},
		);
	for (const { code, driver, what } of required) {
		const state = drivers.state(driver);
		if (state === "built-in") findings.ok(`DRIVER_${code}`, `${what} (${driver}) is built into the kernel`);
		else if (state === "module") findings.ok(`DRIVER_${code}`, `${what} (${driver})`, drivers.pathOf(driver));
		else
			findings.block(`DRIVER_${code}_MISSING`, `the initramfs cannot use ${what}`, ALL_PATHS, {
				evidence: evidenceOf(initramfs, driver),
				remedy: `put ${driver} into the initramfs`,
				containerfile: LINES.addDrivers([driver]),
			});
	}
	checkMedia(initramfs, findings);
	checkModuleIndex(initramfs, required, findings);
	if (drivers.has(parts.format.name)) await checkRootModule(initramfs, parts, findings);
}

function evidenceOf({ drivers, release }: InitramfsPart, driver: string): string {
	if (drivers.state(driver) === "missing-dependency")
		return `${driver} needs ${drivers.missingDependencies(driver).join(", ")}, not in the initramfs`;
	return `no ${driver}.ko in the initramfs's lib/modules/${release}, and not in modules.builtin`;
}

/** At least one kind of medium must be readable; each that is not is worth a word. */
function checkMedia(initramfs: InitramfsPart, findings: Findings): undefined {
	const { drivers } = initramfs;
	const lacking = (names: readonly string[]): string[] => names.filter((name) => !drivers.has(name));
	const cd = lacking(["sr_mod"]);
	if (!CD_HOSTS.some((name) => drivers.has(name))) cd.push(`one of ${CD_HOSTS.join("/")}`);
	const usb = lacking(["usb_storage", "sd_mod"]);
	if (!USB_HOSTS.some((name) => drivers.has(name))) usb.push(`one of ${USB_HOSTS.join("/")}`);
	if (cd.length > 0 && usb.length > 0)
		return findings.block("MEDIUM_DRIVERS_MISSING", "the initramfs reads neither CD drives nor USB disks", ALL_PATHS, {
			evidence: `CD: no ${cd.join(", ")}; USB: no ${usb.join(", ")}`,
			containerfile: LINES.addDrivers(["sr_mod", "ahci", "usb_storage", "sd_mod", "xhci_pci"]),
		});
	const report = (code: string, what: string, names: readonly string[], add: readonly string[]): undefined => {
		if (names.length === 0) findings.ok(`${code}_DRIVERS`, `${what} can be read`);
		else
			findings.warn(`${code}_DRIVERS_MISSING`, `the initramfs cannot read ${what}`, {
				evidence: `no ${names.join(", ")}`,
				containerfile: LINES.addDrivers(add),
			});
	};
	report("CD", "CD drives", cd, ["sr_mod", "ahci"]);
	report("USB", "USB disks", usb, ["usb_storage", "uas", "sd_mod", "xhci_pci"]);
	if (usb.length === 0 && !drivers.has("xhci_pci"))
		findings.warn("USB3_DRIVER_MISSING", "the initramfs has no xhci_pci: USB 3 ports cannot be read", {
			containerfile: LINES.addDrivers(["xhci_pci"]),
		});
}

/** modprobe finds nothing without the index that depmod makes. */
function checkModuleIndex(
	{ content, drivers, release }: InitramfsPart,
	required: ReturnType<typeof requiredFor>,
	findings: Findings,
): undefined {
	const isNeeded = required.some(({ driver }) => drivers.state(driver) === "module");
	const directory = `/lib/modules/${byteStringFromText(release)}`;
	const has = (name: string): boolean => content.lookup(`${directory}/${name}`) !== undefined;
	if (!isNeeded || has("modules.dep.bin") || has("modules.dep")) return;
	findings.block("MODULE_INDEX_MISSING", "the initramfs's modules have no index, so none can be loaded", ALL_PATHS, {
		evidence: `no modules.dep.bin in lib/modules/${release}`,
		remedy: "run depmod before the initramfs is made",
		containerfile: LINES.makeInitramfs,
	});
}

/** A configuration of a kernel that does not know a filter says nothing of it. */
function lacksFilter(filter: "x86" | "arm64", config: KernelConfig | undefined): boolean {
	const { setting, isOld } = BRANCH_FILTER_SETTINGS[filter];
	const value = config?.get(setting);
	return value === "n" || (!isOld && config !== undefined && value === undefined);
}

/** The module fits the kernel, and reads the compressor that the root file system will have. */
async function checkRootModule(
	initramfs: InitramfsPart,
	{ format, codec, filter, config }: BootParts,
	findings: Findings,
): Promise<void> {
	const { name: root, kernel } = format;
	const { drivers, content, release } = initramfs;
	const path = drivers.pathOf(root);
	const file = path === undefined ? undefined : content.content(`/lib/modules/${byteStringFromText(release)}/${path}`);
	const module = file === undefined || path === undefined ? undefined : await expandFile(path, file, MAX_MODULE_BYTES);
	const text = module?.toString("latin1");
	const magic = /vermagic=([^\0 ]+)/.exec(text ?? "")?.[1];
	if (magic !== undefined && magic !== release && !drivers.isBuiltIn(root))
		findings.block("MODULE_OTHER_KERNEL", `the initramfs's modules were made for another kernel, ${magic}`, ALL_PATHS, {
			evidence: `vermagic of ${path} in lib/modules/${release}`,
			containerfile: LINES.makeInitramfs,
		});
	checkRelease(format, release, findings);
	if (codec === "none") return;
	const { setting, symbols } = kernel.decoders[codec];
	const configured = config?.get(setting);
	const decoder = `${root.toUpperCase()}_DECODER`;
	const imported = drivers.isBuiltIn(root) ? undefined : text && symbols.some((name) => text.includes(`${name}\0`));
	const remedy = "build with another --comp, or use a kernel with this decoder";
	if (imported === false || (imported === undefined && configured !== undefined && configured !== "y"))
		findings.block(`${decoder}_MISSING`, `the kernel's ${root} does not read ${codec}`, ALL_PATHS, {
			evidence: imported === false ? `${root}.ko uses no ${symbols[0]}` : `${setting} is not set`,
			remedy,
		});
	else if (filter !== undefined && lacksFilter(filter, config))
		findings.block(`${decoder}_MISSING`, `the kernel does not read xz with the ${filter} filter`, ALL_PATHS, {
			evidence: `${BRANCH_FILTER_SETTINGS[filter].setting} is not set`,
			remedy: "build with --bcj none or another --comp, or use a kernel with this decoder",
		});
	else if (filter !== undefined && config === undefined && !BRANCH_FILTER_SETTINGS[filter].isOld)
		findings.warn(`${decoder}_UNKNOWN`, `whether the kernel reads xz with the ${filter} filter cannot be seen`, {
			evidence: "there is no kernel configuration",
			remedy,
		});
	else if (imported === true || configured === "y")
		findings.ok(decoder, `${root} reads ${codec}`, imported === true ? `${root}.ko` : `${setting}=y`);
	else
		findings.warn(`${decoder}_UNKNOWN`, `whether ${root} reads ${codec} cannot be seen`, {
			evidence: `neither ${root}.ko nor the kernel's configuration says`,
			remedy,
		});
}

/** Of a kernel that is older than what the images need, none is sure not to read them: distributions take drivers of later ones over. */
function checkRelease({ name, kernel: { since } }: RootFileSystem, release: string, findings: Findings): undefined {
	const [, major, minor] = /^(\d{1,4})\.(\d{1,4})/.exec(release) ?? [];
	if (since === undefined || major === undefined || minor === undefined) return;
	if (Number(major) > since.major || (Number(major) === since.major && Number(minor) >= since.minor)) return;
	findings.warn(`${name.toUpperCase()}_KERNEL_OLD`, `the kernel may be too old for this ${name}`, {
		evidence: `Linux ${major}.${minor}, and what the image needs came with ${since.major}.${since.minor}`,
		remedy: "build with --rootfs squashfs",
	});
}

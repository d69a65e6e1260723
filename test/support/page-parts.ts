import type { BuildDetails, BuildReport } from "../../src/build/report.ts";
import type { Finding } from "../../src/findings/finding.ts";
import type { ImageInspection } from "../../src/inspect/inspect.ts";
import type { DiskUsage, LayerUsage } from "../../src/layers/disk-usage.ts";

const MiB = 2 ** 20;
const blocker: Finding = {
	code: "MENU_LABEL",
	severity: "blocker",
	what: "an entry looks for another medium",
	evidence: "the label is L",
	where: "/iso.yaml",
	expected: "the label",
	remedy: "write $isolabel",
	blocks: ["bios", "uefi", "secure-boot"],
	containerfile: { fedora: "RUN dnf", debian: "RUN apt-get" },
};
const signer = { name: "a signer", issuer: "an issuer", isValid: true };
const program = {
	path: "/boot/efi/EFI/x/x.efi",
	byteLength: 9,
	signers: [signer, { ...signer, isValid: false }],
	components: [
		{ component: "sbat", generation: 1, vendor: "v", version: "1" },
		{ component: "grub", generation: 5, vendor: "v", version: "2" },
	],
};
const cost = { blobBytes: 1, totalBytes: 2, tarBytes: 3, keptBytes: 4, layersRead: 1, layers: 2 };
const image = { reference: "oci:live", manifestDigest: "sha256:aa", platform: "linux/amd64" };

/** An inspection with something in every field. */
export const INSPECTION: ImageInspection = {
	image,
	buildroot: { ...image, read: { ...cost, layersByToc: 0, layersReadAgain: 0 } },
	contract: { version: "0.1.0", isMet: false, violations: [blocker], choices: [{ ...blocker, severity: "note" }] },
	osRelease: { id: "x", idLike: [], name: "A system", versionId: "1" },
	label: "L",
	menu: {
		timeoutSeconds: 5,
		isBuiltIn: false,
		defaultEntry: undefined,
		entries: [{ name: "an entry", linux: "/vmlinuz root=live:CDLABEL=L", initrd: "/initrd.img" }],
	},
	kernel: { version: "6", path: "/vmlinuz", release: "6.1", architecture: "x86_64" },
	initramfs: { path: "/initramfs.img", byteLength: 7, segments: [{ compression: "zstd", entries: 3 }], modules: 2 },
	rootFileSystem: "squashfs",
	efi: { vendor: "x", bootLoader: "grub2", shim: program, grub: program, mokManager: program },
	grubModules: { path: "/usr/lib/grub/i386-pc", files: 3 },
	tools: [],
	findings: [blocker, { ...blocker, severity: "warning", code: "SBAT_OLD", blocks: ["secure-boot"] }],
	bootPaths: { bios: "will not boot", uefi: "will not boot", "secure-boot": "will not boot" },
	isBootable: false,
	notes: ["a note"],
	read: { ...cost, layersByToc: 0, layersReadAgain: 0 },
};

export const usageOf = (name: string, storedBytes: number, children: readonly DiskUsage[] = []): DiskUsage => ({
	name,
	storedBytes,
	contentBytes: 2 * storedBytes,
	files: 3,
	sharedBytes: 5,
	children,
});

/** Of a build with something in every field that a page shows. */
export const REPORT = {
	oci2isoVersion: "0.1.0",
	plan: { version: 1, label: "L" },
	image: { ...image, created: "2020" },
	buildroot: { ...image, files: [], read: cost },
	layers: [0, 1].map((index) => ({
		digest: `sha256:${index}abc`,
		diffId: "sha256:d",
		mediaType: "tar",
		compressedBytes: 5 * MiB,
		tarBytes: 9 * MiB,
		entries: 3,
		storedBytes: 8 * MiB,
		skippedBytes: 1,
		timesRead: 1,
		reusedBytes: MiB,
		recompressedBytes: 3 * MiB,
		downloadedBytes: 0,
	})),
	contract: {
		version: "0.1.0",
		label: "L",
		kernelVersion: "6.1",
		furtherKernelVersions: ["6.2"],
		efiVendor: "x",
		menuEntries: ["an entry"],
		timeoutSeconds: 5,
	},
	choices: [{ ...blocker, severity: "note" }],
	addedFiles: [{ iso: "/boot/grub/grub.cfg", why: "it is read there" }],
	checks: { bootPaths: INSPECTION.bootPaths, isForced: true, findings: INSPECTION.findings },
	squashfs: {
		format: "squashfs",
		codec: "zstd",
		level: 6,
		blockBytes: MiB,
		encoder: "zstd 1",
		byteLength: 9 * MiB,
		inodes: 9,
		fragments: 1,
		ids: 1,
		duplicateFiles: 1,
		duplicateBytes: 1,
		excludedPaths: 1,
		droppedXattrs: [],
	},
	tools: [{ task: "media-checksum", used: "host", path: "/usr/bin/x", reason: "because" }],
	iso: {
		path: "live.iso",
		byteLength: 16 * MiB,
		volumeIdentifier: "L",
		sourceDateEpochSeconds: 1,
		diskGuid: "g",
		mediaMd5: "m",
	},
	losses: ["a loss"],
	notices: ["a notice"],
	phases: [{ phase: "layers", milliseconds: 10 }],
	peakResidentBytes: 1,
} as unknown as BuildReport;

const layerUsage = (layer: number): LayerUsage => ({
	layer,
	...usageOf("/", 4 * MiB, [
		usageOf("usr", 3 * MiB, [usageOf("lib", 2 * MiB), usageOf("bin", MiB)]),
		usageOf("a file", MiB),
	]),
});

export interface Details extends Omit<BuildDetails, "diskUsage"> {
	readonly usage: readonly LayerUsage[];
}

export const DETAILS: Details = {
	passed: [{ ...blocker, severity: "ok", code: "SHIM_SIGNED", blocks: [] }],
	regions: [
		{ kind: "tables", what: "system area", start: 0, byteLength: 65_536 },
		{ kind: "rootfs", what: "/LiveOS/squashfs.img", start: 65_536, byteLength: 9 * MiB },
		{ kind: "boot", what: "/images/pxeboot/vmlinuz", start: 10 * MiB, byteLength: 4 * MiB },
		{ kind: "boot", what: "/EFI/x", start: 14 * MiB, byteLength: MiB },
		{ kind: "padding", what: "padding", start: 15 * MiB, byteLength: 1024 },
	],
	contentBytes: 8 * MiB + 1000,
	usage: [layerUsage(1), layerUsage(0)],
};

/** What the program itself decides, and no image. */
const WORDS = /^(severity|kind|blocks|bios|uefi|secure-boot|bootLoader|code)$/;

/** The same value with every text of an image changed. */
export function withTexts<Value>(value: Value, change: (text: string) => string, key = ""): Value {
	if (typeof value === "string") return (WORDS.test(key) ? value : change(value)) as Value;
	if (typeof value !== "object" || value === null) return value;
	if (Array.isArray(value)) return value.map((each) => withTexts(each, change, key)) as Value;
	const entries = Object.entries(value).map(([name, each]) => [name, withTexts(each, change, name)]);
	return Object.fromEntries(entries) as Value;
}

/** What would run, load or end something on a page that does not escape it, in every place where there is text. */
export const HOSTILE_TEXT = [
	`</title></style></script><script>window.pwned=1</script>`,
	`"><img src=x onerror="window.pwned=2"><svg onload=window.pwned=3>`,
	`' onmouseover='window.pwned=4' x='`,
	`--><!--]]></desc></text><foreignObject><iframe srcdoc="<script>parent.pwned=5</script>"></iframe></foreignObject>`,
	`<base href="http://127.0.0.1:9/"><link rel=stylesheet href=http://127.0.0.1:9/x><meta http-equiv=refresh content="0;url=http://127.0.0.1:9/">`,
	`&lt;script&gt;\u202e\u0000\u001b[31m\r\n\u2028\ud800`,
].join(" ");

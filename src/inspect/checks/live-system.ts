import { posix } from "node:path";
import { grubWords } from "../../boot/grub/menu-words.ts";
import { ISO_PATHS } from "../../boot/iso-paths.ts";
import { dracutFacts } from "../../boot/linux/facts.ts";
import { followRoot } from "../../boot/live-root/follow-root.ts";
import type { LiveMedium } from "../../boot/live-root/live-medium.ts";
import { type DmsquashLive, startsWithLiveBoot } from "../../boot/live-root/live-support.ts";
import { ALL_PATHS } from "../../findings/finding.ts";
import type { Findings } from "../../findings/findings.ts";
import type { RootFileSystem } from "../../rootfs/root-file-system.ts";
import { lookupQuietly } from "../../tree/lookup-quietly.ts";
import type { BootParts } from "../boot-parts.ts";
import { LINES } from "../containerfile.ts";

/** The medium that would be built: the names of its root file system, and the partition that begins with the volume. */
export function mediumOf({
	label,
	volumeUuid,
	hasLiveBoot,
	rootPath = ISO_PATHS.rootFs,
}: Pick<BootParts, "label" | "volumeUuid" | "hasLiveBoot" | "rootPath">): LiveMedium {
	const images = [rootPath, ...(hasLiveBoot ? [ISO_PATHS.liveBootSquashfs] : [])];
	return {
		label,
		uuid: volumeUuid,
		partitions: [{ name: "ISO9660" }],
		names(directory) {
			const names = images.filter((path) => posix.dirname(path) === directory).map((path) => posix.basename(path));
			return names.length === 0 ? undefined : names;
		},
	};
}

/** The initramfs has what the default entry asks for, and that finds the ISO's root file system. */
export function checkLiveSupport(parts: BootParts, defaultEntry: string, findings: Findings): undefined {
	const support = parts.initramfs?.support;
	if (support === undefined) return;
	const { request, problems } = followRoot(grubWords(defaultEntry), support, mediumOf(parts));
	if (support.dracut !== undefined) findings.ok("DRACUT", `made by dracut ${support.dracut}`);
	const { name } = parts.format;
	if (startsWithLiveBoot(support) && !support.casper) {
		if (name !== "squashfs")
			return findings.block("LIVE_BOOT_SQUASHFS_ONLY", `live-boot mounts no ${name}`, ALL_PATHS, {
				evidence: "of root file systems in files it knows squashfs, ext2 to ext4 and jffs2",
				remedy: "build with --rootfs squashfs, or make the initramfs with dracut and its dmsquash-live module",
			});
		findings.ok(
			"LIVE_MODULE",
			`the initramfs has live-boot, for which the ISO has its squashfs as /${ISO_PATHS.liveBootSquashfs} too`,
		);
		return checkLoopBoot(parts, findings);
	}
	if (support.dmsquashLive === undefined && support.casper) {
		return findings.block(
			"LIVE_MODULE_OTHER_LAYOUT",
			`the initramfs starts with casper, which looks for /casper/*.squashfs; the ISO has /${ISO_PATHS.rootFs}`,
			ALL_PATHS,
			{
				evidence: problems[0]?.evidence,
				remedy: "make the initramfs with dracut and its dmsquash-live module",
				containerfile: LINES.makeInitramfs,
			},
		);
	}
	if (support.dmsquashLive === undefined)
		return findings.block(
			"LIVE_MODULE_MISSING",
			"the initramfs has no live support (dracut's dmsquash-live)",
			ALL_PATHS,
			{
				evidence: "no usr/sbin/dmsquash-live-root in the initramfs",
				remedy: "make the initramfs with dracut --no-hostonly --add dmsquash-live",
				containerfile: LINES.makeInitramfs,
			},
		);
	if (request === "anaconda" && !support.anaconda)
		return findings.block(
			"INSTALLER_MODULE_MISSING",
			"the default entry asks for an installer (inst.stage2), which the initramfs does not know",
			ALL_PATHS,
			{
				evidence: "no anaconda in the initramfs's dracut hooks",
				remedy: "add dracut's anaconda module, or start with root=live:CDLABEL=",
				containerfile: {
					fedora: LINES.makeInitramfs.fedora
						.replace("dracut-live", "anaconda-dracut dracut-live")
						.replace("dmsquash-live", "anaconda dmsquash-live"),
					debian: LINES.makeInitramfs.debian,
				},
			},
		);
	findings.ok(
		"LIVE_MODULE",
		`the initramfs has ${request === "anaconda" ? "anaconda's stage2 logic" : "dmsquash-live"}`,
		support.dmsquashLive.livenet ? undefined : "no livenet: it starts from media, not from the network",
	);
	if (support.dmsquashLive.livenet)
		findings.ok(NETWORK_BOOT, "the initramfs fetches a root file system over HTTP (dracut's livenet)");
	const { script } = support.dmsquashLive;
	if (request !== "other" && name !== "squashfs" && script !== "" && !script.includes(name))
		findings.block("LIVE_MODULE_SQUASHFS_ONLY", `this dmsquash-live mounts no ${name}`, ALL_PATHS, {
			evidence: `dracut ${support.dracut ?? "of an unknown release"}; ${name} came with release 103`,
			remedy: "build with --rootfs squashfs, or use a later dracut",
		});
	checkLoopBoot(parts, findings);
	if (request !== "other") checkDracut(parts, support.dmsquashLive, support.dracut, findings);
}

/** Found where an initramfs fetches its root from the network. */
export const NETWORK_BOOT = "NETWORK_BOOT";

/** Of disks that people keep ISOs on. */
const DISK_FILE_SYSTEMS = ["vfat", "exfat", "ntfs3", "ext4", "btrfs", "xfs"];
/** fs/fat/inode.c: the usual code page, and what names are shown in. */
const FAT_NAMES = [["nls_cp437"], ["nls_ascii", "nls_iso8859_1", "nls_utf8"]];

/** Whether the initramfs finds an ISO that is a file on a disk, as who starts one with GRUB needs it. */
function checkLoopBoot({ initramfs }: BootParts, findings: Findings): undefined {
	const support = initramfs?.support;
	if (initramfs === undefined || support === undefined) return;
	const { drivers } = initramfs;
	// Without it nothing starts, however it is started.
	if (!drivers.has("loop")) return;
	const hasFatNames = FAT_NAMES.every((either) => either.some((name) => drivers.has(name)));
	const known = DISK_FILE_SYSTEMS.filter((name) => drivers.has(name) && (name !== "vfat" || hasFatNames));
	const none = (what: string, evidence: string): undefined => {
		const where = `/${ISO_PATHS.loopbackMenu} starts it, and its root is not found`;
		findings.add({
			code: "LOOP_BOOT",
			severity: "note",
			what: `the initramfs ${what}: started from a file on a disk, ${where}`,
			evidence,
			blocks: [],
		});
	};
	if (!support.isoScan && !support.liveBoot)
		return none("does not look for an ISO that is a file", "no iso-scan in the initramfs");
	if (known.length === 0) return none("reads no disk's file system", `none of ${DISK_FILE_SYSTEMS.join(", ")}`);
	findings.ok(
		"LOOP_BOOT",
		"the ISO can be started from a file on a disk",
		`the disk's file system: ${known.join(", ")}`,
	);
}

/** Whether a finding is about what mounts a root file system of this format. */
export function isOfFormat(code: string, { name }: RootFileSystem): boolean {
	const format = name.toUpperCase();
	return [`DRIVER_${format}_MISSING`, `${format}_DECODER_MISSING`].includes(code) || code.endsWith("_SQUASHFS_ONLY");
}

/** What this version of dmsquash-live needs of the squashfs. */
function checkDracut(
	{ tree }: BootParts,
	{ version, script }: DmsquashLive,
	dracut: string | undefined,
	findings: Findings,
): undefined {
	const isDirectory = (path: string): boolean => lookupQuietly(tree, path)?.inode.type === "directory";
	if (isDirectory("/LiveOS"))
		findings.block(
			"ROOT_HAS_LIVEOS",
			"the image has a directory /LiveOS, in which dmsquash-live looks for the root file system",
			ALL_PATHS,
			{
				evidence: "/LiveOS without rootfs.img",
				remedy: "remove it",
				containerfile: { fedora: "RUN rm -rf /LiveOS", debian: "RUN rm -rf /LiveOS" },
			},
		);
	for (const fact of dracutFacts(version)) {
		const evidence = `dracut ${dracut}: ${fact.what} (${fact.source})`;
		switch (fact.id) {
			case "proc-directory":
				// The script decides where a distribution has changed it.
				if (isDirectory("/proc") || (script !== "" && !script.includes("/run/initramfs/squashfs/proc"))) break;
				findings.block(
					"ROOT_WITHOUT_PROC",
					"the image has no directory /proc, by which this dracut knows a root",
					ALL_PATHS,
					{
						evidence,
						containerfile: { fedora: "RUN mkdir -p /proc", debian: "RUN mkdir -p /proc" },
						remedy: "add an empty directory /proc to the image",
					},
				);
				break;
			default:
				if (isDirectory("/usr") || (fact.id === "ostree-root" && isDirectory("/ostree"))) break;
				findings.block("ROOT_WITHOUT_USR", "the image has no directory /usr", ALL_PATHS, { evidence });
		}
	}
}

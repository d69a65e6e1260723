import type { BootParts, InitramfsPart } from "../boot-parts.ts";
import { quietLookup } from "../boot-parts.ts";
import { LINES } from "../containerfile.ts";
import { ALL_PATHS, type FindingList } from "../finding.ts";
import { dracutFacts, OVERLAY_ARGUMENT_FIX } from "../live-boot-facts.ts";
import { argumentValue, isArgumentSet } from "../menu-words.ts";

/** How an initramfs finds its root file system on a medium. */
export interface LiveSupport {
	readonly dmsquashLive: boolean;
	/** The installer's own logic, `inst.stage2`. */
	readonly anaconda: boolean;
	readonly liveBoot: boolean;
	readonly casper: boolean;
	/** dracut's version as it says it, `059-4`. */
	readonly dracut: string | undefined;
	/** Arguments that the initramfs adds to the kernel's. */
	readonly ownArguments: readonly string[];
}

export function liveSupportOf({ content }: InitramfsPart): LiveSupport {
	const has = (...paths: string[]): boolean => paths.some((path) => quietLookup(content, path) !== undefined);
	const names = (path: string): string[] => {
		const found = quietLookup(content, path)?.inode;
		return found?.type === "directory" ? [...found.entries.keys()] : [];
	};
	const hooks = names("/usr/lib/dracut/hooks/cmdline").concat(names("/lib/dracut/hooks/cmdline"));
	const release = content.content("/usr/lib/initrd-release")?.toString("utf8") ?? "";
	const versionFile = names("/usr/lib/dracut").find((name) => /^dracut-\d/.test(name));
	const cmdline = ["/etc/cmdline", ...names("/etc/cmdline.d").map((name) => `/etc/cmdline.d/${name}`)];
	return {
		dmsquashLive: has("/usr/sbin/dmsquash-live-root", "/sbin/dmsquash-live-root", "/usr/bin/dmsquash-live-root"),
		anaconda:
			hooks.some((name) => name.includes("anaconda")) || has("/usr/lib/anaconda-lib.sh", "/lib/anaconda-lib.sh"),
		liveBoot: has("/usr/lib/live/boot", "/lib/live/boot", "/scripts/live"),
		casper: has("/scripts/casper"),
		dracut: versionFile?.slice("dracut-".length) ?? /^DRACUT_VERSION="?([^"\n]+)/m.exec(release)?.[1],
		ownArguments: cmdline
			.map((path) => content.content(path)?.toString("utf8") ?? "")
			.join(" ")
			.split(/\s+/)
			.filter((word) => word !== ""),
	};
}

/** What an entry's arguments ask the initramfs for. */
export type RootRequest = "dmsquash-live" | "anaconda" | "live-boot" | "casper" | "other";

export function rootRequestOf(args: readonly string[]): RootRequest {
	const root = argumentValue(args, "root");
	if (root?.startsWith("live:") === true) return "dmsquash-live";
	if (isArgumentSet(args, "rd.live.image") && root !== undefined) return "dmsquash-live";
	if (argumentValue(args, "inst.stage2") !== undefined || argumentValue(args, "inst.repo") !== undefined)
		return "anaconda";
	const boot = argumentValue(args, "boot");
	return boot === "live" ? "live-boot" : boot === "casper" ? "casper" : "other";
}

/** The initramfs has what the default entry asks for, and that finds `/LiveOS/squashfs.img`. */
export function checkLiveSupport(parts: BootParts, entryArgs: readonly string[], findings: FindingList): undefined {
	const { initramfs } = parts;
	if (initramfs === undefined) return;
	const support = liveSupportOf(initramfs);
	const args = [...support.ownArguments, ...entryArgs];
	const request = rootRequestOf(args);
	if (support.dracut !== undefined) findings.ok("DRACUT", `made by dracut ${support.dracut}`);
	if (
		request === "live-boot" ||
		request === "casper" ||
		(!support.dmsquashLive && (support.liveBoot || support.casper))
	)
		return findings.block(
			"LIVE_MODULE_OTHER_LAYOUT",
			`the initramfs starts with ${support.casper ? "casper" : "live-boot"}, which looks for /${support.casper ? "casper" : "live"}/*.squashfs; the contract's ISO has /LiveOS/squashfs.img`,
			ALL_PATHS,
			{ remedy: "make the initramfs with dracut and its dmsquash-live module", containerfile: LINES.makeInitramfs },
		);
	if (!support.dmsquashLive)
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
	);
	if (request !== "other") checkDracut(parts, initramfs, support, args, findings);
}

/** What this version of dmsquash-live needs of the squashfs and the command line. */
function checkDracut(
	{ tree, menu, label }: BootParts,
	{ content }: InitramfsPart,
	{ dracut }: LiveSupport,
	args: readonly string[],
	findings: FindingList,
): undefined {
	const version = /^\d+/.exec(dracut ?? "")?.[0];
	const script = content.content("/usr/sbin/dmsquash-live-root") ?? content.content("/usr/bin/dmsquash-live-root");
	const text = script?.toString("latin1") ?? "";
	const isDirectory = (path: string): boolean => quietLookup(tree, path)?.inode.type === "directory";
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
	for (const fact of dracutFacts(version === undefined ? undefined : Number(version))) {
		const evidence = `dracut ${dracut}: ${fact.what} (${fact.source})`;
		switch (fact.id) {
			case "overlay-argument":
				if (isArgumentSet(args, "rd.live.overlay.overlayfs") || text.includes(OVERLAY_ARGUMENT_FIX)) break;
				findings.block("OVERLAY_ARGUMENT_MISSING", "the default entry lacks rd.live.overlay.overlayfs=1", ALL_PATHS, {
					evidence,
					remedy: "add rd.live.overlay.overlayfs=1 to the entry's linux line",
					containerfile: LINES.addKernelArgument("rd.live.overlay.overlayfs=1", { ...menu, label }),
				});
				break;
			case "proc-directory":
				// The script decides where a distribution has changed it.
				if (isDirectory("/proc") || (text !== "" && !text.includes("/run/initramfs/squashfs/proc"))) break;
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

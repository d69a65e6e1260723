import { displayName } from "../../binary/byte-string.ts";
import type { InitramfsArguments } from "../../boot/live-root/argument-lookup.ts";
import { ALL_PATHS } from "../../findings/finding.ts";
import { lookupQuietly } from "../../tree/lookup-quietly.ts";
import type { BootParts } from "../boot-parts.ts";
import { anyDistribution, LINES } from "../containerfile.ts";
import type { MenuFindings } from "../menu-findings.ts";
import { checkSelinux } from "./selinux.ts";

/** Where a switched root is started: systemd's switch-root and dracut's try these. */
const INITS = ["/sbin/init", "/etc/init", "/bin/init"];

/** The root file system can be switched to and started. */
export async function checkSystem(parts: BootParts, args: InitramfsArguments, findings: MenuFindings): Promise<void> {
	const { tree, initramfs } = parts;
	const asked = args.value("init");
	const inits = asked === undefined || asked === "" ? INITS : [asked];
	const found = inits.map((path) => lookupQuietly(tree, path)).find((init) => init?.inode.type === "file");
	if (found === undefined || (found.inode.mode & 0o111) === 0)
		findings.block("INIT_MISSING", "the image has no init to start", ALL_PATHS, {
			evidence: found === undefined ? `no ${inits.join(", ")}` : `${displayName(found.path)} is not executable`,
			remedy: "install systemd, with its /sbin/init",
			containerfile: LINES.init,
		});
	else findings.ok("INIT", `init is ${displayName(found.path)}`);

	const usesSystemd = initramfs !== undefined && initramfs.content.lookup("/usr/lib/systemd/systemd") !== undefined;
	const hasRelease = ["/etc/os-release", "/usr/lib/os-release"].some((path) => lookupQuietly(tree, path) !== undefined);
	if (usesSystemd && !hasRelease)
		findings.block("ROOT_WITHOUT_OS_RELEASE", "systemd does not switch to a root without os-release", ALL_PATHS, {
			evidence: "no /etc/os-release, no /usr/lib/os-release",
			containerfile: LINES.release,
		});
	checkConfiguration(parts, findings);
	await checkSelinux(parts, args, findings);
}

/** As ostree commits have it: what checks them out for a deployment makes /etc of it, and a live system is none. */
function checkConfiguration({ tree }: BootParts, findings: MenuFindings): void {
	const isThere = (path: string): boolean => lookupQuietly(tree, path) !== undefined;
	if (isThere("/etc/passwd") || !isThere("/usr/etc/passwd")) return;
	findings.warn("ETC_IN_USR", "the image has its configuration in /usr/etc, where a booted system does not look", {
		evidence: "/usr/etc/passwd, but no /etc/passwd",
		remedy: "move it to /etc, as ostree does when it deploys a commit",
		containerfile: anyDistribution("RUN mkdir -p /etc && cp -a /usr/etc/. /etc/ && rm -rf /usr/etc"),
	});
}

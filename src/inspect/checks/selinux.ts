import { displayName } from "../../binary/byte-string.ts";
import { type InitramfsArguments, lookupOf } from "../../boot/live-root/argument-lookup.ts";
import { ALL_PATHS } from "../../findings/finding.ts";
import { LABEL_XATTR } from "../../selinux/choice.ts";
import { policyMissing } from "../../selinux/label-image.ts";
import { configFile, hasRules, readSelinuxConfig } from "../../selinux/policy.ts";
import { lookupQuietly } from "../../tree/lookup-quietly.ts";
import type { BootParts } from "../boot-parts.ts";
import type { MenuFindings } from "../menu-findings.ts";

const CONFIG = "/etc/selinux/config";

/** What SELinux would do in the live system: an enforcing one starts nothing that has no label. */
export async function checkSelinux(parts: BootParts, args: InitramfsArguments, findings: MenuFindings): Promise<void> {
	const { tree, config: kernel, selinux } = parts;
	const config = await readSelinuxConfig(tree);
	const hasPolicy = hasRules(tree, config);
	if (selinux === "policy" && !hasPolicy) {
		const { code, what, where, remedy } = policyMissing(config.type);
		findings.block(code, what, ALL_PATHS, { evidence: where, remedy });
		return;
	}
	if (configFile(tree) === undefined) return;
	const { mode } = config;
	if (mode !== "enforcing" && mode !== "permissive") return;
	const isLabelled = selinux !== "off" && lookupQuietly(tree, "/sbin/init")?.inode.xattrs.has(LABEL_XATTR) === true;
	const isMade = (selinux === "auto" || selinux === "policy") && hasPolicy;
	const off = ["selinux", "enforcing"].find((name) => args.value(name) === "0");
	const policy = displayName(config.type);
	if (!isLabelled && !isMade) {
		if (mode === "permissive" || off !== undefined || args.isSet(lookupOf("autorelabel"))) return;
		findings.warn("SELINUX_UNLABELLED", "SELinux is enforcing, but the image's files have no labels", {
			evidence: `${CONFIG}: SELINUX=enforcing; the default entry has no enforcing=0`,
			remedy: "add enforcing=0 to the entry's linux line",
			menuFixes: [{ set: ["enforcing=0"] }],
		});
		return;
	}
	if (off !== undefined)
		findings.choice({
			code: "SELINUX_OFF_IN_MENU",
			what: isLabelled
				? "files have SELinux labels, but the default entry does without them"
				: `files get labels of the SELinux policy ${policy}, but the default entry does without them`,
			where: `the default entry: ${off}=0`,
			remedy: `leave ${off}=0 out of the entry's linux line for SELinux to be ${mode}`,
		});
	else if (kernel !== undefined && kernel.get("CONFIG_SECURITY_SELINUX") !== "y")
		findings.warn("SELINUX_KERNEL", "the kernel does not have SELinux", {
			evidence: `CONFIG_SECURITY_SELINUX=${kernel.get("CONFIG_SECURITY_SELINUX") ?? "n"}; ${CONFIG}: SELINUX=${mode}`,
		});
	else
		findings.ok(
			"SELINUX",
			isLabelled
				? `SELinux is ${mode}, and files have labels`
				: `SELinux is ${mode}, and files get labels of ${policy}`,
		);
}

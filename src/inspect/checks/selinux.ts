import { displayName } from "../../binary/byte-string.ts";
import { inTurns } from "../../binary/turns.ts";
import { startedSecurityModule } from "../../boot/linux/security-module.ts";
import { type InitramfsArguments, lookupOf } from "../../boot/live-root/argument-lookup.ts";
import { DRACUT_HOOKS } from "../../boot/live-root/live-support.ts";
import { ALL_PATHS } from "../../findings/finding.ts";
import { LABEL_XATTR } from "../../selinux/choice.ts";
import { policyMissing } from "../../selinux/label-image.ts";
import { hasLabels } from "../../selinux/label-tree.ts";
import { configFile, hasCompiledPolicy, hasRules, readSelinuxConfig } from "../../selinux/policy.ts";
import { lookupQuietly } from "../../tree/lookup-quietly.ts";
import type { BootParts } from "../boot-parts.ts";
import type { MenuFindings } from "../menu-findings.ts";

const CONFIG = "/etc/selinux/config";
const NAMES = { apparmor: "AppArmor", smack: "Smack" } as const;
/** It loads the policy once it runs in the live root. */
const SYSTEMD = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];
const LOAD_POLICY = ["/sbin/load_policy", "/usr/sbin/load_policy"];
const POLICY_HOOK = "selinux-loadpolicy.sh";

/** What SELinux would do in the live system: an enforcing one starts nothing that has no label. */
export async function checkSelinux(parts: BootParts, args: InitramfsArguments, findings: MenuFindings): Promise<void> {
	const { tree, selinux } = parts;
	const config = await readSelinuxConfig(tree);
	const hasPolicy = hasRules(tree, config);
	if (selinux === "policy" && !hasPolicy) {
		const { code, what, where, remedy } = policyMissing(config.type);
		findings.block(code, what, ALL_PATHS, { evidence: where, remedy });
		return;
	}
	checkPolicyHook(parts, args, config.mode, findings);
	if (configFile(tree) === undefined) return;
	const { mode } = config;
	if (mode !== "enforcing" && mode !== "permissive") return;
	const isLabelled = selinux !== "off" && lookupQuietly(tree, "/sbin/init")?.inode.xattrs.has(LABEL_XATTR) === true;
	const isMade = hasPolicy && (selinux === "policy" || (selinux === "auto" && !(await inTurns(hasLabels(tree.root)))));
	const off = ["selinux", "enforcing"].find((name) => args.value(name) === "0");
	const policy = displayName(config.type);
	const other = otherThanSelinux(parts, args);
	const isKnown =
		parts.config !== undefined && startedSecurityModule((name) => parts.config?.get(name), args) === "selinux";
	const isEnforced = mode === "enforcing" && off === undefined && other === undefined;
	if (isEnforced && (isKnown || isMade || isLabelled) && !hasCompiledPolicy(tree, config)) {
		const what = "SELinux is enforcing, but its policy is not there for the kernel to load";
		const details = {
			evidence: `no /etc/selinux/${policy}/policy/policy.VERSION; systemd goes no further then`,
			remedy:
				"let the policy's package run its script when it is installed, run semodule -B, or add enforcing=0 to the entry's linux line",
			menuFixes: [{ set: ["enforcing=0"] }],
		};
		if (isKnown) findings.block("SELINUX_NOT_COMPILED", what, ALL_PATHS, details);
		else findings.warn("SELINUX_NOT_COMPILED", what, details);
		return;
	}
	if (!isLabelled && !isMade) {
		if (mode === "permissive" || off !== undefined || other !== undefined || args.isSet(lookupOf("autorelabel")))
			return;
		findings.warn("SELINUX_UNLABELLED", "SELinux is enforcing, but the image's files have no labels", {
			evidence: `${CONFIG}: SELINUX=enforcing; the default entry has no enforcing=0`,
			remedy: "add enforcing=0 to the entry's linux line",
			menuFixes: [{ set: ["enforcing=0"] }],
		});
		return;
	}
	if (off !== undefined) {
		findings.choice({
			code: "SELINUX_OFF_IN_MENU",
			what: isLabelled
				? "files have SELinux labels, but the default entry does without them"
				: `files get labels of the SELinux policy ${policy}, but the default entry does without them`,
			where: `the default entry: ${off}=0`,
			remedy: `leave ${off}=0 out of the entry's linux line for SELinux to be ${mode}`,
		});
		return;
	}
	if (other !== undefined) {
		findings.warn(other.code, other.what, {
			evidence: `${other.evidence}; ${CONFIG}: SELINUX=${mode}`,
			remedy: other.remedy,
			menuFixes: other.menuFixes,
		});
		return;
	}
	findings.ok(
		"SELINUX",
		isLabelled ? `SELinux is ${mode}, and files have labels` : `SELinux is ${mode}, and files get labels of ${policy}`,
	);
	if (!SYSTEMD.some((path) => lookupQuietly(tree, path) !== undefined) && !hasPolicyHook(parts))
		findings.choice({
			code: "SELINUX_POLICY_LOADER",
			what: "init has to load the SELinux policy itself: the image has no systemd, and the initramfs does not do it",
			where: displayName(parts.initramfs?.file.path ?? "the initramfs"),
			remedy: "where init does not, make the initramfs with dracut --add selinux and install policycoreutils",
		});
}

/** Why the kernel would not start SELinux; undefined where it does, or its configuration does not tell. */
function otherThanSelinux({ config }: BootParts, args: InitramfsArguments) {
	if (config === undefined) return undefined;
	const setting = (name: string): string | undefined => config.get(name);
	const own = setting("CONFIG_SECURITY_SELINUX");
	if (own !== "y")
		return {
			code: "SELINUX_KERNEL",
			what: "the kernel does not have SELinux",
			evidence: `CONFIG_SECURITY_SELINUX=${own ?? "n"}`,
		};
	const started = startedSecurityModule(setting, args);
	if (started === "selinux" || started === "unknown") return undefined;
	const list = args.value("lsm");
	return {
		code: "SELINUX_NOT_STARTED",
		what: `the kernel starts ${started === undefined ? "no security module" : NAMES[started]} in place of SELinux`,
		evidence: list === undefined ? `CONFIG_LSM=${setting("CONFIG_LSM") ?? ""}` : `the default entry: lsm=${list}`,
		remedy: "add security=selinux to the entry's linux line, without lsm=",
		menuFixes: [{ drop: ["lsm"], set: ["security=selinux"] }],
	};
}

/** dracut's module `selinux` ends the boot where it cannot load the policy: it takes a system without a configuration for an enforcing one. */
function checkPolicyHook(
	parts: BootParts,
	args: InitramfsArguments,
	mode: string | undefined,
	findings: MenuFindings,
): void {
	if (!hasPolicyHook(parts) || args.value("selinux") === "0" || args.value("enforcing") === "0") return;
	if (mode === "permissive" || mode === "disabled") return;
	const isExecutable = (path: string): boolean => ((lookupQuietly(parts.tree, path)?.inode.mode ?? 0) & 0o111) !== 0;
	if (LOAD_POLICY.some(isExecutable)) return;
	findings.block(
		"SELINUX_LOAD_POLICY",
		"the initramfs has dracut's module selinux, which does not go on without load_policy",
		ALL_PATHS,
		{
			evidence: `no ${LOAD_POLICY.join(", ")}; ${CONFIG}: SELINUX=${mode ?? "enforcing, as it says nothing"}`,
			remedy: "install policycoreutils, or make the initramfs with dracut --omit selinux",
		},
	);
}

function hasPolicyHook({ initramfs }: BootParts): boolean {
	return DRACUT_HOOKS.some((directory) => {
		const hooks = initramfs?.content.lookup(`${directory}/pre-pivot`)?.inode;
		return hooks?.type === "directory" && [...hooks.entries.keys()].some((name) => name.endsWith(POLICY_HOOK));
	});
}

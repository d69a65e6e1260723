import type { InitramfsArguments } from "../live-root/argument-lookup.ts";

/** Security modules of which a kernel starts one, with the argument that switches each off. */
const EXCLUSIVE = ["apparmor", "selinux", "smack"] as const;
export type SecurityModule = (typeof EXCLUSIVE)[number];

const SETTINGS: Readonly<Record<SecurityModule, string>> = {
	apparmor: "CONFIG_SECURITY_APPARMOR",
	selinux: "CONFIG_SECURITY_SELINUX",
	smack: "CONFIG_SECURITY_SMACK",
};

/**
 * Which of them a kernel starts (Linux 5.1 and later, security/security.c): the first in `lsm=`, or else of CONFIG_LSM, that it has and that is not switched off; without `lsm=`, `security=` leaves the
 * others out. `setting` gives values as in a `.config`. Undefined: none; `unknown`: the configuration has no CONFIG_LSM.
 */
export function startedSecurityModule(
	setting: (name: string) => string | undefined,
	args: InitramfsArguments,
): SecurityModule | "unknown" | undefined {
	const builtIn = EXCLUSIVE.filter((name) => setting(SETTINGS[name]) === "y" && !isSwitchedOff(name, setting, args));
	const isBuiltIn = (name: string | undefined): name is SecurityModule => builtIn.some((each) => each === name);
	const asked = args.value("lsm");
	const only = asked === undefined ? args.value("security") : undefined;
	if (only !== undefined) return isBuiltIn(only) ? only : undefined;
	const order = asked ?? setting("CONFIG_LSM")?.replaceAll('"', "");
	if (order === undefined) return "unknown";
	return order.split(",").find(isBuiltIn);
}

function isSwitchedOff(
	name: SecurityModule,
	setting: (name: string) => string | undefined,
	args: InitramfsArguments,
): boolean {
	if (name === "smack" || args.value(name) !== "0") return false;
	return name !== "selinux" || setting("CONFIG_SECURITY_SELINUX_BOOTPARAM") !== "n";
}

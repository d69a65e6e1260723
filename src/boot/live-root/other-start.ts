import type { KernelArgument } from "./kernel-command-line.ts";

const TARGETS: ReadonlyMap<string, string> = new Map([
	...["emergency", "-b"].map((word) => [word, "emergency.target"] as const),
	...["rescue", "single", "-s", "s", "S", "1"].map((word) => [word, "rescue.target"] as const),
	...["2", "3", "4"].map((word) => [word, "multi-user.target"] as const),
	["5", "graphical.target"],
]);
const INITRAMFS_WORDS = ["rd.emergency", "rd.rescue"];
const NO_SYSTEM = /^(emergency|rescue|poweroff|halt|reboot|kexec|exit|soft-reboot)(\.target)?$/;
const SHELL = /(^|\/)(sh|bash|dash|ash|ksh|mksh|zsh|busybox)$/;

/** The argument that makes systemd, in the initramfs, come to a shell there, which is what it starts for the last of those that name a target. */
export function stopsInInitramfs(args: readonly KernelArgument[]): KernelArgument | undefined {
	const last = args.findLast(
		({ name, value }) =>
			(name === "rd.systemd.unit" && value !== undefined) || (INITRAMFS_WORDS.includes(name) && value === undefined),
	);
	return last !== undefined && NO_SYSTEM.test(last.value ?? last.name.slice("rd.".length)) ? last : undefined;
}

/** What the root's init is told to come to in place of the system, or what is started in place of init; and the argument that says so. */
export function startedInstead(
	args: readonly KernelArgument[],
): { argument: KernelArgument; what: string } | undefined {
	const init = args.findLast(({ name }) => name === "init");
	if (init?.value !== undefined && SHELL.test(init.value)) return { argument: init, what: init.value };
	const isTarget = ({ name, value }: KernelArgument): boolean =>
		value === undefined ? TARGETS.has(name) : name === "systemd.unit";
	const argument = args.findLast(isTarget);
	const what = argument && (argument.value ?? TARGETS.get(argument.name));
	return argument !== undefined && what !== undefined && NO_SYSTEM.test(what) ? { argument, what } : undefined;
}

/** The modules that a command needs; those not named here are in GRUB's kernel, or not modelled. */
export const MODULES: ReadonlyMap<string, readonly string[]> = new Map([
	["[", ["test"]],
	["test", ["test"]],
	["true", ["true"]],
	["false", ["true"]],
	["search", ["search"]],
	["search.file", ["search_fs_file"]],
	["search.fs_label", ["search_label"]],
	["search.fs_uuid", ["search_fs_uuid"]],
	["normal", ["normal"]],
	["configfile", ["configfile"]],
	["source", ["configfile"]],
	[".", ["configfile"]],
	["halt", ["halt"]],
	["reboot", ["reboot"]],
	["loopback", ["loopback"]],
	["load_env", ["loadenv"]],
]);

/** Commands that load something that `boot` starts. */
export const LOADS_KERNEL: ReadonlySet<string> = new Set([
	"linux",
	"linuxefi",
	"chainloader",
	"multiboot",
	"multiboot2",
]);

/** Commands after which no menu comes up, and what GRUB does then. */
export const ENDS: ReadonlyMap<string, string> = new Map([
	["halt", "turns the machine off"],
	["reboot", "restarts the machine"],
	["exit", "gives up, and the firmware goes on to something else"],
	["fwsetup", "restarts the machine into the firmware's setup"],
]);

/** Commands that decide which menu comes up. */
export const DECIDES: ReadonlySet<string> = new Set([
	...LOADS_KERNEL,
	...ENDS.keys(),
	..."source . configfile normal normal_exit menuentry submenu boot search search.file search.fs_label".split(" "),
	..."search.fs_uuid blscfg eval legacy_configfile syslinux_configfile extract_entries_source".split(" "),
	..."extract_entries_configfile extract_legacy_entries_source legacy_source syslinux_source load_env return break".split(
		" ",
	),
	..."continue setparams".split(" "),
]);

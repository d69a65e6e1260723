/** What an entry's arguments ask the initramfs for. */
export type RootRequest = "dmsquash-live" | "anaconda" | "live-boot" | "casper" | "other";

/** Why the initramfs does not come from its arguments to the medium's root file system, or not everywhere. */
export interface RootProblem {
	readonly code:
		| "COMMAND_LINE_TOO_LONG"
		| "DRIVER_BARRED"
		| "MEDIA_CHECK_TOOL_MISSING"
		| "MENU_BREAK"
		| "MENU_COPIED_TWICE"
		| "MENU_INITRAMFS_PROGRAM"
		| "MENU_LABEL"
		| "MENU_LIVE_PATH"
		| "MENU_LIVE_UUID"
		| "MENU_NO_ROOT"
		| "MENU_OTHER_START"
		| "MENU_OVERLAY_DEVICE"
		| "MENU_ROOT_DEVICE"
		| "MENU_ROOT_NETWORK"
		| "MENU_ROOT_PARTITION"
		| "MENU_ROOT_UNKNOWN"
		| "MENU_ROOT_UUID"
		| "OVERLAY_ARGUMENT_MISSING";
	/** Goes on "the menu entry NAME". */
	readonly what: string;
	readonly evidence: string;
	/** The argument that is at fault, or that is missing, where it is one. */
	readonly argument?: string | undefined;
	/** The boot ends there; otherwise it depends on the machine, or asks somebody. */
	readonly stops: boolean;
}

/** Where the boot of an entry gets to. */
export interface FollowedRoot {
	readonly request: RootRequest;
	/** The device that is waited for; undefined where none is. */
	readonly device: string | undefined;
	/** Path on the medium of the root file system's image, without leading slash; undefined where it finds none. */
	readonly image: string | undefined;
	readonly problems: readonly RootProblem[];
	/** Arguments that still work and will not for ever, in sentences. */
	readonly notes: readonly string[];
}

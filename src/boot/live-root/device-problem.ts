import type { RootProblem } from "./followed-root.ts";
import { type LiveMedium, matchDevice } from "./live-medium.ts";

/** Why a device that is waited for is not the medium, or not everywhere; undefined where it is. `named` is how the arguments name it. */
export function deviceProblem(
	medium: LiveMedium,
	device: string,
	named: string,
): Omit<RootProblem, "argument"> | undefined {
	const shown = shorten(named);
	switch (matchDevice(medium, device)) {
		case "medium":
			return undefined;
		case "disk-only":
			return {
				code: "MENU_ROOT_PARTITION",
				what: "looks for a partition, which a CD does not have",
				evidence: device,
				stops: false,
			};
		case "machine":
			return {
				code: "MENU_ROOT_DEVICE",
				what: `looks for its root on ${device}, which is another device on other machines`,
				evidence: "the medium's label is the name that it has everywhere",
				stops: false,
			};
		case "unknown":
			return {
				code: "MENU_ROOT_UUID",
				what: `looks for a medium with the UUID ${shown}`,
				evidence: "the ISO's UUID is made of the date that the build gives it",
				stops: false,
			};
		case "none":
	}
	const { label, uuid } = medium;
	if (device.startsWith("/dev/disk/by-label/"))
		return {
			code: "MENU_LABEL",
			what: `looks for a medium labelled ${JSON.stringify(shown)}, which this one is not`,
			evidence: `the label is ${JSON.stringify(label)}${explain(named, label)}`,
			stops: true,
		};
	if (device.startsWith("/dev/disk/by-uuid/"))
		return {
			code: "MENU_ROOT_UUID",
			what: `looks for a medium with the UUID ${shown}, which this one does not have`,
			evidence: `the UUID is ${uuid}`,
			stops: true,
		};
	return {
		code: "MENU_ROOT_PARTITION",
		what: `looks for the partition ${shown}, which the medium does not have`,
		evidence: device,
		stops: true,
	};
}

function explain(named: string, label: string): string {
	if (label.startsWith(`${named} `)) return "; a kernel argument ends at a space";
	return named.toLowerCase() === label.toLowerCase() ? "; case matters" : "";
}

/** What an argument says, for a message. */
export function shorten(text: string): string {
	return text.length > 100 ? `${text.slice(0, 100)}...` : text;
}

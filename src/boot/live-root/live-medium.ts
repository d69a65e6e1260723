/** A medium as an initramfs comes upon it. */
export interface LiveMedium {
	/** The volume's label, as text. */
	readonly label: string;
	/** As blkid makes it of the volume's dates, `2024-01-31-12-00-00-00`; undefined where it is not known yet. */
	readonly uuid: string | undefined;
	/** Partitions that hold the volume, on disks that are not CDs. */
	readonly partitions: readonly { readonly name: string; readonly guid?: string | undefined }[];
	/** Names in a directory of the volume, by its path without slashes at the ends; undefined where there is none. */
	names(directory: string): readonly string[] | undefined;
}

/** How udev writes a label in /dev/disk/by-label: what is neither allowed nor UTF-8 beyond ASCII becomes `\xNN`. */
export function udevLabel(label: string): string {
	return label.replace(
		/[^A-Za-z0-9#+\-.:=@_\u0080-\u{10ffff}]/gu,
		(c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
	);
}

/** blkid's UUID of an ISO9660 volume that was modified at `seconds` since 1970: its digits with hundredths. */
export function volumeUuid(seconds: number): string {
	return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace(/[T:]/g, "-")}-00`;
}

/** The path of a file on the medium, `.` and `..` and slashes resolved; undefined where nothing is there. */
export function pathOnMedium(medium: LiveMedium, path: string): string | undefined {
	const parts: string[] = [];
	for (const part of path.split("/")) {
		if (part === "..") parts.pop();
		else if (part !== "" && part !== ".") parts.push(part);
	}
	const name = parts.at(-1);
	if (name === undefined || medium.names(parts.slice(0, -1).join("/"))?.includes(name) !== true) return undefined;
	return parts.join("/");
}

/** What of the medium a device name means. */
type DeviceMatch =
	| "medium"
	/** Only where the medium is a disk, as a USB stick is. */
	| "disk-only"
	/** One or another device, as the machine has it. */
	| "machine"
	| "unknown"
	| "none";

const BY = "/dev/disk/by-";

/** Whether udev gives the medium this name. */
export function matchDevice(medium: LiveMedium, device: string): DeviceMatch {
	if (!device.startsWith(BY)) return "machine";
	const [kind = "", ...rest] = device.slice(BY.length).split("/");
	const name = rest.join("/");
	const hasPartition = (is: (partition: LiveMedium["partitions"][number]) => boolean): DeviceMatch =>
		medium.partitions.some(is) ? "disk-only" : "none";
	switch (kind) {
		case "label":
			return name === udevLabel(medium.label) ? "medium" : "none";
		case "uuid":
			if (medium.uuid === undefined) return "unknown";
			return name === medium.uuid ? "medium" : "none";
		case "partlabel":
			return hasPartition((partition) => udevLabel(partition.name) === name);
		case "partuuid":
			return hasPartition((partition) => partition.guid === name);
		default:
			return "machine";
	}
}

/** dracut's label_uuid_to_dev. */
export function deviceOfTag(tag: string): string | undefined {
	const equals = tag.indexOf("=");
	const value = tag.slice(equals + 1);
	switch (tag.slice(0, equals)) {
		case "LABEL":
		case "CDLABEL":
			return `/dev/disk/by-label/${escapedLabel(value)}`;
		case "PARTLABEL":
			return `/dev/disk/by-partlabel/${escapedLabel(value)}`;
		case "UUID":
			return `/dev/disk/by-uuid/${value}`;
		case "PARTUUID":
			return `/dev/disk/by-partuuid/${value}`;
		default:
			return undefined;
	}
}

/** dracut's sed: of what udev encodes only these two. */
export function escapedLabel(label: string): string {
	return label.replaceAll("/", "\\x2f").replaceAll(" ", "\\x20");
}

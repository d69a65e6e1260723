/**
 * Where labels come from: `policy`, the image's own; `image`, its layers; `off`, nowhere; `auto`, the policy where the image has one that can be read and layers carry none.
 */
export const SELINUX_CHOICES = ["auto", "image", "policy", "off"] as const;
export type SelinuxChoice = (typeof SELINUX_CHOICES)[number];

/** The extended attribute that has an inode's label. */
export const LABEL_XATTR = "security.selinux";

/** Patterns of the extended attributes that are left out, with what `off` leaves out. */
export function withoutLabels(patterns: readonly string[], choice: SelinuxChoice | undefined): readonly string[] {
	return choice === "off" ? [...patterns, LABEL_XATTR] : patterns;
}

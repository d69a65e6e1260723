import { type PeImage, sectionBytes } from "../../formats/pe/pe-image.ts";

/** systemd-boot says who it is in a section of its own, between marks that `bootctl` looks for. */
const MARK = "LoaderInfo: systemd-boot";

export function isSystemdBoot(program: PeImage): boolean {
	const section = sectionBytes(program, ".sdmagic");
	return section !== undefined && Buffer.from(section).includes(MARK, 0, "latin1");
}

import { GiB, MiB } from "../binary/units.ts";

/** `1.5 GiB`, `120 MiB` */
export function inUnits(bytes: number): string {
	return bytes >= GiB ? `${(bytes / GiB).toFixed(1)} GiB` : `${Math.floor(bytes / MiB)} MiB`;
}

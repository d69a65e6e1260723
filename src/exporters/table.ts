import type { Exporter, FileSetExporter } from "./exporter.ts";
import { isoExporter } from "./iso/iso-exporter.ts";
import { pxeSet } from "./pxe/pxe-set.ts";

/** By the name that a plan has for each. */
export const exporters = { iso: isoExporter } as const satisfies Readonly<Record<string, Exporter>>;

/** By the word before the directory. */
export const fileSets = { pxe: pxeSet } as const satisfies Readonly<Record<string, FileSetExporter>>;

import type { Exporter } from "./exporter.ts";
import { isoExporter } from "./iso/iso-exporter.ts";

/** By the name that a plan has for each. */
export const exporters = { iso: isoExporter } as const satisfies Readonly<Record<string, Exporter>>;

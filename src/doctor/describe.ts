import { printable } from "../binary/printable.ts";
import { findingLines } from "../findings/lines.ts";
import type { HostExamination } from "./doctor.ts";

/** Text for people, a line per thing, with a final newline. */
export function describeHost({ findings, isUsable }: HostExamination): string {
	const verdict = isUsable ? "builds can be made here" : "builds with the default options cannot be made here";
	const lines = [...findings.flatMap((finding) => findingLines(finding)), "", verdict];
	return `${lines.map(printable).join("\n")}\n`;
}

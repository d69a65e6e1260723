import type { Finding } from "./finding.ts";

const MARKS = { ok: "ok", note: "note", warning: "warning", blocker: "BLOCKER", fault: "FAULT" } as const;

/** A finding for people; `stops` is said behind what was found. */
export function findingLines({ severity, code, what, evidence, remedy }: Finding, stops = ""): string[] {
	const seen = evidence === undefined ? "" : ` (${evidence})`;
	return [
		`  ${MARKS[severity].padEnd(7)} ${severity === "ok" ? "" : `${code}: `}${what}${stops}${seen}`,
		...(remedy === undefined ? [] : [`          ${remedy}`]),
	];
}

import { printable } from "../binary/printable.ts";
import { formatProblem } from "../errors.ts";
import type { Finding } from "../findings/finding.ts";
import type { CheckName } from "./checks.ts";

/** The outcome, as plain JSON. */
export interface VerifyReport {
	readonly byteLength: number;
	readonly volumeIdentifier: string | undefined;
	/** `fail` when any check has a fault. */
	readonly verdict: "pass" | "fail";
	readonly faults: number;
	readonly checks: readonly CheckReport[];
}

export interface CheckReport {
	readonly name: CheckName;
	readonly title: string;
	/** `skipped`: not asked for, or something that it builds on could not be read (`detail` says what). */
	readonly status: "pass" | "fail" | "skipped";
	readonly detail: string;
	readonly findings: readonly Finding[];
	/** Findings beyond those that are listed. */
	readonly omittedFindings: number;
}

/** Of one check, as text. */
const MAX_SHOWN = 20;
const MARKS = { pass: "ok", fail: "FAIL", skipped: "--" } as const;

/** A table of the checks, with findings below their check. Ends with a newline. */
export function formatReport(report: VerifyReport): string {
	const width = Math.max(...report.checks.map(({ name }) => name.length));
	const lines = report.checks.flatMap(({ name, status, title, detail, findings, omittedFindings }) => [
		`${MARKS[status].padEnd(4)}  ${name.padEnd(width)}  ${printable(detail === "" ? title : `${title}: ${detail}`)}`,
		...linesOf(findings, omittedFindings).map((line) => `${" ".repeat(width + 8)}${line}`),
	]);
	const verdict =
		report.verdict === "pass" ? "no fault found" : `${report.faults} ${report.faults === 1 ? "fault" : "faults"}`;
	return `${lines.join("\n")}\n${verdict}\n`;
}

/** Faults first where not all are shown. */
function linesOf(findings: readonly Finding[], omitted: number): readonly string[] {
	if (findings.length <= MAX_SHOWN) return [...findings.map(describe), ...(omitted > 0 ? [`and ${omitted} more`] : [])];
	const [faults, others] = [true, false].map((isFault) =>
		findings.filter(({ severity }) => (severity === "fault") === isFault),
	);
	const shown = [...(faults ?? []), ...(others ?? [])].slice(0, MAX_SHOWN);
	return [...shown.map(describe), `and ${findings.length - MAX_SHOWN + omitted} more, see --json`];
}

function describe({ severity, what, where, expected }: Finding): string {
	return formatProblem({ code: severity, what, where, expected });
}

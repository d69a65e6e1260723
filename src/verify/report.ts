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

const MARKS = { pass: "ok", fail: "FAIL", skipped: "--" } as const;

/** A table of the checks, with findings below their check. Ends with a newline. */
export function formatReport(report: VerifyReport): string {
	const width = Math.max(...report.checks.map(({ name }) => name.length));
	const lines = report.checks.flatMap(({ name, status, title, detail, findings, omittedFindings }) => [
		`${MARKS[status].padEnd(4)}  ${name.padEnd(width)}  ${printable(detail === "" ? title : `${title}: ${detail}`)}`,
		...findings.map((finding) => `${" ".repeat(width + 8)}${describe(finding)}`),
		...(omittedFindings > 0 ? [`${" ".repeat(width + 8)}and ${omittedFindings} more`] : []),
	]);
	const verdict =
		report.verdict === "pass" ? "no fault found" : `${report.faults} ${report.faults === 1 ? "fault" : "faults"}`;
	return `${lines.join("\n")}\n${verdict}\n`;
}

function describe({ severity, what, where, expected }: Finding): string {
	return formatProblem({ code: severity, what, where, expected });
}

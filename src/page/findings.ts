import type { Finding } from "../findings/finding.ts";
import { list } from "./document.ts";
import { code, html, type Markup } from "./markup.ts";

export type Severity = Finding["severity"];

const ORDER: readonly Severity[] = ["fault", "blocker", "warning", "note", "ok"];
const MARKS: Readonly<Record<Severity, string>> = {
	ok: "✓ ok",
	note: "note",
	warning: "⚠ warning",
	blocker: "✕ blocker",
	fault: "✕ fault",
};
const PATH_NAMES = { bios: "BIOS", uefi: "UEFI", "secure-boot": "UEFI with Secure Boot" } as const;

/** What matters most first, with what to do; what is right is folded away. */
export function findingsList(findings: readonly Finding[]): Markup | undefined {
	if (findings.length === 0) return undefined;
	const sorted = [...findings].sort((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
	const told = sorted.filter(({ severity }) => severity !== "ok");
	const passed = sorted.filter(({ severity }) => severity === "ok");
	const rest =
		passed.length > 0 &&
		html`<details><summary>${passed.length} checks found nothing wrong</summary>${list(passed, "findings", describe)}</details>`;
	return html`${list(told, "findings", describe)}${rest}`;
}

export function mark(severity: Severity): Markup {
	return html`<span class="mark ${severity === "fault" ? "blocker" : severity}">${MARKS[severity]}</span>`;
}

function describe({
	severity,
	code: name,
	what,
	where,
	expected,
	evidence,
	blocks,
	remedy,
	containerfile,
}: Finding): Markup {
	const stops =
		blocks.length === 0 || blocks.length === 3 ? undefined : blocks.map((path) => PATH_NAMES[path]).join(", ");
	const lines =
		containerfile &&
		(containerfile.fedora === containerfile.debian
			? containerfileLine("Containerfile", containerfile.fedora)
			: [containerfileLine("Fedora", containerfile.fedora), containerfileLine("Debian", containerfile.debian)]);
	return html`${mark(severity)} <code>${name}</code> ${what}${stops && html` <span class="faint">[${stops}]</span>`}${faint(evidence)}${faint(where)}${faint(expected && `expected ${expected}`)}${remedy && html`<p>${remedy}</p>`}${lines}`;
}

function faint(text: string | undefined): Markup | undefined {
	return text === undefined || text === "" ? undefined : html`<br><span class="faint">${text}</span>`;
}

function containerfileLine(name: string, lines: string): Markup {
	return html`<p class="faint">${name}:</p><pre><code>${lines.split("\n").map((line) => html`${code(line)}\n`)}</code></pre>`;
}

import { createHash } from "node:crypto";
import { html, Markup } from "./markup.ts";
import { STYLE } from "./style.ts";

/** Of a list or table on the page: a bound, whatever an image says. */
const MAX_ROWS = 100;

/** A page that needs nothing but itself, and by its policy can have nothing else: no script, no network, no other style than its own. */
export function documentOf(title: string, body: readonly (Markup | undefined)[]): string {
	const hash = createHash("sha256").update(STYLE).digest("base64");
	const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
	const page = html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
${body}
</body>
</html>
`;
	return page.toString();
}

/** Undefined where there is nothing in it. */
export function section(title: string, content: readonly (Markup | undefined | false)[]): Markup | undefined {
	const parts = content.filter((part) => part !== undefined && part !== false);
	return parts.length === 0 ? undefined : html`<section><h2>${title}</h2>\n${parts}\n</section>\n`;
}

/** Names and what they are; what is undefined is left out. */
export function facts(rows: readonly (readonly [name: string, value: string | Markup | undefined])[]): Markup {
	const items = rows.map(([name, value]) => value !== undefined && html`<dt>${name}</dt><dd>${value}</dd>\n`);
	return html`<dl class="facts">\n${items}</dl>`;
}

export type Column = "text" | "number" | "bar";

/** Cells of numbers are aligned right. Of more rows than fit only the first ones. */
export function table(
	caption: string,
	columns: readonly (readonly [head: string, column: Column])[],
	rows: readonly (readonly (string | Markup)[])[],
): Markup | undefined {
	if (rows.length === 0) return undefined;
	const head = columns.map(([name, column]) => html`<th scope="col" class="${classOf(column)}">${name}</th>`);
	const body = limited(rows).map(
		(row) => html`<tr>${row.map((cell, at) => html`<td class="${classOf(columns[at]?.[1])}">${cell}</td>`)}</tr>\n`,
	);
	return html`<div class="wide"><table><caption>${caption}</caption><thead><tr>${head}</tr></thead><tbody>\n${body}</tbody></table>${omitted(rows)}</div>`;
}

/** Of more items than fit only the first ones. */
export function list<Item>(
	items: readonly Item[],
	name: string,
	describe: (item: Item) => string | Markup,
): Markup | undefined {
	if (items.length === 0) return undefined;
	return html`<ul class="${name}">\n${limited(items).map((item) => html`<li>${describe(item)}</li>\n`)}</ul>${omitted(items)}`;
}

export function texts(items: readonly string[]): Markup | undefined {
	return list(items, "", (text) => text);
}

/** Shares of a whole, from 0 to 1, one behind the other. */
export function bar(...shares: readonly [first: number, second?: number]): Markup {
	let at = 0;
	const parts = shares.map((share = 0, index) => {
		const width = Math.round(1000 * share) / 10;
		const part = html`<rect class="${index === 0 ? "first" : "second"}" x="${at}" width="${width}" height="10"/>`;
		at += width;
		return part;
	});
	return html`<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">${parts}</svg>`;
}

function limited<Item>(items: readonly Item[]): readonly Item[] {
	return items.slice(0, MAX_ROWS);
}

function omitted(items: readonly unknown[]): Markup | undefined {
	return items.length <= MAX_ROWS ? undefined : html`<p class="faint">and ${items.length - MAX_ROWS} more</p>`;
}

function classOf(column: Column = "text"): string {
	return column === "number" ? "n" : column;
}

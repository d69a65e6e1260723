import { formatSize } from "../binary/format-size.ts";
import { shortened } from "../binary/printable.ts";
import { html, type Markup } from "./markup.ts";
import { type Rectangle, squarify } from "./squarify.ts";

/** A thing that takes bytes, made of others; what its children leave is its own. */
export interface Part {
	readonly name: string;
	readonly bytes: number;
	/** More about it, a line. */
	readonly detail?: string | undefined;
	/** Colour of it and of what is in it, as in `style.ts`; absent: as what it is in. */
	readonly colour?: string | undefined;
	readonly children?: readonly Part[] | undefined;
	/** A table has a row for each of its children. */
	readonly isGroup?: boolean | undefined;
}

const WIDTH = 1200;
const HEIGHT = 680;
const HEADER = 17;
const GAP = 1.5;
/** Smaller ones are not drawn: nobody could see or point at them. */
const LEAST_SIDE = 5;
/** Of all rectangles: a bound on the page. */
const MAX_RECTANGLES = 450;
const CHARACTER_WIDTH = 6.6;
const MAX_NAME_CHARACTERS = 120;

interface Placed {
	readonly part: Part;
	readonly colour: string;
	readonly path: string;
	readonly at: Rectangle;
	readonly isOpen: boolean;
}

/** A picture of what takes how much, the larger ones told apart first. `label` is what it shows. */
export function treemap(whole: Part, label: string): Markup {
	const placed: Placed[] = [];
	const open: Placed[] = [
		{ part: whole, colour: "other", path: "", at: { x: 0, y: 0, width: WIDTH, height: HEIGHT }, isOpen: true },
	];
	for (let next = takeLargest(open); next !== undefined && placed.length < MAX_RECTANGLES; next = takeLargest(open)) {
		const children = childrenOf(next, next.part === whole);
		if (next.part !== whole) placed.push({ ...next, isOpen: children.length > 0 });
		open.push(...children);
	}
	// what is in another is drawn over it
	placed.sort((a, b) => area(b.at) - area(a.at));
	return html`<svg class="treemap" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}">${placed.map(draw)}</svg>`;
}

function takeLargest(open: Placed[]): Placed | undefined {
	let best = 0;
	for (let index = 1; index < open.length; index++)
		if (area((open[index] as Placed).at) > area((open[best] as Placed).at)) best = index;
	return open.splice(best, 1)[0];
}

function childrenOf({ part, colour, path, at }: Placed, isWhole: boolean): Placed[] {
	const children = (part.children ?? []).filter(({ bytes }) => bytes > 0).sort((a, b) => b.bytes - a.bytes);
	if (children.length === 0) return [];
	const top = isWhole ? 0 : HEADER;
	const within = { x: at.x + 2, y: at.y + top + 1, width: at.width - 4, height: at.height - top - 3 };
	if (within.width < 2 * LEAST_SIDE || within.height < 2 * LEAST_SIDE) return [];
	return squarify(
		children.map(({ bytes }) => bytes),
		Math.max(
			part.bytes,
			children.reduce((sum, { bytes }) => sum + bytes, 0),
		),
		within,
	).flatMap(({ x, y, width, height }, index) => {
		const child = children[index];
		if (child === undefined || width < LEAST_SIDE || height < LEAST_SIDE) return [];
		const name = shortName(child.name);
		return [
			{
				part: child,
				colour: child.colour ?? colour,
				path: path === "" || child.colour !== undefined ? name : `${path.replace(/\/$/, "")}/${name}`,
				at: { x: x + GAP / 2, y: y + GAP / 2, width: width - GAP, height: height - GAP },
				isOpen: false,
			},
		];
	});
}

function draw({ part, colour, path, at, isOpen }: Placed): Markup {
	const size = formatSize(part.bytes);
	const { x, y, width, height } = at;
	const characters = Math.floor((width - 8) / CHARACTER_WIDTH);
	const isLabelled = height >= 14 && characters >= 4;
	const name = shortName(part.name);
	const isBoth = name.length + size.length + 2 <= characters;
	const text = isBoth ? `${name}  ${size}` : cut(name, characters);
	const title = `${shortened(path, 4 * MAX_NAME_CHARACTERS)}: ${size}${part.detail === undefined ? "" : `; ${part.detail}`}`;
	const rectangle = html`<rect class="${colour}${isOpen ? " open" : ""}" width="${round(width)}" height="${round(height)}"/>`;
	const label = isLabelled && html`<text x="4" y="12.5">${text}</text>`;
	return html`<svg x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"><title>${title}</title>${rectangle}${label}</svg>`;
}

function shortName(name: string): string {
	return shortened(name, MAX_NAME_CHARACTERS);
}

function cut(text: string, characters: number): string {
	return text.length <= characters ? text : `${[...text].slice(0, characters - 1).join("")}…`;
}

function area({ width, height }: Rectangle): number {
	return width * height;
}

function round(length: number): number {
	return Math.round(length * 10) / 10;
}

/** `Content-Range: bytes FIRST-LAST/TOTAL` (RFC 9110 14.4); `total` is undefined where the server does not say. */
interface ContentRange {
	readonly first: number;
	readonly last: number;
	readonly total: number | undefined;
}

export function parseContentRange(value: string | undefined): ContentRange | undefined {
	const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(value?.trim() ?? "");
	if (match === null) return undefined;
	const [, first = "", last = "", total = ""] = match;
	const range = { first: Number(first), last: Number(last), total: total === "*" ? undefined : Number(total) };
	return range.last < range.first || (range.total !== undefined && range.last >= range.total) ? undefined : range;
}
